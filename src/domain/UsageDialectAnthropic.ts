import type { ServerTools, Usage, UsageSource } from "./UsageClasses.js"
import {
  type CountReader,
  countReader,
  hasAny,
  listAt,
  memberAt,
  objectAt,
  sorted,
  sumOf,
  textAt,
  toolsUsed,
  wordUnless,
} from "./UsageReport.js"

/** The words that change no price: the usual tier and speed, and inference wherever there is room. */
const ORDINARY_TIER = ["standard"]
const ORDINARY_SPEED = ["standard"]
const ORDINARY_GEO = ["global", "not_available"]

interface Input {
  /** What was neither read from the cache nor written to it. */
  readonly uncached: number | undefined
  readonly cacheRead: number | undefined
  readonly cacheWrite5m: number | undefined
  readonly cacheWrite1h: number | undefined
}

/** A write that the split by lifetime does not name is a five-minute write, the API's default. */
const inputOf = ({ countAt }: CountReader, raw: unknown): Input => {
  const writes = countAt(raw, "cache_creation_input_tokens")
  const split = memberAt(raw, "cache_creation")
  const write1h = countAt(split, "ephemeral_1h_input_tokens")
  const write5m = countAt(split, "ephemeral_5m_input_tokens")
  return {
    uncached: countAt(raw, "input_tokens"),
    cacheRead: countAt(raw, "cache_read_input_tokens"),
    cacheWrite5m: writes === undefined ? write5m : Math.max(write5m ?? 0, writes - (write1h ?? 0)),
    cacheWrite1h: write1h,
  }
}

const ofType = (raw: unknown, type: string): ReadonlyArray<unknown> =>
  listAt(raw, "iterations").filter((iteration) => memberAt(iteration, "type") === type)

/**
 * What the provider does for a call beside answering it: searches and fetches; and, since their tokens belong to another model
 * or another bill and so have no price here, consulted advisors, fallbacks to another model and redeemed credits.
 */
const serverTools = ({ countAt }: CountReader, raw: unknown): ServerTools | undefined => {
  const tools = objectAt(raw, "server_tool_use")
  const counts = Object.fromEntries(
    Object.keys(tools ?? {}).map((key) => [key.replace(/_requests$/, "") || key, countAt(tools, key)]),
  )
  const credit = memberAt(memberAt(memberAt(raw, "fallback_credit"), "status"), "type")
  return toolsUsed({
    ...counts,
    advisor: ofType(raw, "advisor_message").length,
    model_fallback: ofType(raw, "fallback_message").length,
    fallback_credit: credit === "redeemed" ? 1 : 0,
  })
}

/**
 * Usage as the Messages API reports it, of the usage or of the message that has it: `input_tokens` there is the *uncached*
 * input only, `cache_creation` splits the writes by lifetime, and what a compaction used is not in the sums beside it.
 */
export const fromMessagesApi = (message: unknown, source: UsageSource = "provider"): Usage => {
  const raw = objectAt(message, "usage") ?? message
  const reader = countReader()
  const { countAt } = reader
  const compactions = ofType(raw, "compaction")
  const inputs = [raw, ...compactions].map((part) => inputOf(reader, part))
  const of = (member: keyof Input) => sumOf(...inputs.map((input) => input[member]))
  return sorted(
    {
      prompt: sumOf(of("uncached"), of("cacheRead"), of("cacheWrite5m"), of("cacheWrite1h")),
      cacheRead: of("cacheRead"),
      cacheWrite5m: of("cacheWrite5m"),
      cacheWrite1h: of("cacheWrite1h"),
      output: sumOf(...[raw, ...compactions].map((part) => countAt(part, "output_tokens"))),
      reasoning: countAt(memberAt(raw, "output_tokens_details"), "thinking_tokens"),
      serverTools: serverTools(reader, raw),
      serviceTier: wordUnless(ORDINARY_TIER, textAt(raw, "service_tier")),
      speed: wordUnless(ORDINARY_SPEED, textAt(raw, "speed")),
      inferenceGeo: wordUnless(ORDINARY_GEO, textAt(raw, "inference_geo")),
      doubts: compactions.length === 0 ? reader.doubts : [...reader.doubts, "several_prompts"],
      isPartial: inputs[0]?.uncached === undefined,
    },
    source,
  )
}

/**
 * The usage objects of a stream in the order in which they came, `message_start`'s and then every `message_delta`'s, as one:
 * their counts are cumulative, so a later one that is there takes the place of an earlier one, and nothing is added.
 */
export const messagesStreamUsage = (usages: ReadonlyArray<unknown>): Readonly<Record<string, unknown>> => {
  const merged: Record<string, unknown> = {}
  for (const usage of usages) {
    if (typeof usage !== "object" || usage === null) continue
    for (const [name, value] of Object.entries(usage)) if (value !== undefined && value !== null) merged[name] = value
  }
  return merged
}

/** Whether a usage of unknown origin has members that only the Messages API has. */
export const isMessagesApi = (raw: unknown): boolean =>
  hasAny(
    raw,
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "server_tool_use",
    "inference_geo",
  )
