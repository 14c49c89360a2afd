import type { ServerTools, Usage, UsageDoubt, UsageSource } from "./UsageClasses.js"
import {
  type CountReader,
  countReader,
  listAt,
  memberAt,
  objectAt,
  sorted,
  sumOf,
  textAt,
  toolsUsed,
  wordUnless,
} from "./UsageReport.js"

/** The words that change no price. */
const ORDINARY_TIER = ["default", "standard", "auto", "on_demand"]

const isOfType = (item: unknown, type: string): boolean => memberAt(item, "type") === type

/** Opening a page that was found, or looking into it, is no search of its own. */
const isSearch = (item: unknown): boolean => {
  const action = textAt(memberAt(item, "action"), "type")
  return isOfType(item, "web_search_call") && (action === undefined || action === "search")
}

const countOf = (items: ReadonlyArray<unknown>, is: (item: unknown) => boolean): number => items.filter(is).length

/** Counts of what is billed by the piece; the answers of the Responses API list them, some compatible providers count them. */
const serverTools = ({ countAt }: CountReader, response: unknown, usage: unknown): ServerTools | undefined => {
  const items = listAt(response, "output")
  return toolsUsed({
    web_search: countOf(items, isSearch),
    file_search: countOf(items, (item) => isOfType(item, "file_search_call")),
    code_interpreter: countOf(items, (item) => isOfType(item, "code_interpreter_call")),
    image_generation: countOf(items, (item) => isOfType(item, "image_generation_call")),
    live_search_source: countAt(usage, "num_sources_used"),
    search_query: countAt(usage, "num_search_queries"),
    audio_second: countAt(usage, "prompt_audio_seconds"),
  })
}

interface Details {
  readonly prompt: unknown
  readonly completion: unknown
}

const detailsOf = (usage: unknown): Details => ({
  prompt:
    objectAt(usage, "prompt_tokens_details") ??
    objectAt(usage, "input_tokens_details") ??
    objectAt(usage, "input_token_details"),
  completion:
    objectAt(usage, "completion_tokens_details") ??
    objectAt(usage, "output_tokens_details") ??
    objectAt(usage, "output_token_details"),
})

/** A provider with a hit and a miss count says the prompt twice; where it does so differently, the prompt count is believed. */
const promptOf = ({ countAt }: CountReader, usage: unknown) => {
  const stated = countAt(usage, "prompt_tokens", "input_tokens")
  const missed = countAt(usage, "prompt_cache_miss_tokens")
  const parts = missed === undefined ? undefined : sumOf(missed, countAt(usage, "prompt_cache_hit_tokens"))
  const doubts: ReadonlyArray<UsageDoubt> =
    stated !== undefined && parts !== undefined && stated !== parts ? ["total_differs"] : []
  return { prompt: stated ?? parts, doubts }
}

const read = (response: unknown, source: UsageSource): Usage => {
  const usage = objectAt(response, "usage") ?? objectAt(memberAt(response, "x_groq"), "usage") ?? response
  const reader = countReader()
  const { countAt } = reader
  const details = detailsOf(usage)
  const cachedDetails = memberAt(details.prompt, "cached_tokens_details")
  const { prompt, doubts } = promptOf(reader, usage)
  const completion = countAt(usage, "completion_tokens", "output_tokens")
  const reasoning = countAt(details.completion, "reasoning_tokens")
  const total = countAt(usage, "total_tokens")
  // Some compatible providers count reasoning beside the completion; their total says so.
  const isBeside =
    total !== undefined && reasoning !== undefined && reasoning > 0 && total === sumOf(prompt, completion, reasoning)
  return sorted(
    {
      prompt,
      cacheRead:
        countAt(details.prompt, "cached_tokens") ??
        countAt(usage, "prompt_cache_hit_tokens", "cached_tokens", "cached_prompt_text_tokens"),
      cacheWrite5m: countAt(details.prompt, "cache_write_tokens"),
      audioInput: countAt(details.prompt, "audio_tokens"),
      imageInput: countAt(details.prompt, "image_tokens"),
      audioCacheRead: countAt(cachedDetails, "audio_tokens"),
      imageCacheRead: countAt(cachedDetails, "image_tokens"),
      output: isBeside ? sumOf(completion, reasoning) : completion,
      reasoning,
      audioOutput: countAt(details.completion, "audio_tokens"),
      imageOutput: countAt(details.completion, "image_tokens"),
      total,
      serverTools: serverTools(reader, response, usage),
      serviceTier: wordUnless(ORDINARY_TIER, textAt(response, "service_tier") ?? textAt(usage, "service_tier")),
      doubts: [...doubts, ...reader.doubts],
    },
    source,
  )
}

/**
 * Usage in the prompt/completion dialect (and its input/output spelling), of the usage or of the response that has it and its
 * service tier: the prompt count *includes* cached tokens and the details say how many of them were read from the cache.
 * Predicted tokens, accepted or not, are inside the completion. Read alike: DeepSeek's hits and misses, Mistral, Groq, xAI
 * (which counts reasoning beside the completion), OpenRouter, the embeddings, images and realtime APIs.
 */
export const fromChatCompletions = (response: unknown, source: UsageSource = "provider"): Usage =>
  read(response, source)

/**
 * Usage of the Responses API, of the usage or, better, of the whole response: only its output items tell how often the
 * provider's own tools ran.
 */
export const fromResponsesApi = (response: unknown, source: UsageSource = "provider"): Usage => read(response, source)
