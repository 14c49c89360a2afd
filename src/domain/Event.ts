import * as Schema from "effect/Schema"
import { CostBreakdown, CostStatus } from "./Cost.js"
import { EventId, Sha256, SpanId, TraceId } from "./Ids.js"
import { Attempt, FinishReason } from "./Llm.js"
import { RunState } from "./RunState.js"
import { UsageSource, UsageWire } from "./Usage.js"

const nullable = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))
const object = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const durationMs = Schema.NonNegative

/** `RUN_CREATED`: the fields of the run's row. */
export const RunCreated = Schema.Struct({
  agent_name: Schema.NonEmptyString,
  job_type: Schema.NonEmptyString,
  parent_run_id: nullable(Schema.String),
  product: nullable(Schema.String),
  source_ref: nullable(Schema.String),
  target_ref: nullable(Schema.String),
  input_summary: nullable(Schema.String),
  git_repo: nullable(Schema.String),
  git_branch: nullable(Schema.String),
  git_commit_hash: nullable(Schema.String),
  git_commit_source: nullable(Schema.String),
  git_commit_author: nullable(Schema.String),
  git_commit_timestamp: nullable(Schema.String),
  host: nullable(Schema.String),
  environment: nullable(Schema.String),
  trigger_type: nullable(Schema.String),
  context_json: nullable(object),
})
export type RunCreated = typeof RunCreated.Type

/** Every closing event of a run. `lines_before` is set by the log itself: how many lines stand before this one. */
const closing = {
  duration_ms: Schema.optional(durationMs),
  lines_before: Schema.optional(Schema.NonNegativeInt),
  output_summary: nullable(Schema.String),
  items_discovered: Schema.optional(Schema.NonNegativeInt),
  items_succeeded: Schema.optional(Schema.NonNegativeInt),
  items_failed: Schema.optional(Schema.NonNegativeInt),
  items_skipped: Schema.optional(Schema.NonNegativeInt),
}

const workItem = {
  work_item_id: Schema.NonEmptyString,
  worker: Schema.NonEmptyString,
  attempt: Schema.Int.pipe(Schema.positive()),
}

const callEnd = {
  /**
   * Who answered, and at which address, where that is another than STARTED could say: the sandbox behind a provider's API,
   * evidence, or a fallback; of a failure, who was asked last.
   */
  provider: Schema.optional(Schema.String),
  provider_base_url: nullable(Schema.String),
  api_cost_usd: nullable(Schema.NonNegative),
  cost_nanousd: nullable(Schema.NonNegativeInt),
  cost_status: Schema.optional(CostStatus),
  cost_breakdown: nullable(CostBreakdown),
  /** What the model's price lacked for the call: a rate, or a multiplier. */
  unpriced_reason: Schema.optional(Schema.String),
  price_id: nullable(Schema.String),
  price_effective_from: nullable(Schema.String),
  usage_source: Schema.optional(UsageSource),
  /** How long providers were waited for in all attempts together: the latency without back-off and without the reader's own time. */
  model_latency_ms: Schema.optional(durationMs),
  /** Of a stream: from the call's start to its first piece of content. */
  time_to_first_token_ms: Schema.optional(durationMs),
}

/** `LLM_CALL_STARTED`. `prompt_hash`, `provider_base_url`, `temperature` and `max_tokens` are null when the caller's SDK does not tell. */
export const LlmCallStarted = Schema.Struct({
  call_id: Schema.NonEmptyString,
  model: Schema.NonEmptyString,
  provider_base_url: Schema.NullOr(Schema.String),
  prompt_hash: Schema.NullOr(Sha256),
  temperature: Schema.NullOr(Schema.Number),
  max_tokens: Schema.NullOr(Schema.Int.pipe(Schema.positive())),
  agent_name: Schema.optional(Schema.NonEmptyString),
  worker: Schema.optional(Schema.String),
  provider: Schema.optional(Schema.String),
  tool_schema_hash: Schema.optional(Sha256),
  response_format: Schema.optional(Schema.String),
  stream: Schema.optional(Schema.Boolean),
  evidence_path: nullable(Schema.String),
})
export type LlmCallStarted = typeof LlmCallStarted.Type

/** `LLM_CALL_FINISHED`. */
export const LlmCallFinished = Schema.Struct({
  call_id: Schema.NonEmptyString,
  latency_ms: durationMs,
  token_usage: UsageWire,
  finish_reason: FinishReason,
  output_hash: Sha256,
  ...callEnd,
  tool_calls_count: Schema.optional(Schema.NonNegativeInt),
  stop_reason: nullable(Schema.String),
  attempts: Schema.optional(Schema.Array(Attempt)),
  request_id: nullable(Schema.String),
  response_model: nullable(Schema.String),
})
export type LlmCallFinished = typeof LlmCallFinished.Type

/** Longest `error_summary` and `error_details`, in characters. */
export const ERROR_SUMMARY_LIMIT = 500
export const ERROR_DETAILS_LIMIT = 5000

/** `LLM_CALL_FAILED`. `error_class` is `Interrupted`, `Timeout`, `Defect` or the error's own reason. */
export const LlmCallFailed = Schema.Struct({
  call_id: Schema.NonEmptyString,
  latency_ms: durationMs,
  error_class: Schema.NonEmptyString,
  error_summary: Schema.String.pipe(Schema.maxLength(ERROR_SUMMARY_LIMIT)),
  retryable: Schema.Boolean,
  error_details: Schema.optional(Schema.String.pipe(Schema.maxLength(ERROR_DETAILS_LIMIT))),
  http_status: nullable(Schema.Int),
  token_usage: Schema.optional(UsageWire),
  ...callEnd,
  attempts: Schema.optional(Schema.Array(Attempt)),
  request_id: nullable(Schema.String),
  response_model: nullable(Schema.String),
})
export type LlmCallFailed = typeof LlmCallFailed.Type

const body = <Type extends string, A, I>(type: Type, payload: Schema.Schema<A, I>) =>
  Schema.Struct({ type: Schema.Literal(type), payload })

/** What happened, apart from when, where and in which run. */
export const EventBody = Schema.Union(
  body("RUN_CREATED", RunCreated),
  body("RUN_STATE_CHANGED", Schema.Struct({ old_state: RunState, new_state: RunState })),
  body(
    "RUN_COMPLETED",
    Schema.Struct({
      ...closing,
      status: Schema.optional(Schema.Literal("success", "partial")),
      /** Why it is `partial`. */
      error_summary: nullable(Schema.String),
    }),
  ),
  body(
    "RUN_FAILED",
    Schema.Struct({
      ...closing,
      error_class: Schema.String,
      error_summary: Schema.String,
      error_details: nullable(Schema.String),
    }),
  ),
  body("RUN_CANCELLED", Schema.Struct({ ...closing, reason: nullable(Schema.String) })),
  body("WORK_ITEM_QUEUED", Schema.Struct({ ...workItem })),
  body(
    "WORK_ITEM_STARTED",
    Schema.Struct({
      ...workItem,
      agent_name: Schema.optional(Schema.NonEmptyString),
      input_summary: nullable(Schema.String),
    }),
  ),
  body(
    "WORK_ITEM_FINISHED",
    Schema.Struct({
      ...workItem,
      success: Schema.Boolean,
      error: Schema.NullOr(Schema.String),
      /** `ProcessDied` when the process ended before the worker did; otherwise absent. */
      error_class: Schema.optional(Schema.NonEmptyString),
      status: Schema.optional(Schema.Literal("success", "failure", "partial", "timeout", "cancelled")),
      duration_ms: Schema.optional(durationMs),
      output_summary: nullable(Schema.String),
      items_discovered: Schema.optional(Schema.NonNegativeInt),
      items_succeeded: Schema.optional(Schema.NonNegativeInt),
      items_failed: Schema.optional(Schema.NonNegativeInt),
      items_skipped: Schema.optional(Schema.NonNegativeInt),
    }),
  ),
  body(
    "ARTIFACT_WRITTEN",
    Schema.Struct({
      name: Schema.NonEmptyString,
      path: Schema.NonEmptyString,
      sha256: Sha256,
      schema_id: Schema.NullOr(Schema.String),
      writer_worker: Schema.String,
    }),
  ),
  body(
    "ISSUE_OPENED",
    Schema.Struct({
      issue_id: Schema.NonEmptyString,
      kind: Schema.String,
      message: Schema.String,
      worker: nullable(Schema.String),
    }),
  ),
  body("ISSUE_RESOLVED", Schema.Struct({ issue_id: Schema.NonEmptyString, message: nullable(Schema.String) })),
  body("LLM_CALL_STARTED", LlmCallStarted),
  body("LLM_CALL_FINISHED", LlmCallFinished),
  body("LLM_CALL_FAILED", LlmCallFailed),
  body(
    "BUDGET_ALERT",
    Schema.Struct({
      scope: Schema.String,
      /** Over what the limit holds (`launch`, `day`, `month`, `worker`, `model`), and which of them, in words. */
      budget: Schema.optional(Schema.String),
      window: Schema.optional(Schema.String),
      threshold_percent: Schema.NonNegative,
      spent_nanousd: Schema.NonNegativeInt,
      limit_nanousd: Schema.NonNegativeInt,
      message: Schema.String,
    }),
  ),
  body("TELEMETRY_GAP", Schema.Struct({ dropped: Schema.NonNegativeInt, reason: Schema.String })),
)
export type EventBody = typeof EventBody.Type
export type EventType = EventBody["type"]

/** Where in a trace something happened. */
export const SpanContext = Schema.Struct({
  trace_id: TraceId,
  span_id: SpanId,
  parent_span_id: Schema.optional(SpanId),
})
export type SpanContext = typeof SpanContext.Type

const Envelope = Schema.Struct({
  event_id: EventId,
  /** The launch's. */
  run_id: Schema.NonEmptyString,
  ts: Schema.String,
  ...SpanContext.fields,
})

/** One thing that happened, not yet part of a log's chain. */
export const Event = Schema.extend(Envelope, EventBody).annotations({ identifier: "Event" })
export type Event = typeof Envelope.Type & EventBody

const Chain = Schema.Struct({ prev_hash: Sha256, event_hash: Sha256 })

/** One line of `events.ndjson`. */
export const ChainedEvent = Schema.extend(Schema.extend(Envelope, Chain), EventBody).annotations({
  identifier: "ChainedEvent",
  title: "Runledger event",
  description:
    "One line of events.ndjson. event_hash is the sha256 of the canonical JSON of the record without event_hash.",
})
export type ChainedEvent = Event & typeof Chain.Type

/** The events that end a run; the log writes into them how many lines stand before. */
export const isClosing = (type: EventType): boolean =>
  type === "RUN_COMPLETED" || type === "RUN_FAILED" || type === "RUN_CANCELLED"
