export * from "../services/Backlog.js"
export {
  type About,
  Budget,
  type BudgetAlert,
  BudgetExceeded,
  type BudgetKind,
  type BudgetService,
  type Reservation,
  type Spending,
} from "../services/Budget.js"
export * from "../services/CurrentRun.js"
export * from "../services/EventLog.js"
export * from "../services/EvidenceStore.js"
export * from "../services/IdGenerator.js"
export * from "../services/LlmClient.js"
export * from "../services/PriceBook.js"
export * from "../services/RunStore.js"
export * from "../services/Telemetry.js"
export * as CanonicalJson from "./domain/CanonicalJson.js"
export * as Cost from "./domain/Cost.js"
export * as DeadLetter from "./domain/DeadLetter.js"
export * as Event from "./domain/Event.js"
export * as Evidence from "./domain/Evidence.js"
export * as Ids from "./domain/Ids.js"
export * as Llm from "./domain/Llm.js"
export * as LlmChunk from "./domain/LlmChunk.js"
export * as Operation from "./domain/Operation.js"
export * as Project from "./domain/Project.js"
export * as Run from "./domain/Run.js"
export * as RunTree from "./domain/RunTree.js"
export * as Status from "./domain/Status.js"
export * as Usage from "./domain/Usage.js"
export * as Budgeted from "./telemetry/Budgeted.js"
export * as CallSpan from "./telemetry/CallSpan.js"
export { type CallOptions, LlmSpan, type LlmSpanService, type RecordedCall } from "./telemetry/LlmSpan.js"
export type { Outcome } from "./telemetry/Outcome.js"
export type { Period } from "./telemetry/Period.js"
export * as RecordedRun from "./telemetry/RecordedRun.js"
export { Recorder, type RecorderService } from "./telemetry/Recorder.js"
export {
  type Options as RotatingRunOptions,
  RotatingRun,
  type RotatingRunService,
} from "./telemetry/RotatingRun.js"
export * as RunSpan from "./telemetry/RunSpan.js"
export * as WorkerSpan from "./telemetry/WorkerSpan.js"
