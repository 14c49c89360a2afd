import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { SpanContext } from "../src/domain/Event.js"

/** {@link CurrentRunService.uniqueCallId} */
export interface UniqueCallId {
  (callId: string): Effect.Effect<string>
  /** The same in one synchronous step, where a run offers it. Never throws. */
  readonly unsafe?: (callId: string) => string
}

/** The run that this process records into. */
export interface CurrentRunService {
  /** The launch's run id; every event bears it. */
  readonly runId: string
  /** The run that started this one, when there is one. */
  readonly parentRunId: Option.Option<string>
  /** The run's own folder, absolute; none when the run lives in memory only. */
  readonly directory: Option.Option<string>
  /** Where in a trace an earlier process or a caller placed this run; none for a new trace. */
  readonly trace: Option.Option<SpanContext>
  /** True when an ended or dead run is taken up again under its old id. */
  readonly resumed: boolean
  /** The id under which a call is recorded: as given at its first use in this run, then `~2`, `~3` … Ordered, never fails. */
  readonly uniqueCallId: UniqueCallId
  /** The attempt number of a worker: 1 at its first use in this run, then 2, 3 … Never fails. */
  readonly nextAttempt: (worker: string) => Effect.Effect<number>
}

/**
 * Says which run is being recorded, and hands out the names that must be unique in it. It does not record anything
 * itself. A folder-backed run is owned by this process until the layer's scope closes.
 */
export class CurrentRun extends Context.Tag("runledger/services/CurrentRun")<CurrentRun, CurrentRunService>() {}
