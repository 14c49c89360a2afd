import * as CanonicalJson from "./CanonicalJson.js"
import type { CostBreakdown } from "./Cost.js"
import type { Event, LlmCallFinished, LlmCallStarted } from "./Event.js"
import type { Attempt } from "./Llm.js"
import type { UsageWire } from "./Usage.js"

// Payloads that have exactly the members named here are written without sorting; all others go the general way. Both ways give
// the same text, which a property test holds them to.

const text = CanonicalJson.stringify

// What is mostly the same from call to call is written once.

const baseUrlText = CanonicalJson.remembering()
const finishText = CanonicalJson.remembering()
const maxTokensText = CanonicalJson.remembering()
const modelText = CanonicalJson.remembering()
const priceText = CanonicalJson.remembering()
const providerText = CanonicalJson.remembering()
const responseModelText = CanonicalJson.remembering()
const sinceText = CanonicalJson.remembering()
const sourceText = CanonicalJson.remembering()
const statusText = CanonicalJson.remembering()
const stopText = CanonicalJson.remembering()
const temperatureText = CanonicalJson.remembering()
const workerText = CanonicalJson.remembering()

const hasExactly = (record: object, members: number): boolean => {
  let count = 0
  for (const _key in record) count++
  return count === members
}

const usageText = (usage: UsageWire): string => {
  const { cache_read_tokens, cache_write_1h_tokens, cache_write_5m_tokens, reasoning_tokens } = usage
  const { input_tokens, output_tokens, total_tokens } = usage
  if (
    cache_read_tokens === undefined ||
    cache_write_1h_tokens === undefined ||
    cache_write_5m_tokens === undefined ||
    reasoning_tokens === undefined ||
    input_tokens === undefined ||
    output_tokens === undefined ||
    total_tokens === undefined ||
    !hasExactly(usage, 7)
  )
    return text(usage)
  return (
    `{"cache_read_tokens":${text(cache_read_tokens)},"cache_write_1h_tokens":${text(cache_write_1h_tokens)},` +
    `"cache_write_5m_tokens":${text(cache_write_5m_tokens)},"input_tokens":${text(input_tokens)},` +
    `"output_tokens":${text(output_tokens)},"reasoning_tokens":${text(reasoning_tokens)},"total_tokens":${text(total_tokens)}}`
  )
}

const breakdownText = (breakdown: CostBreakdown | null): string => {
  if (breakdown === null) return "null"
  const { cache_read, cache_write_1h, cache_write_5m, output, uncached_input } = breakdown
  if (
    cache_read === undefined ||
    cache_write_1h === undefined ||
    cache_write_5m === undefined ||
    output === undefined ||
    uncached_input === undefined ||
    !hasExactly(breakdown, 5)
  )
    return text(breakdown)
  return (
    `{"cache_read":${text(cache_read)},"cache_write_1h":${text(cache_write_1h)},"cache_write_5m":${text(cache_write_5m)},` +
    `"output":${text(output)},"uncached_input":${text(uncached_input)}}`
  )
}

const attemptText = (attempt: Attempt): string => {
  const { duration_ms, error_class, http_status, n, retry_after_ms, started_at } = attempt
  if (
    duration_ms === undefined ||
    error_class === undefined ||
    http_status === undefined ||
    n === undefined ||
    retry_after_ms === undefined ||
    started_at === undefined ||
    !hasExactly(attempt, 6)
  )
    return text(attempt)
  return (
    `{"duration_ms":${text(duration_ms)},"error_class":${text(error_class)},"http_status":${text(http_status)},` +
    `"n":${text(n)},"retry_after_ms":${text(retry_after_ms)},"started_at":${text(started_at)}}`
  )
}

const attemptsText = (attempts: ReadonlyArray<Attempt>): string => {
  const only = Array.isArray(attempts) && attempts.length === 1 ? attempts[0] : undefined
  return typeof only === "object" && only !== null ? `[${attemptText(only)}]` : text(attempts)
}

const startedText = (payload: LlmCallStarted): string => {
  const { agent_name, call_id, evidence_path, max_tokens, model } = payload
  const { prompt_hash, provider, provider_base_url, temperature, worker } = payload
  if (
    agent_name === undefined ||
    call_id === undefined ||
    evidence_path === undefined ||
    max_tokens === undefined ||
    model === undefined ||
    prompt_hash === undefined ||
    provider === undefined ||
    provider_base_url === undefined ||
    temperature === undefined ||
    !hasExactly(payload, worker === undefined ? 9 : 10)
  )
    return text(payload)
  return (
    `{"agent_name":${text(agent_name)},"call_id":${text(call_id)},"evidence_path":${text(evidence_path)},` +
    `"max_tokens":${maxTokensText(max_tokens)},"model":${modelText(model)},"prompt_hash":${text(prompt_hash)},` +
    `"provider":${providerText(provider)},"provider_base_url":${baseUrlText(provider_base_url)},"temperature":${temperatureText(temperature)}` +
    (worker === undefined ? "}" : `,"worker":${workerText(worker)}}`)
  )
}

const finishedText = (payload: LlmCallFinished): string => {
  const { api_cost_usd, attempts, call_id, cost_breakdown, cost_nanousd, cost_status } = payload
  const { finish_reason, latency_ms, output_hash, price_effective_from, price_id, request_id } = payload
  const { response_model, stop_reason, token_usage, tool_calls_count, usage_source } = payload
  if (
    api_cost_usd === undefined ||
    attempts === undefined ||
    call_id === undefined ||
    cost_breakdown === undefined ||
    cost_nanousd === undefined ||
    cost_status === undefined ||
    finish_reason === undefined ||
    latency_ms === undefined ||
    output_hash === undefined ||
    price_effective_from === undefined ||
    price_id === undefined ||
    request_id === undefined ||
    response_model === undefined ||
    stop_reason === undefined ||
    typeof token_usage !== "object" ||
    token_usage === null ||
    tool_calls_count === undefined ||
    usage_source === undefined ||
    !hasExactly(payload, 17)
  )
    return text(payload)
  return (
    `{"api_cost_usd":${text(api_cost_usd)},"attempts":${attemptsText(attempts)},"call_id":${text(call_id)},` +
    `"cost_breakdown":${breakdownText(cost_breakdown)},"cost_nanousd":${text(cost_nanousd)},"cost_status":${statusText(cost_status)},` +
    `"finish_reason":${finishText(finish_reason)},"latency_ms":${text(latency_ms)},"output_hash":${text(output_hash)},` +
    `"price_effective_from":${sinceText(price_effective_from)},"price_id":${priceText(price_id)},"request_id":${text(request_id)},` +
    `"response_model":${responseModelText(response_model)},"stop_reason":${stopText(stop_reason)},"token_usage":${usageText(token_usage)},` +
    `"tool_calls_count":${text(tool_calls_count)},"usage_source":${sourceText(usage_source)}}`
  )
}

/** The canonical JSON of an event's payload: what `CanonicalJson.stringify` gives, at half the price for a usual call. */
export const payloadText = (event: Event): string => {
  switch (event.type) {
    case "LLM_CALL_STARTED":
      return startedText(event.payload)
    case "LLM_CALL_FINISHED":
      return finishedText(event.payload)
    default:
      return text(event.payload)
  }
}
