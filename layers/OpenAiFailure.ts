import { worthRetrying } from "../src/domain/HttpRetry.js"
import { type Advice, type AttemptFailure, nextStep as nextStepOfAny, reasonOfStatus } from "./AttemptFailure.js"
import type { Broken, StatusError } from "./ProviderHttp.js"

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
  if (failed.reason === "RateLimited" && !failed.retryable)
    return "Add credit to the key's account, or raise its limit."
  if (failed.status === null && /header name/i.test(failed.detail)) return "Mend or unset OPENAI_CUSTOM_HEADERS."
  if (failed.reason === "InvalidRequest" && /max_(?:completion_)?tokens/i.test(failed.detail)) {
    return "Lower max_tokens, or give the layer the other maxTokensField."
  }
  if (failed.reason === "InvalidRequest" && /stream_options/i.test(failed.detail)) {
    return "Give the layer streamUsage: false: the server cannot be asked for the usage of a stream."
  }
  if (failed.reason === "InvalidRequest" && /context[ _]length|context window/i.test(failed.detail)) {
    return "Send less: the prompt is longer than what the model takes."
  }
  return nextStepOfAny(failed, model, ADVICE)
}

/** Codes of a 429 that waiting does not mend. */
const FINAL_CODES: ReadonlySet<unknown> = new Set(["insufficient_quota", "billing_hard_limit_reached"])

const member = (error: object, name: string): unknown => Reflect.get(error, name)

const isFinal = (error: object): boolean =>
  FINAL_CODES.has(member(error, "code")) || FINAL_CODES.has(member(error, "type"))

/** The provider's words, and whether it has said that another try is in vain. */
export const wordsOf = (error: StatusError) => {
  const told = member(error, "error")
  return {
    words: typeof told === "string" ? told : error.message.replace(/^\d{3} /, ""),
    isFinal: isFinal(error),
  }
}

/** The HTTP status that an error names as its code, as gateways do that have answered 200 by then. */
const statusOf = (error: object): number | null => {
  const code = Number(member(error, "code") ?? Number.NaN)
  return Number.isInteger(code) && code >= 400 && code < 600 ? code : null
}

const reasonOf = (error: object): Pick<Broken, "reason" | "again"> => {
  const status = statusOf(error)
  if (isFinal(error)) return { reason: "RateLimited", again: false }
  if (status !== null) return { reason: reasonOfStatus(status), again: worthRetrying(status, () => null) }
  if (member(error, "type") === "invalid_request_error") return { reason: "InvalidRequest", again: false }
  return { reason: "ServerError", again: true }
}

const NO_WORDS = "an error without words"

/** What an error says that comes under a status of success, in the place of an answer or within a stream; undefined is none. */
export const toldInstead = (error: unknown): Broken | undefined => {
  if (typeof error === "string" && error !== "")
    return { reason: "ServerError", detail: error, again: true, retryable: true }
  if (typeof error !== "object" || error === null) return undefined
  const message = member(error, "message")
  const detail = typeof message === "string" && message !== "" ? message : NO_WORDS
  const told = reasonOf(error)
  return { ...told, detail, retryable: told.again }
}
