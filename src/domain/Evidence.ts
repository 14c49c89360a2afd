import * as Schema from "effect/Schema"
import { Sha256, SpanId, TraceId } from "./Ids.js"
import { FinishReason, LlmErrorReason, LlmRequest, LlmResponse } from "./Llm.js"

/** How much of a call's content is kept: all with secrets removed, all as it was, only hashes, nothing. */
export const Capture = Schema.Literal("redacted", "full", "hash", "off")
export type Capture = typeof Capture.Type

/** One secret that was removed: where it stood (a JSON path) and what it looked like, never the secret. */
export const Redaction = Schema.Struct({ path: Schema.String, kind: Schema.String, count: Schema.Int })
export type Redaction = typeof Redaction.Type

/** A request or an answer in the shape of an SDK that this package does not know, as JSON. */
export const AsGiven = Schema.Struct({
  as_given: Schema.Unknown.pipe(
    Schema.filter((value) => value !== undefined || "as_given has the request or the answer as it was given"),
  ),
})
export type AsGiven = typeof AsGiven.Type

/** What a call asked and what it got. Under `hash` the request and the response are their sha256. */
export const Evidence = Schema.Struct({
  call_id: Schema.NonEmptyString,
  run_id: Schema.NonEmptyString,
  trace_id: TraceId,
  span_id: SpanId,
  event_id: Schema.NonEmptyString,
  prompt_hash: Sha256,
  model: Schema.String,
  provider: Schema.String,
  temperature: Schema.NullOr(Schema.Number),
  latency_ms: Schema.NonNegative,
  timestamp: Schema.String,
  status: Schema.Literal("success", "failure"),
  capture: Capture,
  request: Schema.Union(LlmRequest, AsGiven, Sha256),
  response: Schema.optional(Schema.Union(LlmResponse, AsGiven, Sha256)),
  error: Schema.optional(
    Schema.Struct({
      error_class: Schema.String,
      reason: Schema.NullOr(LlmErrorReason),
      message: Schema.String,
      status: Schema.NullOr(Schema.Int),
      retryable: Schema.Boolean,
    }),
  ),
  finish_reason: Schema.NullOr(FinishReason),
  redactions: Schema.Array(Redaction),
}).annotations({ identifier: "Evidence" })
export type Evidence = typeof Evidence.Type
