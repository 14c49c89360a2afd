import * as Schema from "effect/Schema"
import type { ChainedEvent } from "./Event.js"
import { Sha256 } from "./Ids.js"
import { RunState } from "./RunState.js"

const WorkItem = Schema.Struct({
  worker: Schema.String,
  attempt: Schema.Int,
  status: Schema.Literal("queued", "running", "success", "failure", "partial", "timeout", "cancelled"),
  error: Schema.NullOr(Schema.String),
})

const Artifact = Schema.Struct({
  path: Schema.String,
  sha256: Sha256,
  schema_id: Schema.NullOr(Schema.String),
  writer_worker: Schema.String,
})

const Calls = Schema.Struct({
  started: Schema.NonNegativeInt,
  finished: Schema.NonNegativeInt,
  failed: Schema.NonNegativeInt,
  input_tokens: Schema.NonNegativeInt,
  output_tokens: Schema.NonNegativeInt,
  /** Real money only. */
  cost_nanousd: Schema.NonNegativeInt,
  simulated_cost_nanousd: Schema.NonNegativeInt,
  unpriced: Schema.NonNegativeInt,
})

/** `snapshot.json`: how a run stands, folded from its log. Keys of the records are work item ids, artifact names, issue ids. */
export const Snapshot = Schema.Struct({
  run_id: Schema.String,
  trace_id: Schema.NullOr(Schema.String),
  state: RunState,
  status: Schema.Literal("running", "success", "failure", "partial", "timeout", "cancelled"),
  started_at: Schema.NullOr(Schema.String),
  updated_at: Schema.NullOr(Schema.String),
  work_items: Schema.Record({ key: Schema.String, value: WorkItem }),
  artifacts: Schema.Record({ key: Schema.String, value: Artifact }),
  open_issues: Schema.Record({
    key: Schema.String,
    value: Schema.Struct({ kind: Schema.String, message: Schema.String }),
  }),
  calls: Calls,
  budget_alerts: Schema.Array(Schema.String),
  events: Schema.NonNegativeInt,
  /** The hash of the last line that was folded; null before the first. */
  log_head: Schema.NullOr(Sha256),
}).annotations({ identifier: "Snapshot" })
export type Snapshot = typeof Snapshot.Type

/** Before the first event. */
export const empty = (runId: string): Snapshot => ({
  run_id: runId,
  trace_id: null,
  state: "CREATED",
  status: "running",
  started_at: null,
  updated_at: null,
  work_items: {},
  artifacts: {},
  open_issues: {},
  calls: {
    started: 0,
    finished: 0,
    failed: 0,
    input_tokens: 0,
    output_tokens: 0,
    cost_nanousd: 0,
    simulated_cost_nanousd: 0,
    unpriced: 0,
  },
  budget_alerts: [],
  events: 0,
  log_head: null,
})

type CallEnd = Extract<ChainedEvent, { type: "LLM_CALL_FINISHED" | "LLM_CALL_FAILED" }>

const endedCall = (calls: Snapshot["calls"], event: CallEnd): Snapshot["calls"] => {
  const { cost_nanousd: nano, cost_status: status, token_usage: usage } = event.payload
  return {
    ...calls,
    finished: calls.finished + (event.type === "LLM_CALL_FINISHED" ? 1 : 0),
    failed: calls.failed + (event.type === "LLM_CALL_FAILED" ? 1 : 0),
    input_tokens: calls.input_tokens + (usage?.input_tokens ?? 0),
    output_tokens: calls.output_tokens + (usage?.output_tokens ?? 0),
    cost_nanousd: calls.cost_nanousd + (status === "priced" ? (nano ?? 0) : 0),
    simulated_cost_nanousd: calls.simulated_cost_nanousd + (status === "simulated" ? (nano ?? 0) : 0),
    unpriced: calls.unpriced + (usage !== undefined && (status ?? "unpriced") === "unpriced" ? 1 : 0),
  }
}

const failedAs = (errorClass: string): Snapshot["status"] => (errorClass === "Timeout" ? "timeout" : "failure")

const without = <A>(record: Readonly<Record<string, A>>, key: string): Readonly<Record<string, A>> =>
  Object.fromEntries(Object.entries(record).filter(([each]) => each !== key))

const workItem = (
  snapshot: Snapshot,
  item: { readonly work_item_id: string; readonly worker: string; readonly attempt: number },
  status: (typeof WorkItem.Type)["status"],
  error: string | null = null,
): Snapshot => ({
  ...snapshot,
  work_items: {
    ...snapshot.work_items,
    [item.work_item_id]: { worker: item.worker, attempt: item.attempt, status, error },
  },
})

const apply = (snapshot: Snapshot, event: ChainedEvent): Snapshot => {
  switch (event.type) {
    case "RUN_CREATED":
      return { ...snapshot, trace_id: event.trace_id, started_at: snapshot.started_at ?? event.ts, status: "running" }
    case "RUN_STATE_CHANGED": {
      const state = event.payload.new_state
      return { ...snapshot, state, status: state === "CREATED" ? "running" : snapshot.status }
    }
    case "RUN_COMPLETED":
      return { ...snapshot, status: event.payload.status ?? "success" }
    case "RUN_FAILED":
      return { ...snapshot, status: failedAs(event.payload.error_class) }
    case "RUN_CANCELLED":
      return { ...snapshot, status: "cancelled" }
    case "WORK_ITEM_QUEUED":
      return workItem(snapshot, event.payload, "queued")
    case "WORK_ITEM_STARTED":
      return workItem(snapshot, event.payload, "running")
    case "WORK_ITEM_FINISHED": {
      const { status, success, error } = event.payload
      return workItem(snapshot, event.payload, status ?? (success ? "success" : "failure"), error)
    }
    case "ARTIFACT_WRITTEN": {
      const { name, ...artifact } = event.payload
      return { ...snapshot, artifacts: { ...snapshot.artifacts, [name]: artifact } }
    }
    case "ISSUE_OPENED": {
      const { issue_id, kind, message } = event.payload
      return { ...snapshot, open_issues: { ...snapshot.open_issues, [issue_id]: { kind, message } } }
    }
    case "ISSUE_RESOLVED":
      return { ...snapshot, open_issues: without(snapshot.open_issues, event.payload.issue_id) }
    case "LLM_CALL_STARTED":
      return { ...snapshot, calls: { ...snapshot.calls, started: snapshot.calls.started + 1 } }
    case "LLM_CALL_FINISHED":
    case "LLM_CALL_FAILED":
      return { ...snapshot, calls: endedCall(snapshot.calls, event) }
    case "BUDGET_ALERT":
      return { ...snapshot, budget_alerts: [...snapshot.budget_alerts, event.payload.message] }
    case "TELEMETRY_GAP":
      return snapshot
  }
}

/** One more event. */
export const step = (snapshot: Snapshot, event: ChainedEvent): Snapshot => ({
  ...apply(snapshot, event),
  run_id: event.run_id,
  updated_at: event.ts,
  events: snapshot.events + 1,
  log_head: event.event_hash,
})

/** A run's log as a snapshot; folding it in stretches gives the same. */
export const fold = (events: Iterable<ChainedEvent>, from: Snapshot): Snapshot => Array.from(events).reduce(step, from)
