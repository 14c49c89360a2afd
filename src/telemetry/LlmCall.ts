import type * as Cause from "effect/Cause"
import * as Causes from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import type { PriceBookService } from "../../services/PriceBook.js"
import * as CanonicalJson from "../domain/CanonicalJson.js"
import * as Cost from "../domain/Cost.js"
import * as ErrorText from "../domain/ErrorText.js"
import type { EventBody, LlmCallFailed, LlmCallFinished, SpanContext } from "../domain/Event.js"
import type { Capture, Evidence } from "../domain/Evidence.js"
import { type AnswerSource, LlmError, type LlmRequest, type LlmResponse, toolCalls } from "../domain/Llm.js"
import { withoutDate } from "../domain/PriceTable.js"
import * as Timestamp from "../domain/Timestamp.js"
import * as Usage from "../domain/Usage.js"
import type { CallOptions } from "./LlmSpan.js"

/** The fiber's clock, and the span that it stands in. */
export interface CallClock {
  readonly parent: Tracer.AnySpan | undefined
  readonly nowMillis: () => number
  /** Monotonic. */
  readonly nowNanos: () => bigint
}

/** An answer with what was measured of it. */
export interface Answer {
  readonly response: LlmResponse
  readonly latencyMs: number
  readonly cost: Cost.Cost
}

/** A call between its start and its end. */
export interface LlmCall {
  readonly callId: string
  readonly promptHash: string
  readonly request: LlmRequest
  readonly options: CallOptions
  readonly runId: string
  /** Of its STARTED event, and so of its row. */
  readonly eventId: string
  readonly span: SpanContext
  readonly provider: string
  readonly baseUrl: string | null
  readonly evidencePath: string | null
  readonly clock: CallClock
  readonly startedAt: bigint
  /** Set when the client has answered, whatever comes after. */
  answer: Answer | undefined
}

export type AnyExit = Exit.Exit<unknown, unknown>

/** How a call ended. */
export type End =
  | { readonly _tag: "Finished"; readonly answer: Answer }
  | {
      readonly _tag: "Failed"
      readonly failure: ErrorText.Failure
      /** The client's own error, when that is what ended the call. */
      readonly error: LlmError | undefined
      readonly latencyMs: number
      /** What was used for sure, and what it cost; absent when nobody knows. */
      readonly used: { readonly usage: Usage.Usage; readonly cost: Cost.Cost } | undefined
    }

/** A call that starts now. */
export const make = (call: Omit<LlmCall, "startedAt" | "answer">): LlmCall => ({
  ...call,
  startedAt: call.clock.nowNanos(),
  answer: undefined,
})

/** The clock and parent span of the current fiber, without a look-up by effect for each. */
export const clock: Effect.Effect<CallClock> = Effect.withFiberRuntime((fiber) => {
  const service = Context.get(fiber.currentDefaultServices, Clock.Clock)
  return Effect.succeed({
    parent: fiber.currentSpan,
    nowMillis: () => service.unsafeCurrentTimeMillis(),
    nowNanos: () => service.unsafeCurrentTimeNanos(),
  })
})

const latencyMs = (call: LlmCall): number =>
  Math.max(0, Math.round(Number(call.clock.nowNanos() - call.startedAt) / 1e3) / 1e3)

/** The price of the model that answered; of the one that was asked only where both are the same but for a date. */
const priceOf = (call: LlmCall, model: string | null, prices: PriceBookService): Option.Option<Cost.Price> => {
  const at = call.clock.nowMillis()
  const { model: requested } = call.request
  if (model !== null && withoutDate(model) !== withoutDate(requested)) {
    return prices.unsafePriceOf(call.provider, model, at)
  }
  return Option.orElse(prices.unsafePriceOf(call.provider, model ?? requested, at), () =>
    prices.unsafePriceOf(call.provider, requested, at),
  )
}

const costOf = (
  call: LlmCall,
  usage: Usage.Usage,
  source: AnswerSource,
  model: string | null,
  prices: PriceBookService,
): Cost.Cost => {
  if (source === "replay") return Cost.replayed
  const noRate = source === "sandbox" ? Cost.simulatedUnpriced : Cost.unpriced
  if (usage.source === "none") return noRate
  return Option.match(priceOf(call, model, prices), {
    onNone: () => noRate,
    onSome: (price) => Cost.price(usage, price, source === "sandbox" ? "simulated" : "priced"),
  })
}

/** Latency and cost of an answer. Never throws: an answer whose usage makes no sense is unpriced. */
export const measure = (call: LlmCall, response: LlmResponse, prices: PriceBookService): Answer => {
  const latency = latencyMs(call)
  try {
    return { response, latencyMs: latency, cost: costOf(call, response.usage, response.source, response.model, prices) }
  } catch {
    return { response, latencyMs: latency, cost: Cost.unpriced }
  }
}

const usedBy = (call: LlmCall, error: LlmError | undefined, prices: PriceBookService) => {
  if (call.answer !== undefined) return { usage: call.answer.response.usage, cost: call.answer.cost }
  if (error === undefined || error.usage.source === "none") return undefined
  return { usage: error.usage, cost: costOf(call, error.usage, error.source, null, prices) }
}

const errorOf = (cause: Cause.Cause<unknown>): LlmError | undefined =>
  Option.getOrUndefined(Option.filter(Causes.failureOption(cause), (error) => error instanceof LlmError))

/** Reads off the exit how the call ended. */
export const end = (call: LlmCall, exit: AnyExit, prices: PriceBookService): End => {
  if (Exit.isSuccess(exit) && call.answer !== undefined) return { _tag: "Finished", answer: call.answer }
  const cause = Exit.isSuccess(exit) ? Causes.empty : exit.cause
  const error = errorOf(cause)
  return {
    _tag: "Failed",
    failure: ErrorText.ofCause(cause),
    error,
    latencyMs: latencyMs(call),
    used: usedBy(call, error, prices),
  }
}

const answeredBy = (call: LlmCall, source: AnswerSource | undefined): { readonly provider?: string } =>
  source === undefined || source === "provider" || source === call.provider ? {} : { provider: source }

const costFields = (cost: Cost.Cost, usage: Usage.Usage) => ({
  api_cost_usd: cost.nanoUsd === null ? null : Cost.toUsd(cost.nanoUsd),
  cost_nanousd: cost.nanoUsd,
  cost_status: cost.status,
  cost_breakdown: cost.breakdown,
  price_id: cost.priceId,
  price_effective_from: cost.effectiveFrom,
  usage_source: usage.source,
})

/** The opening event. */
export const started = ({ request, options, ...call }: LlmCall): EventBody => ({
  type: "LLM_CALL_STARTED",
  payload: {
    call_id: call.callId,
    model: request.model || "unknown",
    provider: call.provider,
    provider_base_url: call.baseUrl,
    prompt_hash: call.promptHash,
    temperature: Number.isFinite(request.temperature) ? request.temperature : null,
    max_tokens: Number.isSafeInteger(request.maxTokens) && request.maxTokens > 0 ? request.maxTokens : null,
    agent_name: options.agentName || `launch.llm.${call.callId}`,
    evidence_path: call.evidencePath,
    ...(options.worker === undefined ? {} : { worker: options.worker }),
    ...(request.responseFormat === undefined ? {} : { response_format: request.responseFormat.name }),
    ...(request.tools === undefined || request.tools.length === 0
      ? {}
      : { tool_schema_hash: CanonicalJson.hash(request.tools) }),
  },
})

const finished = (call: LlmCall, { response, latencyMs, cost }: Answer): LlmCallFinished => ({
  call_id: call.callId,
  latency_ms: latencyMs,
  token_usage: Usage.toWire(response.usage),
  finish_reason: response.finishReason,
  output_hash: CanonicalJson.hash(response.content),
  ...costFields(cost, response.usage),
  ...answeredBy(call, response.source),
  tool_calls_count: toolCalls(response).length,
  stop_reason: response.stopReason,
  attempts: response.attempts,
  request_id: response.requestId,
  response_model: response.model,
})

const failed = (
  call: LlmCall,
  { failure, error, used, latencyMs }: Extract<End, { _tag: "Failed" }>,
): LlmCallFailed => ({
  call_id: call.callId,
  latency_ms: latencyMs,
  error_class: failure.errorClass,
  error_summary: failure.summary,
  ...(failure.details === undefined ? {} : { error_details: failure.details }),
  retryable: error?.retryable ?? false,
  ...(error === undefined ? {} : { http_status: error.status, request_id: error.requestId, attempts: error.attempts }),
  ...answeredBy(call, error?.source ?? call.answer?.response.source),
  ...(used === undefined ? {} : { token_usage: Usage.toWire(used.usage), ...costFields(used.cost, used.usage) }),
})

/** The closing event. */
export const ended = (call: LlmCall, end: End): EventBody =>
  end._tag === "Finished"
    ? { type: "LLM_CALL_FINISHED", payload: finished(call, end.answer) }
    : { type: "LLM_CALL_FAILED", payload: failed(call, end) }

/** What is kept of the call. */
export const evidence = (call: LlmCall, end: End, capture: Capture): Evidence => {
  const source = end._tag === "Finished" ? end.answer.response.source : end.error?.source
  const common = {
    call_id: call.callId,
    run_id: call.runId,
    ...{ trace_id: call.span.trace_id, span_id: call.span.span_id },
    event_id: call.eventId,
    prompt_hash: call.promptHash,
    model: call.request.model,
    provider: answeredBy(call, source).provider ?? call.provider,
    temperature: call.request.temperature,
    timestamp: Timestamp.fromMillis(call.clock.nowMillis()),
    capture,
    request: call.request,
    redactions: [],
  }
  if (end._tag === "Finished") {
    const { response, latencyMs } = end.answer
    return { ...common, latency_ms: latencyMs, status: "success", response, finish_reason: response.finishReason }
  }
  const { failure, error, latencyMs } = end
  return {
    ...common,
    latency_ms: latencyMs,
    status: "failure",
    finish_reason: null,
    error: {
      error_class: failure.errorClass,
      reason: error?.reason ?? null,
      message: failure.summary,
      status: error?.status ?? null,
      retryable: error?.retryable ?? false,
    },
  }
}
