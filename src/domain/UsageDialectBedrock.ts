import type { Usage, UsageSource } from "./UsageClasses.js"
import { countReader, listAt, memberAt, objectAt, sorted, sumOf, textAt, wordUnless } from "./UsageReport.js"

/** The words that change no price. */
const ORDINARY = ["standard", "default"]

/**
 * Usage of Bedrock's Converse, of the usage or of the response (in a stream its `metadata` event) that has it and its service
 * tier: `inputTokens` counts neither what was read from the cache nor what was written to it, and a write that the details do
 * not name as an hour's is a five-minute one.
 */
export const fromBedrockConverse = (response: unknown, source: UsageSource = "provider"): Usage => {
  const usage = objectAt(response, "usage") ?? response
  const { countAt, doubts } = countReader()
  const uncached = countAt(usage, "inputTokens")
  const cacheRead = countAt(usage, "cacheReadInputTokens", "cacheReadInputTokenCount")
  const writes = countAt(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
  const hours = listAt(usage, "cacheDetails").filter((detail) => memberAt(detail, "ttl") === "1h")
  const write1h = sumOf(...hours.map((detail) => countAt(detail, "inputTokens")))
  const write5m = writes === undefined ? undefined : Math.max(0, writes - (write1h ?? 0))
  return sorted(
    {
      prompt: sumOf(uncached, cacheRead, write5m, write1h),
      cacheRead,
      cacheWrite5m: write5m,
      cacheWrite1h: write1h,
      output: countAt(usage, "outputTokens"),
      serviceTier: wordUnless(ORDINARY, textAt(memberAt(response, "serviceTier"), "type")),
      speed: wordUnless(ORDINARY, textAt(memberAt(response, "performanceConfig"), "latency")),
      doubts,
      isPartial: uncached === undefined,
    },
    source,
  )
}
