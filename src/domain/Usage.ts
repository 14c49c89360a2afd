import * as Schema from "effect/Schema"

const Tokens = Schema.NonNegativeInt

/** Where the counts come from: the provider's own final word, what an aborted answer is known to have used, or nobody. */
export const UsageSource = Schema.Literal("provider", "lower_bound", "none")
export type UsageSource = typeof UsageSource.Type

/**
 * Tokens of one call in disjoint classes; only `reasoning` is a part of another class (`output`). Totals are derived, never
 * stored beside the classes, so the two cannot disagree.
 */
export const Usage = Schema.Struct({
  uncachedInput: Tokens,
  cacheRead: Tokens,
  cacheWrite5m: Tokens,
  cacheWrite1h: Tokens,
  output: Tokens,
  reasoning: Tokens,
  source: UsageSource,
})
export type Usage = typeof Usage.Type

/** No call at all: the neutral element of {@link add}. */
export const none: Usage = {
  uncachedInput: 0,
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
  reasoning: 0,
  source: "none",
}

/** All prompt tokens, cached ones included. */
export const inputTokens = (usage: Usage): number =>
  usage.uncachedInput + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h

/** Input and output together. */
export const totalTokens = (usage: Usage): number => inputTokens(usage) + usage.output

const weaker = (left: UsageSource, right: UsageSource): UsageSource => {
  if (left === "none") return right
  if (right === "none") return left
  return left === "lower_bound" || right === "lower_bound" ? "lower_bound" : "provider"
}

/** The sum, class by class. A monoid with {@link none}: associative, commutative, and as certain as its least certain part. */
export const add = (left: Usage, right: Usage): Usage => ({
  uncachedInput: left.uncachedInput + right.uncachedInput,
  cacheRead: left.cacheRead + right.cacheRead,
  cacheWrite5m: left.cacheWrite5m + right.cacheWrite5m,
  cacheWrite1h: left.cacheWrite1h + right.cacheWrite1h,
  output: left.output + right.output,
  reasoning: left.reasoning + right.reasoning,
  source: weaker(left.source, right.source),
})

/** No call uses more; a provider that says so is not believed. It keeps every sum and price an exact integer. */
const MOST_TOKENS = 1e9

const countAt = (record: unknown, ...keys: ReadonlyArray<string>): number | undefined => {
  if (typeof record !== "object" || record === null) return undefined
  for (const key of keys) {
    const value = (record as Readonly<Record<string, unknown>>)[key]
    if (typeof value === "number" && value >= 0 && value <= MOST_TOKENS) return Math.floor(value)
  }
  return undefined
}

const memberAt = (record: unknown, key: string): unknown =>
  typeof record === "object" && record !== null ? (record as Readonly<Record<string, unknown>>)[key] : undefined

/**
 * Usage as the Messages API reports it: `input_tokens` there is the *uncached* input only, and `cache_creation` splits the
 * writes by lifetime. A write that the split does not name is a five-minute write, the API's default.
 */
export const fromMessagesApi = (raw: unknown, source: UsageSource = "provider"): Usage => {
  const input = countAt(raw, "input_tokens")
  const output = countAt(raw, "output_tokens")
  if (input === undefined && output === undefined) return none
  const writes = countAt(raw, "cache_creation_input_tokens") ?? 0
  const split = memberAt(raw, "cache_creation")
  const write1h = countAt(split, "ephemeral_1h_input_tokens") ?? 0
  const write5m = Math.max(countAt(split, "ephemeral_5m_input_tokens") ?? 0, writes - write1h)
  return {
    uncachedInput: input ?? 0,
    cacheRead: countAt(raw, "cache_read_input_tokens") ?? 0,
    cacheWrite5m: write5m,
    cacheWrite1h: write1h,
    output: output ?? 0,
    reasoning: Math.min(output ?? 0, countAt(memberAt(raw, "output_tokens_details"), "thinking_tokens") ?? 0),
    source,
  }
}

/**
 * Usage in the prompt/completion dialect (and its input/output spelling), where the prompt count *includes* cached tokens
 * and the details say how many of them were read from the cache.
 */
export const fromChatCompletions = (raw: unknown, source: UsageSource = "provider"): Usage => {
  const prompt = countAt(raw, "prompt_tokens", "input_tokens")
  const completion = countAt(raw, "completion_tokens", "output_tokens")
  if (prompt === undefined && completion === undefined) return none
  const promptDetails = memberAt(raw, "prompt_tokens_details") ?? memberAt(raw, "input_tokens_details")
  const completionDetails = memberAt(raw, "completion_tokens_details") ?? memberAt(raw, "output_tokens_details")
  const cached = Math.min(prompt ?? 0, countAt(promptDetails, "cached_tokens") ?? 0)
  return {
    uncachedInput: (prompt ?? 0) - cached,
    cacheRead: cached,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    output: completion ?? 0,
    reasoning: Math.min(completion ?? 0, countAt(completionDetails, "reasoning_tokens") ?? 0),
    source,
  }
}

/** Usage on the wire: `token_usage` of a FINISHED event and the token part of a call's `metrics_json`. */
export const UsageWire = Schema.Struct({
  input_tokens: Tokens,
  output_tokens: Tokens,
  total_tokens: Tokens,
  cache_read_tokens: Schema.optional(Tokens),
  cache_write_5m_tokens: Schema.optional(Tokens),
  cache_write_1h_tokens: Schema.optional(Tokens),
  reasoning_tokens: Schema.optional(Tokens),
})
export type UsageWire = typeof UsageWire.Type

/** The wire form: `input_tokens` counts all prompt tokens; every class is written out. */
export const toWire = (usage: Usage): UsageWire => ({
  cache_read_tokens: usage.cacheRead,
  cache_write_1h_tokens: usage.cacheWrite1h,
  cache_write_5m_tokens: usage.cacheWrite5m,
  input_tokens: inputTokens(usage),
  output_tokens: usage.output,
  reasoning_tokens: usage.reasoning,
  total_tokens: totalTokens(usage),
})

/** The inverse of {@link toWire}. */
export const fromWire = (wire: UsageWire, source: UsageSource): Usage => {
  const cacheRead = wire.cache_read_tokens ?? 0
  const cacheWrite5m = wire.cache_write_5m_tokens ?? 0
  const cacheWrite1h = wire.cache_write_1h_tokens ?? 0
  return {
    uncachedInput: Math.max(0, wire.input_tokens - cacheRead - cacheWrite5m - cacheWrite1h),
    cacheRead,
    cacheWrite5m,
    cacheWrite1h,
    output: wire.output_tokens,
    reasoning: wire.reasoning_tokens ?? 0,
    source,
  }
}
