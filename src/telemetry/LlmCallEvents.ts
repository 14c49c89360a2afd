import * as CanonicalJson from "../domain/CanonicalJson.js"
import * as Cost from "../domain/Cost.js"
import type { EventBody, LlmCallFailed, LlmCallFinished, LlmCallStarted } from "../domain/Event.js"
import type { Capture, Evidence } from "../domain/Evidence.js"
import { type Attempt, type LlmError, type LlmResponse, outputHash, toolCalls } from "../domain/Llm.js"
import * as Timestamp from "../domain/Timestamp.js"
import * as Usage from "../domain/Usage.js"
import { type Answer, type End, type LlmCall, modelLatencyMs } from "./LlmCall.js"

interface Whose {
  readonly provider?: string
  readonly provider_base_url?: string | null
}

const AS_ASKED: Whose = {}

/** Who answered, and where, when that is another than the call names: the sandbox, evidence, or a fallback. */
const answeredBy = (call: LlmCall, answer: Pick<LlmResponse, "baseUrl" | "provider" | "source"> | undefined): Whose => {
  if (answer === undefined) return AS_ASKED
  const { baseUrl, source } = answer
  const who = source === "provider" ? answer.provider : source
  const isOther = who !== undefined && who !== call.provider
  const isElsewhere = baseUrl !== undefined && baseUrl !== call.baseUrl
  if (!isOther && !isElsewhere) return AS_ASKED
  return { ...(isOther ? { provider: who } : {}), ...(isElsewhere ? { provider_base_url: baseUrl } : {}) }
}

const firstToken = ({ startedAt, stream }: LlmCall): { readonly time_to_first_token_ms?: number } =>
  stream?.firstTokenAt === undefined
    ? {}
    : { time_to_first_token_ms: Math.max(0, Math.round(Number(stream.firstTokenAt - startedAt) / 1e3) / 1e3) }

/** Why a call is unpriced, where its cost says so. */
export const reasonOf = ({ reason }: Cost.Cost): { readonly unpriced_reason?: string } =>
  reason === undefined ? {} : { unpriced_reason: reason }

/** What a usage cost, as an event tells it. */
export const costFields = (cost: Cost.Cost, usage: Usage.Usage) => ({
  ...reasonOf(cost),
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

const rareOf = ({
  request: { responseFormat, tools },
  options: { worker },
  stream,
}: LlmCall): Partial<LlmCallStarted> => ({
  ...(stream === undefined ? {} : { stream: true }),
  ...(responseFormat === undefined ? {} : { response_format: responseFormat.name }),
  ...(tools === undefined || tools.length === 0 ? {} : { tool_schema_hash: CanonicalJson.hash(tools) }),
  ...(worker === undefined ? {} : { worker }),
})

const isPlain = ({ request: { responseFormat, tools }, options: { worker }, stream }: LlmCall): boolean =>
  stream === undefined &&
  responseFormat === undefined &&
  (tools === undefined || tools.length === 0) &&
  worker === undefined

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

const answered = (
  call: LlmCall,
  { attempts, response, latencyMs, modelLatencyMs, cost, usage }: Answer,
): LlmCallFinished => ({
  api_cost_usd: cost.nanoUsd === null ? null : Cost.toUsd(cost.nanoUsd),
  attempts,
  call_id: call.callId,
  cost_breakdown: cost.breakdown,
  cost_nanousd: cost.nanoUsd,
  cost_status: cost.status,
  finish_reason: response.finishReason,
  latency_ms: latencyMs,
  model_latency_ms: modelLatencyMs,
  output_hash: outputHash(response.content),
  price_effective_from: cost.effectiveFrom,
  price_id: cost.priceId,
  request_id: response.requestId,
  response_model: response.model,
  stop_reason: response.stopReason,
  token_usage: Usage.toWire(usage),
  tool_calls_count: toolCalls(response).length,
  usage_source: usage.source,
})

const finished = (call: LlmCall, answer: Answer): LlmCallFinished => {
  const payload = answered(call, answer)
  const whose = answeredBy(call, answer.response)
  const { cost } = answer
  if (whose === AS_ASKED && call.stream === undefined && cost.reason === undefined) return payload
  return { ...payload, ...firstToken(call), ...reasonOf(cost), ...whose }
}

const modelLatency = (attempts: ReadonlyArray<Attempt>): { readonly model_latency_ms?: number } => {
  const model_latency_ms = modelLatencyMs(attempts)
  return model_latency_ms === undefined ? {} : { model_latency_ms }
}

const requestOf = (error: LlmError | undefined, partial: LlmResponse | undefined) => {
  if (error !== undefined) return { http_status: error.status, request_id: error.requestId }
  if (partial === undefined) return {}
  return { request_id: partial.requestId, ...(partial.model === null ? {} : { response_model: partial.model }) }
}

/** Whose the failure is: of the client's own error, of what had come of a stream, or of an answer that was cut off after it. */
const lastAsked = (call: LlmCall, error: LlmError | undefined, partial: LlmResponse | undefined): Whose =>
  answeredBy(call, error ?? partial ?? call.answer?.response)

const failed = (
  call: LlmCall,
  { failure, error, used, latencyMs, attempts, partial }: Extract<End, { _tag: "Failed" }>,
): LlmCallFailed => ({
  call_id: call.callId,
  latency_ms: latencyMs,
  error_class: failure.errorClass,
  error_summary: failure.summary,
  ...(failure.details === undefined ? {} : { error_details: failure.details }),
  retryable: error?.retryable ?? false,
  ...requestOf(error, partial),
  ...(attempts === undefined ? {} : { attempts, ...modelLatency(attempts) }),
  ...firstToken(call),
  ...lastAsked(call, error, partial),
  ...(used === undefined ? {} : { token_usage: Usage.toWire(used.usage), ...costFields(used.cost, used.usage) }),
})

/** The closing event. */
export const ended = (call: LlmCall, end: End): EventBody =>
  end._tag === "Finished"
    ? { type: "LLM_CALL_FINISHED", payload: finished(call, end.answer) }
    : { type: "LLM_CALL_FAILED", payload: failed(call, end) }

const whoseOf = (call: LlmCall, end: End): Whose =>
  end._tag === "Failed" ? lastAsked(call, end.error, end.partial) : answeredBy(call, end.answer.response)

/** What is kept of the call. */
export const evidence = (call: LlmCall, end: End, capture: Capture): Evidence => {
  const common = {
    call_id: call.callId,
    run_id: call.runId,
    ...{ trace_id: call.span.trace_id, span_id: call.span.span_id },
    event_id: call.eventId,
    prompt_hash: call.promptHash,
    model: call.request.model,
    provider: whoseOf(call, end).provider ?? call.provider,
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
  const { failure, error, latencyMs, partial } = end
  return {
    ...common,
    latency_ms: latencyMs,
    status: "failure",
    ...(partial === undefined ? {} : { response: partial }),
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
