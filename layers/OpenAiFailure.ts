import { type Advice, type AttemptFailure, nextStep as nextStepOfAny } from "./AttemptFailure.js"
import type { StatusError } from "./ProviderHttp.js"

const ADVICE: Advice = {
  Authentication: "Set OPENAI_API_KEY to a valid key, or use the sandbox provider, which needs none.",
  PermissionDenied: "Check that the key's project may use this model.",
  NotFound: "Check the model's name and OPENAI_BASE_URL, which mostly ends in /v1.",
  Connection: "Check that a server answers at OPENAI_BASE_URL.",
  MalformedResponse:
    "Check that OPENAI_BASE_URL leads to a chat-completions API, and ends in /v1 where that is its path.",
}

/** What to do next about a failure of a chat-completions API, in one sentence. */
export const nextStep = (failed: AttemptFailure, model: string): string => {
  if (failed.status === 429 && !failed.retryable) return "Add credit to the key's account, or raise its limit."
  if (failed.status === null && /header name/i.test(failed.detail)) return "Mend or unset OPENAI_CUSTOM_HEADERS."
  if (failed.reason === "InvalidRequest" && /max_(?:completion_)?tokens/i.test(failed.detail)) {
    return "Lower max_tokens, or give the layer the other maxTokensField."
  }
  if (failed.reason === "InvalidRequest" && /context[ _]length|context window/i.test(failed.detail)) {
    return "Send less: the prompt is longer than what the model takes."
  }
  return nextStepOfAny(failed, model, ADVICE)
}

/** Codes of a 429 that waiting does not mend. */
const FINAL_CODES: ReadonlySet<unknown> = new Set(["insufficient_quota", "billing_hard_limit_reached"])

const member = (error: StatusError, name: string): unknown => Reflect.get(error, name)

/** The provider's words, and whether it has said that another try is in vain. */
export const wordsOf = (error: StatusError) => {
  const told = member(error, "error")
  return {
    words: typeof told === "string" ? told : error.message.replace(/^\d{3} /, ""),
    isFinal: FINAL_CODES.has(member(error, "code")) || FINAL_CODES.has(member(error, "type")),
  }
}
