import { none, type Usage, type UsageSource } from "./UsageClasses.js"
import { fromUnknownProvider } from "./UsageDialectProvider.js"
import { fromVercelAi } from "./UsageDialectSdk.js"
import { fromTelemetryAttributes, hasTokenCounts } from "./UsageDialectTelemetry.js"
import { hasAny, objectAt } from "./UsageReport.js"

const isAttributes = (raw: unknown): raw is Readonly<Record<string, unknown>> => typeof raw === "object" && raw !== null

const isSdk = (usage: unknown): boolean =>
  objectAt(usage, "inputTokens") !== undefined ||
  hasAny(
    usage,
    "inputTokenDetails",
    "outputTokenDetails",
    "cachedInputTokens",
    "reasoningTokens",
    "promptTokens",
    "completionTokens",
  )

/**
 * Usage of an origin that nobody knows: a span's attributes, an SDK's result or a provider's response. Where the dialect is
 * known, its own function is surer. {@link none} when nothing is recognised.
 */
export const fromUnknown = (raw: unknown, source: UsageSource = "provider"): Usage => {
  if (!isAttributes(raw)) return none
  if (hasTokenCounts(raw)) return fromTelemetryAttributes(raw, source)
  const usage = objectAt(raw, "usage") ?? raw
  return isSdk(usage) ? fromVercelAi(raw, source) : fromUnknownProvider(raw, source)
}
