import { none, type Usage, type UsageSource } from "./UsageClasses.js"
import { fromMessagesApi, isMessagesApi } from "./UsageDialectAnthropic.js"
import { fromBedrockConverse } from "./UsageDialectBedrock.js"
import { fromCohere } from "./UsageDialectCohere.js"
import { fromGemini } from "./UsageDialectGemini.js"
import { fromOllama } from "./UsageDialectOllama.js"
import { fromChatCompletions, fromResponsesApi } from "./UsageDialectOpenAi.js"
import { hasAny, objectAt } from "./UsageReport.js"

/**
 * Usage in a provider's own dialect where nobody knows which: told by members that only one of them has. Counts that all
 * spell alike (`input_tokens` and `output_tokens` alone) mean the same in each. {@link none} when it is no known dialect.
 */
export const fromUnknownProvider = (response: unknown, source: UsageSource = "provider"): Usage => {
  const usage =
    objectAt(response, "usage") ?? objectAt(response, "usageMetadata") ?? objectAt(response, "meta") ?? response
  if (hasAny(usage, "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount"))
    return fromGemini(response, source)
  if (hasAny(usage, "prompt_eval_count", "eval_count")) return fromOllama(usage, source)
  if (hasAny(usage, "billed_units") || objectAt(usage, "tokens") !== undefined) return fromCohere(response, source)
  if (hasAny(usage, "inputTokens", "outputTokens")) return fromBedrockConverse(response, source)
  if (hasAny(usage, "input_tokens_details", "output_tokens_details", "input_token_details") && !isMessagesApi(usage))
    return fromResponsesApi(response, source)
  if (hasAny(usage, "prompt_tokens", "completion_tokens", "prompt_cache_hit_tokens", "x_groq"))
    return fromChatCompletions(response, source)
  if (objectAt(response, "x_groq") !== undefined) return fromChatCompletions(response, source)
  return hasAny(usage, "input_tokens", "output_tokens") ? fromMessagesApi(response, source) : none
}
