import { none, type Usage, type UsageSource } from "./UsageClasses.js"
import { countReader, sorted, sumOf, wordUnless } from "./UsageReport.js"

/** Attributes of a span by name, as OTLP or an SDK gives them. */
export type Attributes = Readonly<Record<string, unknown>>

/** The words that change no price. */
const ORDINARY_TIER = ["default", "standard", "auto"]

// Names of each class, the newest first: two generations of the GenAI conventions, what some instrumentations write, then
// OpenInference and the Vercel AI SDK.
const PROMPT = [
  "gen_ai.usage.input_tokens",
  "gen_ai.usage.prompt_tokens",
  "llm.token_count.prompt",
  "llm.usage.prompt_tokens",
  "ai.usage.inputTokens",
  "ai.usage.promptTokens",
]
const COMPLETION = [
  "gen_ai.usage.output_tokens",
  "gen_ai.usage.completion_tokens",
  "llm.token_count.completion",
  "llm.usage.completion_tokens",
  "ai.usage.outputTokens",
  "ai.usage.completionTokens",
]
const TOTAL = ["gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens", "ai.usage.totalTokens"]
const CACHE_READ = [
  "gen_ai.usage.cache_read.input_tokens",
  "gen_ai.usage.cache_read_input_tokens",
  "gen_ai.usage.input_tokens.cached",
  "llm.token_count.prompt_details.cache_read",
  "ai.usage.inputTokenDetails.cacheReadTokens",
  "ai.usage.cachedInputTokens",
]
const CACHE_WRITE = [
  "gen_ai.usage.cache_write.input_tokens",
  "gen_ai.usage.cache_creation.input_tokens",
  "gen_ai.usage.cache_creation_input_tokens",
  "llm.token_count.prompt_details.cache_write",
  "ai.usage.inputTokenDetails.cacheWriteTokens",
]
const REASONING = [
  "gen_ai.usage.reasoning.output_tokens",
  "gen_ai.usage.reasoning_tokens",
  "llm.token_count.completion_details.reasoning",
  "ai.usage.outputTokenDetails.reasoningTokens",
  "ai.usage.reasoningTokens",
]
const AUDIO_INPUT = ["gen_ai.usage.audio.input_tokens", "llm.token_count.prompt_details.audio"]
const AUDIO_OUTPUT = ["gen_ai.usage.audio.output_tokens", "llm.token_count.completion_details.audio"]
const TIER = [
  "openai.response.service_tier",
  "gen_ai.openai.response.service_tier",
  "gen_ai.response.service_tier",
  "aws.bedrock.response.service_tier",
]
const PROVIDER = ["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"]

/** Numbers that travelled as text: OTLP's JSON writes 64-bit integers so. */
const plain = (value: unknown): unknown => {
  if (typeof value === "bigint") return Number(value)
  return typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value
}

const firstText = (attributes: Attributes, names: ReadonlyArray<string>): string | undefined =>
  names.map((name) => attributes[name]).find((value): value is string => typeof value === "string" && value !== "")

/** Whether attributes speak of a model's tokens in any dialect that is read here. */
export const hasTokenCounts = (attributes: Attributes): boolean =>
  [...PROMPT, ...COMPLETION, ...TOTAL].some((name) => attributes[name] !== undefined && attributes[name] !== null)

/** The provider that the attributes name, in the words of any dialect; the vendor's part where an SDK adds its own (`openai.chat`). */
export const providerOf = (attributes: Attributes): string | undefined => {
  const named = firstText(attributes, PROVIDER)
  return named ?? firstText(attributes, ["ai.model.provider"])?.split(".")[0]
}

/**
 * Usage of a span's attributes, in the GenAI conventions of both generations (with `gen_ai.system`'s prompt and completion
 * counts), OpenInference and the Vercel AI SDK's own: of a class that several name, the newest name counts. The input count
 * includes what was cached.
 */
export const fromTelemetryAttributes = (attributes: Attributes, source: UsageSource = "provider"): Usage => {
  if (!hasTokenCounts(attributes)) return none
  const { countAt, doubts } = countReader()
  const first = (names: ReadonlyArray<string>): number | undefined =>
    names.reduce<number | undefined>(
      (found, name) => found ?? countAt({ [name]: plain(attributes[name]) }, name),
      undefined,
    )
  const prompt = first(PROMPT)
  const output = first(COMPLETION)
  const reasoning = first(REASONING)
  const total = first(TOTAL)
  const isBeside = total !== undefined && (reasoning ?? 0) > 0 && total === sumOf(prompt, output, reasoning)
  return sorted(
    {
      prompt,
      cacheRead: first(CACHE_READ),
      cacheWrite5m: first(CACHE_WRITE),
      audioInput: first(AUDIO_INPUT),
      output: isBeside ? sumOf(output, reasoning) : output,
      reasoning,
      audioOutput: first(AUDIO_OUTPUT),
      total,
      serviceTier: wordUnless(ORDINARY_TIER, firstText(attributes, TIER)),
      doubts,
    },
    source,
  )
}
