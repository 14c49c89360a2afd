import type { Usage, UsageSource } from "./UsageClasses.js"
import { countReader, hasAny, memberAt, objectAt, sorted, toolsUsed } from "./UsageReport.js"

/**
 * Usage of Cohere, of the usage or of the response that has it (`usage`, in the first version of its API `meta`): the billed
 * units count, which are fewer than the tokens; the tokens only where nothing says what is billed. Searches of a rerank are
 * billed by the unit.
 */
export const fromCohere = (response: unknown, source: UsageSource = "provider"): Usage => {
  const usage = objectAt(response, "usage") ?? objectAt(response, "meta") ?? response
  const billed = memberAt(usage, "billed_units")
  const counts = hasAny(billed, "input_tokens", "output_tokens") ? billed : (memberAt(usage, "tokens") ?? usage)
  const { countAt, doubts } = countReader()
  return sorted(
    {
      prompt: countAt(counts, "input_tokens"),
      cacheRead: countAt(usage, "cached_tokens"),
      output: countAt(counts, "output_tokens"),
      serverTools: toolsUsed({
        search_unit: countAt(billed, "search_units"),
        classification: countAt(billed, "classifications"),
      }),
      doubts,
    },
    source,
  )
}
