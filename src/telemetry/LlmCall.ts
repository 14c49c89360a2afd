import type * as Cause from "effect/Cause"
import * as Causes from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { PriceBookService } from "../../services/PriceBook.js"
import * as CanonicalJson from "../domain/CanonicalJson.js"
import * as Cost from "../domain/Cost.js"
import * as ErrorText from "../domain/ErrorText.js"
import type { EventBody, LlmCallFailed, LlmCallFinished, LlmCallStarted, SpanContext } from "../domain/Event.js"
import type { Capture, Evidence } from "../domain/Evidence.js"
import { type AnswerSource, LlmError, type LlmRequest, type LlmResponse, outputHash, toolCalls } from "../domain/Llm.js"
import { withoutDate } from "../domain/PriceTable.js"
import * as Timestamp from "../domain/Timestamp.js"
import * as Usage from "../domain/Usage.js"
import type { CallOptions } from "./LlmSpan.js"

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
  /** The caller's. */
  readonly clock: Clock.Clock
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

const latencyMs = (call: LlmCall): number =>
  Math.max(0, Math.round(Number(call.clock.unsafeCurrentTimeNanos() - call.startedAt) / 1e3) / 1e3)

let compared: { readonly left: string; readonly right: string; readonly same: boolean } | undefined

/** Whether two names differ by a date at most; most calls ask what the one before has asked. */
const isSameModel = (left: string, right: string): boolean => {
  if (left === right) return true
  if (compared?.left === left && compared.right === right) return compared.same
  const same = withoutDate(left) === withoutDate(right)
  compared = { left, right, same }
  return same
}

/** The price of the model that answered; of the one that was asked only where both are the same but for a date. */
const priceOf = (call: LlmCall, model: string | null, prices: PriceBookService): Option.Option<Cost.Price> => {
  const at = call.clock.unsafeCurrentTimeMillis()
  const { model: requested } = call.request
  if (model !== null && !isSameModel(model, requested)) {
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
  cost_breakdown: cost.breakdown,
  cost_nanousd: cost.nanoUsd,
  cost_status: cost.status,
  price_effective_from: cost.effectiveFrom,
  price_id: cost.priceId,
  usage_source: usage.source,
})

// The payloads of the two events that every call has are built in the order of their canonical JSON, so that nothing is left
// to sort; what is rare comes last, since members after a spread cost microseconds.

const rareOf = ({ request: { responseFormat, tools }, options: { worker } }: LlmCall): Partial<LlmCallStarted> => ({
  ...(responseFormat === undefined ? {} : { response_format: responseFormat.name }),
  ...(tools === undefined || tools.length === 0 ? {} : { tool_schema_hash: CanonicalJson.hash(tools) }),
  ...(worker === undefined ? {} : { worker }),
})

const isPlain = ({ request: { responseFormat, tools }, options: { worker } }: LlmCall): boolean =>
  responseFormat === undefined && (tools === undefined || tools.length === 0) && worker === undefined

/** The opening event. */
export const started = (call: LlmCall): EventBody => {
  const { request, options } = call
  const { temperature, maxTokens } = request
  const payload: LlmCallStarted = {
    agent_name: options.agentName || `launch.llm.${call.callId}`,
    call_id: call.callId,
    evidence_path: call.evidencePath,
    max_tokens: Number.isSafeInteger(maxTokens) && maxTokens > 0 ? maxTokens : null,
    model: request.model || "unknown",
    prompt_hash: call.promptHash,
    provider: call.provider,
    provider_base_url: call.baseUrl,
    temperature: Number.isFinite(temperature) ? temperature : null,
  }
  return { type: "LLM_CALL_STARTED", payload: isPlain(call) ? payload : { ...payload, ...rareOf(call) } }
}

const answered = (call: LlmCall, { response, latencyMs, cost }: Answer): LlmCallFinished => ({
  api_cost_usd: cost.nanoUsd === null ? null : Cost.toUsd(cost.nanoUsd),
  attempts: response.attempts,
  call_id: call.callId,
  cost_breakdown: cost.breakdown,
  cost_nanousd: cost.nanoUsd,
  cost_status: cost.status,
  finish_reason: response.finishReason,
  latency_ms: latencyMs,
  output_hash: outputHash(response.content),
  price_effective_from: cost.effectiveFrom,
  price_id: cost.priceId,
  request_id: response.requestId,
  response_model: response.model,
  stop_reason: response.stopReason,
  token_usage: Usage.toWire(response.usage),
  tool_calls_count: toolCalls(response).length,
  usage_source: response.usage.source,
})

const finished = (call: LlmCall, answer: Answer): LlmCallFinished => {
  const payload = answered(call, answer)
  const { provider } = answeredBy(call, answer.response.source)
  return provider === undefined ? payload : { ...payload, provider }
}

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
    timestamp: Timestamp.fromMillis(call.clock.unsafeCurrentTimeMillis()),
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
