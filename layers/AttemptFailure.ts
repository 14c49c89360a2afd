import * as Data from "effect/Data"
import type { LlmErrorReason } from "../src/domain/Llm.js"
import { none, type Usage } from "../src/domain/Usage.js"

/** How one attempt failed. `again` says whether the layer itself tries again; `retryable` whether a caller might. */
export class AttemptFailure extends Data.TaggedError("AttemptFailure")<{
  readonly reason: LlmErrorReason
  readonly detail: string
  readonly again: boolean
  readonly retryable: boolean
  readonly status: number | null
  readonly requestId: string | null
  readonly retryAfterMs: number | null
  readonly usage: Usage
  readonly cause?: unknown
}> {}

/** What a failure needs to be told apart from its defaults. */
export const failure = (
  fields: Pick<AttemptFailure, "reason" | "detail"> & Partial<Omit<AttemptFailure, "_tag" | "reason" | "detail">>,
): AttemptFailure =>
  new AttemptFailure({
    again: false,
    retryable: fields.again ?? false,
    status: null,
    requestId: null,
    retryAfterMs: null,
    usage: none,
    ...fields,
  })

/** The reason behind an HTTP status of a model's provider. */
export const reasonOfStatus = (status: number): LlmErrorReason => {
  switch (status) {
    case 401:
      return "Authentication"
    case 402:
    case 403:
      return "PermissionDenied"
    case 404:
      return "NotFound"
    case 408:
    case 504:
      return "Timeout"
    case 413:
      return "RequestTooLarge"
    case 429:
      return "RateLimited"
    case 529:
      return "Overloaded"
    default:
      return status >= 500 ? "ServerError" : "InvalidRequest"
  }
}

/** What a reader of an error can do about it, where that depends on who was asked. */
export interface Advice {
  readonly Authentication: string
  readonly PermissionDenied: string
  readonly NotFound: string
  readonly Connection: string
  readonly MalformedResponse: string
}

const NEXT: Readonly<Record<Exclude<LlmErrorReason, keyof Advice>, string>> = {
  InvalidRequest: "Change the request: another try gives the same answer.",
  RequestTooLarge: "Send less: fewer or shorter messages.",
  RateLimited: "Wait and run again, or lower llm.max_concurrency.",
  Overloaded: "The provider is overloaded: run again later.",
  ServerError: "The provider failed: run again later.",
  Timeout: "Run again, or raise llm.timeout.",
  EmptyResponse: "Run again, or change the prompt.",
  InvalidOutput: "Run again, or simplify the answer's shape.",
  NotRecorded: "Record the call first.",
}

/** What to do next about a failure of any provider, in one sentence. */
export const nextStep = (failed: AttemptFailure, model: string, advice: Advice): string => {
  if (failed.reason === "InvalidRequest" && /temperature|top_p|top_k/i.test(failed.detail)) {
    return `${model} takes no temperature: set llm.temperature to null.`
  }
  if (failed.reason === "EmptyResponse" && failed.usage.output > 0) {
    return "Raise max_tokens: thinking counts towards it."
  }
  if (failed.reason === "MalformedResponse" && failed.detail.startsWith("the input of tool call")) {
    return "Run again, or simplify the tool's schema."
  }
  return { ...NEXT, ...advice }[failed.reason]
}
