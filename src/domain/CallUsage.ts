import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { measure } from "./CallMeasure.js"
import type { Json } from "./JsonRecord.js"
import * as Usage from "./Usage.js"

const own = (record: Json, name: string): unknown => (Object.hasOwn(record, name) ? record[name] : undefined)

const isSource = Schema.is(Usage.UsageSource)
const isTools = Schema.is(Usage.ServerTools)
const isDoubts = Schema.is(Usage.UsageDoubts)

/** No call uses more: who says so is not believed, and its price would not be exact. */
const MOST_TOKENS = 1e9

/** Members by which a provider's own report is told from the names of a row's metrics. */
const FOREIGN = [
  "cache_read_input_tokens",
  "cache_creation_input_tokens",
  "cache_creation",
  "prompt_tokens_details",
  "input_tokens_details",
]

/** Words of providers for what has the ordinary price. */
const ORDINARY: ReadonlyArray<string> = ["standard", "default", "auto", "on_demand", "global", "not_available"]

const word = (metrics: Json, name: string): string | undefined => {
  const said = own(metrics, name)
  return typeof said === "string" ? Usage.wordUnless(ORDINARY, said) : undefined
}

const count = (metrics: Json, name: string): number | undefined => {
  const told = own(metrics, name)
  return typeof told === "number" && Number.isSafeInteger(told) && told >= 0 ? told : undefined
}

/** The classes and words that most calls do not have. */
const rare = (metrics: Json): Partial<Usage.UsageWire> => {
  const tools = own(metrics, "server_tool_requests")
  const doubts = own(metrics, "usage_doubts")
  return {
    audio_input_tokens: count(metrics, "audio_input_tokens"),
    audio_cache_read_tokens: count(metrics, "audio_cache_read_tokens"),
    audio_output_tokens: count(metrics, "audio_output_tokens"),
    image_input_tokens: count(metrics, "image_input_tokens"),
    image_cache_read_tokens: count(metrics, "image_cache_read_tokens"),
    image_output_tokens: count(metrics, "image_output_tokens"),
    server_tool_requests: isTools(tools) ? tools : undefined,
    service_tier: word(metrics, "service_tier"),
    speed: word(metrics, "speed"),
    inference_geo: word(metrics, "inference_geo"),
    usage_doubts: isDoubts(doubts) ? doubts : undefined,
  }
}

const fromMetrics = (metrics: Json, source: Usage.UsageSource): Usage.Usage => {
  const told = measure(metrics)
  const input = told.input_tokens ?? 0
  const output = told.output_tokens ?? 0
  if ((told.input_tokens === null && told.output_tokens === null) || Math.max(input, output) > MOST_TOKENS)
    return Usage.none
  const cached = (told.cache_read_tokens ?? 0) + (told.cache_write_5m_tokens ?? 0) + (told.cache_write_1h_tokens ?? 0)
  // All prompt tokens are fewer than some of them: what was not cached is anybody's guess.
  if (cached > input) return Usage.none
  return Usage.fromWire(
    {
      input_tokens: input,
      output_tokens: output,
      total_tokens: input + output,
      cache_read_tokens: Math.min(told.cache_read_tokens ?? 0, MOST_TOKENS),
      cache_write_5m_tokens: Math.min(told.cache_write_5m_tokens ?? 0, MOST_TOKENS),
      cache_write_1h_tokens: Math.min(told.cache_write_1h_tokens ?? 0, MOST_TOKENS),
      reasoning_tokens: told.reasoning_tokens ?? 0,
      ...rare(metrics),
    },
    source,
  )
}

/**
 * What a call used, as its metrics tell it: under the names of a row's metrics, in either token dialect, or as a provider reports
 * it. None when they tell no tokens, or more than anybody uses.
 */
export const usageOf = (metrics: Json): Option.Option<Usage.Usage> => {
  const said = own(metrics, "usage_source")
  const source = isSource(said) ? said : "provider"
  if (source === "none") return Option.none()
  const isForeign = FOREIGN.some((name) => (own(metrics, name) ?? null) !== null)
  const usage = isForeign ? Usage.fromUnknown(metrics, source) : fromMetrics(metrics, source)
  return usage.source === "none" ? Option.none() : Option.some(usage)
}
