/**
 * What a call used: tokens in disjoint classes (UsageClasses), their form in events and rows (UsageWire), and one reader for
 * each dialect in which a provider, an SDK or a tracer reports them.
 */
export {
  add,
  inputTokens,
  isPlain,
  MIXED,
  none,
  outputTokens,
  type Reported,
  ServerTools,
  totalTokens,
  Usage,
  UsageDoubt,
  UsageDoubts,
  UsageSource,
} from "./UsageClasses.js"
export { fromUnknown } from "./UsageDialect.js"
export { fromMessagesApi, messagesStreamUsage } from "./UsageDialectAnthropic.js"
export { fromBedrockConverse } from "./UsageDialectBedrock.js"
export { fromCohere } from "./UsageDialectCohere.js"
export { fromGemini } from "./UsageDialectGemini.js"
export { fromOllama } from "./UsageDialectOllama.js"
export { fromChatCompletions, fromResponsesApi } from "./UsageDialectOpenAi.js"
export { fromUnknownProvider } from "./UsageDialectProvider.js"
export { fromEffectAi, fromVercelAi } from "./UsageDialectSdk.js"
export { type Attributes, fromTelemetryAttributes, hasTokenCounts, providerOf } from "./UsageDialectTelemetry.js"
export { sorted as fromReport, type UsageReport, wordUnless } from "./UsageReport.js"
export { fromWire, toWire, UsageWire } from "./UsageWire.js"
