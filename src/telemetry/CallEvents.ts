import * as Option from "effect/Option"
import type { PriceBookService } from "../../services/PriceBook.js"
import * as Cost from "../domain/Cost.js"
import type { Failure } from "../domain/ErrorText.js"
import type { EventBody, SpanContext } from "../domain/Event.js"
import type { Capture, Evidence } from "../domain/Evidence.js"
import { LlmError } from "../domain/Llm.js"
import { finishReason } from "../domain/StopWord.js"
import * as Timestamp from "../domain/Timestamp.js"
import * as Usage from "../domain/Usage.js"
import * as CallCost from "./CallCost.js"
import { type Given, type Reading, UNSEEN } from "./CallReading.js"
import { costFields, reasonOf } from "./LlmCallEvents.js"

/** A call by some other SDK, between its start and its end. */
export interface SomeCall {
  readonly provider: string
  readonly model: string
  readonly callId: string
  readonly agentName: string | undefined
  readonly worker: string | undefined
  readonly baseUrl: string | null
  readonly stream: boolean
  /** None when the caller does not show it, or shows what is no JSON. */
  readonly request: Option.Option<Given>
  readonly runId: string
  readonly eventId: string
  readonly span: SpanContext
  /** Null when nothing is kept. */
  readonly evidencePath: string | null
}

/** How it ended. Latency is monotonic milliseconds; times are epoch milliseconds. */
export type SomeEnd = { readonly latencyMs: number; readonly atMillis: number } & (
  | { readonly _tag: "Finished"; readonly reading: Reading; readonly cost: Cost.Cost }
  | {
      readonly _tag: "Failed"
      readonly failure: Failure
      readonly error: unknown
      /** What the error says was used all the same; absent when it says nothing. */
      readonly used: CallCost.Used | undefined
    }
)

const promptHash = ({ request }: SomeCall): string | null =>
  Option.match(request, { onNone: () => null, onSome: ({ sha256 }) => sha256 })

/** The opening event. What the caller's SDK does not tell is null. */
export const started = (call: SomeCall): EventBody => ({
  type: "LLM_CALL_STARTED",
  payload: {
    agent_name: call.agentName || `launch.llm.${call.callId}`,
    call_id: call.callId,
    evidence_path: call.evidencePath,
    max_tokens: null,
    model: call.model || "unknown",
    prompt_hash: promptHash(call),
    provider: call.provider,
    provider_base_url: call.baseUrl,
    temperature: null,
    ...(call.stream ? { stream: true } : {}),
    ...(call.worker === undefined ? {} : { worker: call.worker }),
  },
})

/** What an answer cost. A usage that makes no sense is unpriced. */
export const costOf = (
  call: SomeCall,
  reading: Pick<Reading, "usage" | "source" | "responseModel">,
  atMillis: number,
  prices: PriceBookService,
): Cost.Cost => {
  const { provider, model } = call
  try {
    return CallCost.costOf({ provider, model, atMillis }, reading.usage, reading.source, reading.responseModel, prices)
  } catch {
    return Cost.unpriced
  }
}

const answeredBy = (call: SomeCall, end: SomeEnd): string =>
  end._tag === "Finished" && end.reading.source !== "provider" ? end.reading.source : call.provider

const finished = (call: SomeCall, end: Extract<SomeEnd, { _tag: "Finished" }>): EventBody => {
  const { cost, latencyMs, reading } = end
  const provider = answeredBy(call, end)
  return {
    type: "LLM_CALL_FINISHED",
    payload: {
      api_cost_usd: cost.nanoUsd === null ? null : Cost.toUsd(cost.nanoUsd),
      call_id: call.callId,
      cost_breakdown: cost.breakdown,
      cost_nanousd: cost.nanoUsd,
      cost_status: cost.status,
      finish_reason: finishReason(reading.stopReason),
      latency_ms: latencyMs,
      output_hash: Option.match(reading.output, { onNone: () => UNSEEN, onSome: ({ sha256 }) => sha256 }),
      price_effective_from: cost.effectiveFrom,
      price_id: cost.priceId,
      request_id: reading.requestId,
      response_model: reading.responseModel,
      stop_reason: reading.stopReason,
      token_usage: Usage.toWire(reading.usage),
      usage_source: reading.usage.source,
      ...reasonOf(cost),
      ...(provider === call.provider ? {} : { provider }),
    },
  }
}

const memberOf = (error: unknown, name: string): unknown =>
  typeof error === "object" && error !== null ? Reflect.get(error, name) : undefined

/** The HTTP status in an error, by the names that SDKs give it. */
const statusOf = (error: unknown): number | null => {
  const status = memberOf(error, "status") ?? memberOf(error, "statusCode")
  return typeof status === "number" && Number.isInteger(status) && status >= 100 && status < 600 ? status : null
}

const isRetryable = (error: unknown): boolean =>
  error instanceof LlmError ? error.retryable : memberOf(error, "isRetryable") === true

/** What is asked of an error that may be anything, its getters too. */
const heard = <B>(say: () => B, fallback: B): B => {
  try {
    return say()
  } catch {
    return fallback
  }
}

const failed = (call: SomeCall, end: Extract<SomeEnd, { _tag: "Failed" }>): EventBody => {
  const { error, failure, latencyMs, used } = end
  const status = heard(() => statusOf(error), null)
  return {
    type: "LLM_CALL_FAILED",
    payload: {
      call_id: call.callId,
      latency_ms: latencyMs,
      error_class: failure.errorClass,
      error_summary: failure.summary,
      retryable: heard(() => isRetryable(error), false),
      ...(failure.details === undefined ? {} : { error_details: failure.details }),
      ...(status === null ? {} : { http_status: status }),
      ...(used === undefined ? {} : { token_usage: Usage.toWire(used.usage), ...costFields(used.cost, used.usage) }),
    },
  }
}

/** The closing event. */
export const ended = (call: SomeCall, end: SomeEnd): EventBody =>
  end._tag === "Finished" ? finished(call, end) : failed(call, end)

/** What is kept of the call, in the shape in which its SDK has it. */
export const evidence = (call: SomeCall, request: Given, end: SomeEnd, capture: Capture): Evidence => {
  const common = {
    call_id: call.callId,
    run_id: call.runId,
    ...{ trace_id: call.span.trace_id, span_id: call.span.span_id },
    event_id: call.eventId,
    prompt_hash: request.sha256,
    model: call.model,
    provider: answeredBy(call, end),
    temperature: null,
    latency_ms: end.latencyMs,
    timestamp: Timestamp.fromMillis(end.atMillis),
    capture,
    request: { as_given: request.value },
    redactions: [],
  }
  if (end._tag === "Failed") {
    const { error, failure } = end
    return {
      ...common,
      status: "failure",
      finish_reason: null,
      error: {
        error_class: failure.errorClass,
        reason: null,
        message: failure.summary,
        status: heard(() => statusOf(error), null),
        retryable: heard(() => isRetryable(error), false),
      },
    }
  }
  const { output, stopReason } = end.reading
  return {
    ...common,
    status: "success",
    finish_reason: finishReason(stopReason),
    ...Option.match(output, { onNone: () => ({}), onSome: ({ value }) => ({ response: { as_given: value } }) }),
  }
}
