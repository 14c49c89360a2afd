import { add, none, type Usage, type UsageSource } from "./UsageClasses.js"
import { fromMessagesApi, messagesStreamUsage } from "./UsageDialectAnthropic.js"
import { fromUnknownProvider } from "./UsageDialectProvider.js"
import { countReader, hasAny, listAt, memberAt, objectAt, sorted, sumOf, textAt, wordUnless } from "./UsageReport.js"

/** The words that change no price. */
const ORDINARY_TIER = ["default", "standard", "auto"]

/** The SDKs' own classes, in the three shapes that their versions have. */
const read = (usage: unknown, source: UsageSource): Usage => {
  const { countAt, doubts } = countReader()
  const nested = { input: objectAt(usage, "inputTokens"), output: objectAt(usage, "outputTokens") }
  const input = objectAt(usage, "inputTokenDetails")
  const answer = objectAt(usage, "outputTokenDetails")
  const stated =
    nested.input === undefined
      ? countAt(usage, "inputTokens", "promptTokens")
      : (countAt(nested.input, "total") ??
        sumOf(
          countAt(nested.input, "noCache"),
          countAt(nested.input, "cacheRead"),
          countAt(nested.input, "cacheWrite"),
        ))
  const cacheRead =
    countAt(nested.input, "cacheRead") ?? countAt(input, "cacheReadTokens") ?? countAt(usage, "cachedInputTokens")
  // The older versions count a cached prompt inside the input with one provider and beside it with another; more cached than
  // there is can only be beside.
  const isBeside = input === undefined && nested.input === undefined && (cacheRead ?? 0) > (stated ?? 0)
  return sorted(
    {
      prompt: isBeside ? sumOf(stated, cacheRead) : stated,
      cacheRead,
      cacheWrite5m: countAt(nested.input, "cacheWrite") ?? countAt(input, "cacheWriteTokens"),
      output:
        nested.output === undefined
          ? countAt(usage, "outputTokens", "completionTokens")
          : countAt(nested.output, "total"),
      reasoning:
        countAt(nested.output, "reasoning") ?? countAt(answer, "reasoningTokens") ?? countAt(usage, "reasoningTokens"),
      total:
        isBeside || stated === undefined || hasAny(usage, "outputTokens", "completionTokens")
          ? undefined
          : countAt(usage, "totalTokens"),
      doubts,
    },
    source,
  )
}

const withTier = (usage: Usage, metadata: unknown): Usage => {
  if (usage.serviceTier !== undefined || typeof metadata !== "object" || metadata === null) return usage
  const tiers = Object.values(metadata).map((own) => wordUnless(ORDINARY_TIER, textAt(own, "serviceTier")))
  const serviceTier = tiers.find((tier) => tier !== undefined)
  return serviceTier === undefined ? usage : { ...usage, serviceTier }
}

/** The provider's own usage, which has what the SDK's classes lack: lifetimes of cache writes, tiers, tools. */
const rawOf = (usage: unknown, metadata: unknown): unknown =>
  objectAt(usage, "raw") ?? objectAt(objectAt(metadata, "anthropic"), "usage")

const ofSeveral = (steps: ReadonlyArray<Usage>): Usage => {
  const sum = steps.reduce(add, none)
  return sum.source === "none" ? none : add(sum, { ...none, doubts: ["several_prompts"] })
}

/**
 * Usage of the Vercel AI SDK (versions 4 to 6), of the usage or, better, of the result or step that has it with the
 * provider's metadata. The provider's own raw usage counts where it is there; a result of several steps is their sum. A bare
 * usage of version 5 does not tell whether its input includes what was cached: it is taken to, unless that is impossible.
 */
export const fromVercelAi = (result: unknown, source: UsageSource = "provider"): Usage => {
  const steps = listAt(result, "steps")
  if (steps.length > 1) return ofSeveral(steps.map((step) => fromVercelAi(step, source)))
  const usage = objectAt(result, "usage") ?? result
  const metadata = memberAt(result, "providerMetadata")
  const raw = rawOf(usage, metadata)
  const own = raw === undefined ? none : fromUnknownProvider(raw, source)
  return withTier(own.source === "none" ? read(usage, source) : own, metadata)
}

const finishPart = (response: unknown): unknown =>
  listAt(response, "content").findLast((part) => memberAt(part, "type") === "finish") ?? response

/**
 * Usage of `@effect/ai`, of the usage or, better, of the response or its finish part, whose metadata has the provider's own:
 * the bare usage does not tell whether its input includes what was cached, and is taken to unless that is impossible.
 */
export const fromEffectAi = (response: unknown, source: UsageSource = "provider"): Usage => {
  const part = finishPart(response)
  const usage = objectAt(part, "usage") ?? part
  const metadata = memberAt(part, "metadata")
  const raw = rawOf(undefined, metadata)
  if (raw === undefined) return withTier(read(usage, source), metadata)
  // In a stream the metadata is that of the beginning, and only the part's own usage has the final counts.
  const end = { input_tokens: memberAt(usage, "inputTokens"), output_tokens: memberAt(usage, "outputTokens") }
  return fromMessagesApi(messagesStreamUsage([raw, end]), source)
}
