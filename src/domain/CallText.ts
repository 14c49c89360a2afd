import * as CanonicalJson from "./CanonicalJson.js"
import type { CostBreakdown } from "./Cost.js"
import type { Event, LlmCallFinished, LlmCallStarted } from "./Event.js"
import type { Attempt } from "./Llm.js"
import type { UsageWire } from "./Usage.js"

// Payloads that have exactly the members named here are written without sorting; all others go the general way. Both ways give
// the same text, which a property test holds them to.

const { inQuotes, remembering, rememberingStretch } = CanonicalJson

const text = CanonicalJson.stringify

// What is mostly the same from call to call is written once, together with the names around it: the fewer pieces a line has,
// the cheaper it is.

const workerText = remembering()
const attemptEnd = rememberingStretch((error, status, n) => `,"error_class":${error},"http_status":${status},"n":${n},`)
const cacheCosts = rememberingStretch(
  (read, hour, minutes) => `{"cache_read":${read},"cache_write_1h":${hour},"cache_write_5m":${minutes},"output":`,
)
const cacheTokens = rememberingStretch(
  (read, hour, minutes) =>
    `{"cache_read_tokens":${read},"cache_write_1h_tokens":${hour},"cache_write_5m_tokens":${minutes},"input_tokens":`,
)
const limitAndModel = rememberingStretch((limit, model) => `,"max_tokens":${limit},"model":${model},"prompt_hash":"`)
const providerAndHeat = rememberingStretch(
  (provider, baseUrl, heat) => `","provider":${provider},"provider_base_url":${baseUrl},"temperature":${heat}`,
)
const statusAndFinish = rememberingStretch(
  (status, finish) => `,"cost_status":${status},"finish_reason":${finish},"latency_ms":`,
)
const priceOf = rememberingStretch(
  (since, price) => `","price_effective_from":${since},"price_id":${price},"request_id":`,
)
const modelAndStop = rememberingStretch(
  (model, stop) => `,"response_model":${model},"stop_reason":${stop},"token_usage":`,
)
const toolsAndSource = rememberingStretch((tools, source) => `,"tool_calls_count":${tools},"usage_source":${source}}`)

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
    cacheTokens(cache_read_tokens, cache_write_1h_tokens, cache_write_5m_tokens) +
    `${text(input_tokens)},"output_tokens":${text(output_tokens)},"reasoning_tokens":${text(reasoning_tokens)},` +
    `"total_tokens":${text(total_tokens)}}`
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
  return `${cacheCosts(cache_read, cache_write_1h, cache_write_5m)}${text(output)},"uncached_input":${text(uncached_input)}}`
}

const attemptText = (attempt: Attempt): string => {
  const { duration_ms, error_class, http_status, n, request_id, retry_after_ms, started_at } = attempt
  if (
    duration_ms === undefined ||
    error_class === undefined ||
    http_status === undefined ||
    n === undefined ||
    retry_after_ms === undefined ||
    typeof started_at !== "string" ||
    !hasExactly(attempt, request_id === undefined ? 6 : 7)
  )
    return text(attempt)
  return (
    `{"duration_ms":${text(duration_ms)}${attemptEnd(error_class, http_status, n)}` +
    (request_id === undefined ? "" : `"request_id":${text(request_id)},`) +
    `"retry_after_ms":${text(retry_after_ms)},"started_at":"${inQuotes(started_at)}"}`
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
    typeof agent_name !== "string" ||
    typeof call_id !== "string" ||
    evidence_path === undefined ||
    max_tokens === undefined ||
    model === undefined ||
    typeof prompt_hash !== "string" ||
    provider === undefined ||
    provider_base_url === undefined ||
    temperature === undefined ||
    !hasExactly(payload, worker === undefined ? 9 : 10)
  )
    return text(payload)
  return (
    `{"agent_name":"${inQuotes(agent_name)}","call_id":"${inQuotes(call_id)}","evidence_path":${text(evidence_path)}` +
    `${limitAndModel(max_tokens, model)}${inQuotes(prompt_hash)}${providerAndHeat(provider, provider_base_url, temperature)}` +
    (worker === undefined ? "}" : `,"worker":${workerText(worker)}}`)
  )
}

const finishedText = (payload: LlmCallFinished): string => {
  const { api_cost_usd, attempts, call_id, cost_breakdown, cost_nanousd, cost_status } = payload
  const { finish_reason, latency_ms, model_latency_ms, output_hash, price_effective_from, price_id, request_id } =
    payload
  const { response_model, stop_reason, token_usage, tool_calls_count, usage_source } = payload
  if (
    api_cost_usd === undefined ||
    attempts === undefined ||
    typeof call_id !== "string" ||
    cost_breakdown === undefined ||
    cost_nanousd === undefined ||
    cost_status === undefined ||
    finish_reason === undefined ||
    latency_ms === undefined ||
    typeof output_hash !== "string" ||
    price_effective_from === undefined ||
    price_id === undefined ||
    request_id === undefined ||
    response_model === undefined ||
    stop_reason === undefined ||
    typeof token_usage !== "object" ||
    token_usage === null ||
    tool_calls_count === undefined ||
    usage_source === undefined ||
    !hasExactly(payload, "model_latency_ms" in payload ? 18 : 17)
  )
    return text(payload)
  return (
    `{"api_cost_usd":${text(api_cost_usd)},"attempts":${attemptsText(attempts)},"call_id":"${inQuotes(call_id)}",` +
    `"cost_breakdown":${breakdownText(cost_breakdown)},"cost_nanousd":${text(cost_nanousd)}` +
    `${statusAndFinish(cost_status, finish_reason)}${text(latency_ms)}` +
    (model_latency_ms === undefined ? "" : `,"model_latency_ms":${text(model_latency_ms)}`) +
    `,"output_hash":"${inQuotes(output_hash)}` +
    `${priceOf(price_effective_from, price_id)}${text(request_id)}${modelAndStop(response_model, stop_reason)}` +
    usageText(token_usage) +
    toolsAndSource(tool_calls_count, usage_source)
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
