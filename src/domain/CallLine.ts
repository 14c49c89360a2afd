// Patterns of JSON values in canonical text. They know no escapes, no exponents and no number beyond fifteen digits: what has
// any is read the general way.
const WORD = String.raw`"[^"\\\u0000-\u001f]+"`
const TEXT = String.raw`"[^"\\\u0000-\u001f]*"`
const COUNT = String.raw`(?:0|[1-9]\d{0,14})`
const POSITIVE = String.raw`[1-9]\d{0,14}`
const AMOUNT = String.raw`(?:0|[1-9]\d{0,14})(?:\.\d{1,17})?`
const HASH = '"[0-9a-f]{64}"'

const oneOf = (...patterns: ReadonlyArray<string>): string => `(?:${patterns.join("|")})`
const orNull = (pattern: string): string => oneOf(pattern, "null")
const words = (...values: ReadonlyArray<string>): string => oneOf(...values.map((value) => `"${value}"`))
const ATTEMPT = String.raw`\{${[
  `(?:"backoff_ms":${AMOUNT},)?`,
  `"duration_ms":${AMOUNT},`,
  `"error_class":${orNull(TEXT)},`,
  `"http_status":${orNull(COUNT)},`,
  `"n":${POSITIVE},`,
  `(?:"request_id":${TEXT},)?`,
  `"retry_after_ms":${orNull(AMOUNT)},`,
  `"started_at":${TEXT}`,
].join("")}\}`
const ATTEMPTS = String.raw`\[(?:${ATTEMPT}(?:,${ATTEMPT})*)?\]`

/** Members that may be missing, before one that is there. */
const perhaps = (pattern: string, ...names: ReadonlyArray<string>): string =>
  names.map((name) => `(?:"${name}":${pattern},)?`).join("")

const BREAKDOWN = String.raw`\{${[
  perhaps(COUNT, "audio_cache_read", "audio_input", "audio_output"),
  `"cache_read":${COUNT},"cache_write_1h":${COUNT},"cache_write_5m":${COUNT},`,
  perhaps(COUNT, "image_cache_read", "image_input", "image_output"),
  `"output":${COUNT},`,
  perhaps(COUNT, "server_tools"),
  `"uncached_input":${COUNT}`,
].join("")}\}`

/** A member that is there and is captured; one that may be missing stands before, or behind, one that is there. */
const must = (name: string, pattern: string): string => `"${name}":(${pattern})`
const mayPrecede = (name: string, pattern: string): string => `(?:${must(name, pattern)},)?`
const mayFollow = (name: string, pattern: string): string => `(?:,${must(name, pattern)})?`

const TOOLS = String.raw`\{(?:${WORD}:${COUNT}(?:,${WORD}:${COUNT})*)?\}`
const DOUBT = words("not_a_count", "part_above_whole", "several_prompts", "total_differs")

const USAGE = String.raw`"token_usage":(\{${[
  perhaps(COUNT, "audio_cache_read_tokens", "audio_input_tokens", "audio_output_tokens"),
  perhaps(COUNT, "cache_read_tokens", "cache_write_1h_tokens", "cache_write_5m_tokens"),
  perhaps(COUNT, "image_cache_read_tokens", "image_input_tokens", "image_output_tokens"),
  perhaps(WORD, "inference_geo"),
  `${must("input_tokens", COUNT)},`,
  `${must("output_tokens", COUNT)},`,
  perhaps(COUNT, "reasoning_tokens"),
  perhaps(TOOLS, "server_tool_requests"),
  perhaps(WORD, "service_tier", "speed"),
  `"total_tokens":${COUNT}`,
  String.raw`(?:,"usage_doubts":\[${DOUBT}(?:,${DOUBT})*\])?`,
].join("")})\}`

const STARTED = [
  mayPrecede("agent_name", WORD),
  `(${must("call_id", WORD)},`,
  `(?:"evidence_path":${orNull(TEXT)},)?`,
  `"max_tokens":${orNull(POSITIVE)},`,
  `"model":${WORD},`,
  `"prompt_hash":${orNull(HASH)},`,
  `(?:"provider":${TEXT},)?`,
  `"provider_base_url":${orNull(TEXT)},`,
  `(?:"response_format":${TEXT},)?`,
  `(?:"stream":(?:true|false),)?`,
  `"temperature":${orNull(AMOUNT)}`,
  `(?:,"tool_schema_hash":${HASH})?`,
  `(?:,"worker":${TEXT})?)`,
].join("")

const FINISHED = [
  mayPrecede("api_cost_usd", orNull(AMOUNT)),
  mayPrecede("attempts", ATTEMPTS),
  `"call_id":${WORD},`,
  mayPrecede("cost_breakdown", orNull(BREAKDOWN)),
  mayPrecede("cost_nanousd", orNull(COUNT)),
  mayPrecede("cost_status", words("priced", "unpriced", "simulated", "replayed")),
  `${must("finish_reason", words("stop", "length", "tool_calls", "error"))},`,
  `${must("latency_ms", AMOUNT)},`,
  mayPrecede("model_latency_ms", AMOUNT),
  `${must("output_hash", HASH)},`,
  mayPrecede("price_effective_from", orNull(TEXT)),
  mayPrecede("price_id", orNull(TEXT)),
  mayPrecede("request_id", orNull(TEXT)),
  mayPrecede("response_model", orNull(TEXT)),
  mayPrecede("stop_reason", orNull(TEXT)),
  mayPrecede("time_to_first_token_ms", AMOUNT),
  USAGE,
  mayFollow("tool_calls_count", COUNT),
  mayFollow("usage_source", words("provider", "lower_bound", "none")),
].join("")

const line = (type: string, payload: string): RegExp =>
  new RegExp(
    [
      String.raw`^\{"event_hash":"([0-9a-f]{64})",`,
      `${must("event_id", WORD)},`,
      mayPrecede("parent_span_id", '"[0-9a-f]{16}"'),
      String.raw`"payload":\{${payload}\},`,
      `"prev_hash":${HASH},`,
      `${must("run_id", WORD)},`,
      `${must("span_id", '"[0-9a-f]{16}"')},`,
      `${must("trace_id", '"[0-9a-f]{32}"')},`,
      `${must("ts", TEXT)},`,
      String.raw`"type":"${type}"\}$`,
    ].join(""),
  )

const STARTED_LINE = line("LLM_CALL_STARTED", STARTED)
const FINISHED_LINE = line("LLM_CALL_FINISHED", FINISHED)

interface Line {
  /** Not JSON: the hash itself. */
  readonly eventHash: string
  readonly eventId: string
  readonly spanId: string
  readonly ts: string
}

type Text = string | undefined

/** A line that opens a call. */
export interface CallStartedLine extends Line {
  readonly type: "LLM_CALL_STARTED"
  readonly parentSpanId: Text
  readonly runId: string
  readonly traceId: string
  readonly callId: string
  readonly agentName: Text
  /** All members of the payload but the agent's name. */
  readonly call: string
}

/** A line that closes a call that succeeded. */
export interface CallFinishedLine extends Line {
  readonly type: "LLM_CALL_FINISHED"
  readonly apiCostUsd: Text
  readonly attempts: Text
  readonly costBreakdown: Text
  readonly costNanousd: Text
  readonly costStatus: Text
  readonly finishReason: string
  readonly latencyMs: string
  readonly modelLatencyMs: Text
  readonly outputHash: string
  readonly priceEffectiveFrom: Text
  readonly priceId: Text
  readonly requestId: Text
  readonly responseModel: Text
  readonly stopReason: Text
  readonly timeToFirstTokenMs: Text
  /** The tokens, without the closing brace. */
  readonly usage: string
  readonly inputTokens: string
  readonly outputTokens: string
  readonly toolCallsCount: Text
  readonly usageSource: Text
}

/** What was recognised of a line. Members are JSON as it stands there, texts without escapes. */
export type CallLine = CallStartedLine | CallFinishedLine

/** Longest id of an event, with its quotation marks. */
const ID_LIMIT = 257

/** A group that is no option of its pattern has matched. */
const there = (group: Text): string => group ?? ""

const started = (text: string): CallStartedLine | undefined => {
  const groups = STARTED_LINE.exec(text)
  if (groups === null) return undefined
  return {
    type: "LLM_CALL_STARTED",
    eventHash: there(groups[1]),
    eventId: there(groups[2]),
    parentSpanId: groups[3],
    agentName: groups[4],
    call: there(groups[5]),
    callId: there(groups[6]),
    runId: there(groups[7]),
    spanId: there(groups[8]),
    traceId: there(groups[9]),
    ts: there(groups[10]),
  }
}

const finished = (text: string): CallFinishedLine | undefined => {
  const groups = FINISHED_LINE.exec(text)
  if (groups === null) return undefined
  return {
    type: "LLM_CALL_FINISHED",
    eventHash: there(groups[1]),
    eventId: there(groups[2]),
    apiCostUsd: groups[4],
    attempts: groups[5],
    costBreakdown: groups[6],
    costNanousd: groups[7],
    costStatus: groups[8],
    finishReason: there(groups[9]),
    latencyMs: there(groups[10]),
    modelLatencyMs: groups[11],
    outputHash: there(groups[12]),
    priceEffectiveFrom: groups[13],
    priceId: groups[14],
    requestId: groups[15],
    responseModel: groups[16],
    stopReason: groups[17],
    timeToFirstTokenMs: groups[18],
    usage: there(groups[19]),
    inputTokens: there(groups[20]),
    outputTokens: there(groups[21]),
    toolCallsCount: groups[22],
    usageSource: groups[23],
    spanId: there(groups[25]),
    ts: there(groups[27]),
  }
}

/**
 * Reads the canonical line of a usual call's beginning or success without decoding it. What it recognises is an event of the
 * published schema for certain; of anything else (another event, an escape, an unknown member) it says nothing.
 */
export const read = (text: string): CallLine | undefined => {
  const found = text.endsWith('STARTED"}') ? started(text) : text.endsWith('FINISHED"}') ? finished(text) : undefined
  return found === undefined || found.eventId.length > ID_LIMIT ? undefined : found
}
