import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "./CanonicalJson.js"
import { type Capture, Evidence } from "./Evidence.js"
import type { LlmResponse } from "./Llm.js"
import * as QuickDecode from "./QuickDecode.js"
import type { Redactor } from "./Redaction.js"

const RESPONSE = "$.response"

const hashed = (content: Evidence["request"] | Evidence["response"]): string =>
  typeof content === "string" ? content : CanonicalJson.hash(content)

const quickly = QuickDecode.make(Evidence, { keepUnknown: false })
const slowly = Schema.decodeUnknownOption(Evidence)

const decode = (candidate: unknown): Option.Option<Evidence> => {
  const quick = quickly(candidate)
  return quick === QuickDecode.UNSURE ? slowly(candidate) : Option.some(quick)
}

const asHashes = (evidence: Evidence, redactor: Redactor): Evidence => {
  const { response, error, ...rest } = evidence
  const cleaned = redactor.redact(error?.message ?? "", "$.error.message")
  return {
    ...rest,
    capture: "hash",
    request: hashed(evidence.request),
    ...(response === undefined ? {} : { response: hashed(response) }),
    ...(error === undefined ? {} : { error: { ...error, message: String(cleaned.value) } }),
    redactions: cleaned.redactions,
  }
}

const redacted = (evidence: Evidence, redactor: Redactor): Evidence => {
  const { request, response, error, ...rest } = evidence
  const cleaned = redactor.redact({ request, response, error })
  const candidate = {
    ...rest,
    ...(Predicate.isRecord(cleaned.value) ? cleaned.value : {}),
    capture: "redacted",
    redactions: cleaned.redactions,
  }
  return Option.getOrElse(decode(candidate), () => asHashes(evidence, redactor))
}

/**
 * What is kept of a call: all without secrets, all, hashes of request and response, or nothing. What cannot be kept without
 * secrets in its own shape (a secret that is a word of the schema) is kept as hashes.
 */
export const keep = (evidence: Evidence, capture: Capture, redactor: Redactor): Option.Option<Evidence> => {
  switch (capture) {
    case "redacted":
      return Option.some(redacted(evidence, redactor))
    case "full":
      return Option.some({ ...evidence, capture, redactions: [] })
    case "hash":
      return Option.some(asHashes(evidence, redactor))
    case "off":
      return Option.none()
  }
}

/** The answer that is kept, where it is one that a client could give again. */
export const answerOf = ({ response, status }: Evidence): LlmResponse | undefined =>
  status === "success" && typeof response === "object" && !("as_given" in response) ? response : undefined

/** Whether a kept answer may stand for its prompt: a success, kept whole, in which redaction changed nothing of the answer. */
export const mayAnswer = (evidence: Evidence): boolean =>
  answerOf(evidence) !== undefined &&
  (evidence.capture === "redacted" || evidence.capture === "full") &&
  !evidence.redactions.some(({ path }) => path.startsWith(RESPONSE))

/** What orders the calls of a prompt: the earliest first, the id deciding between equal times. */
export interface Call {
  readonly call_id: string
  readonly timestamp: string
}

/** For sorting: negative when `left` comes first. */
export const earliestFirst = (left: Call, right: Call): number => {
  if (left.timestamp !== right.timestamp) return left.timestamp < right.timestamp ? -1 : 1
  return left.call_id < right.call_id ? -1 : left.call_id > right.call_id ? 1 : 0
}
