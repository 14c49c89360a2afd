import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Option from "effect/Option"
import { ERROR_DETAILS_LIMIT, ERROR_SUMMARY_LIMIT } from "./Event.js"
import { LlmError } from "./Llm.js"
import * as Redaction from "./Redaction.js"

const redactor = Redaction.make()

/** How something ended that did not succeed, in words fit for an event: secrets removed, cut to the limits of the contract. */
export interface Failure {
  readonly kind: "failure" | "defect" | "interruption"
  /** `Interrupted`, `Defect`, `Timeout`, the reason of an `LlmError`, else the error's own tag or name. */
  readonly errorClass: string
  /** One line of at most 500 characters. */
  readonly summary: string
  /** More of it, at most 5000 characters; absent when there is no more to say. */
  readonly details: string | undefined
}

/** At most `limit` UTF-16 units, never half of a code point; a cut is shown by `…`. */
export const truncate = (text: string, limit: number): string => {
  if (text.length <= limit) return text
  const end = limit - 1
  const unit = text.charCodeAt(end - 1)
  const splitsPair = unit >= 0xd800 && unit <= 0xdbff
  return `${text.slice(0, splitsPair ? end - 1 : end)}…`
}

/** How many times its limit of a text is looked at: an error may carry megabytes, and finding secrets takes time. */
const READ = 4

/** The beginning of a text that is still to be cleaned, cut where a word or a value ends so that no part of a secret stands there. */
const beginning = (text: string, limit: number): string => {
  const most = READ * limit
  if (text.length <= most) return text
  let end = most
  while (end > most / 2 && !/[\s"',;&]/.test(text.charAt(end))) end--
  return truncate(text, end > most / 2 ? end + 1 : most)
}

/** What something foreign says, or the fallback when it throws instead: an error's members may be anything. */
const heard = <A, B>(say: () => A, fallback: B): A | B => {
  try {
    return say()
  } catch {
    return fallback
  }
}

const memberOf = (value: unknown, key: string): unknown =>
  heard(
    () => (typeof value === "object" && value !== null && key in value ? Reflect.get(value, key) : undefined),
    undefined,
  )

const messageOf = (error: unknown): string => {
  const message = memberOf(error, "message")
  if (typeof message === "string" && message !== "") return beginning(message, ERROR_DETAILS_LIMIT)
  return typeof error === "object" && error !== null ? classOf(error) : beginning(String(error), ERROR_DETAILS_LIMIT)
}

const classOf = (error: unknown): string => truncate(givenClassOf(error), CLASS_LIMIT)

const CLASS_LIMIT = 200

const givenClassOf = (error: unknown): string => {
  if (heard(() => error instanceof LlmError, false)) return String(memberOf(error, "reason"))
  const tag = memberOf(error, "_tag")
  if (tag === "TimeoutException") return "Timeout"
  if (typeof tag === "string" && tag !== "") return tag
  const name = memberOf(error, "name")
  return typeof name === "string" && name !== "" ? name : "Error"
}

const causesOf = (error: unknown): ReadonlyArray<string> => {
  const chain: Array<string> = []
  for (
    let at = memberOf(error, "cause");
    at !== undefined && at !== null && chain.length < 5;
    at = memberOf(at, "cause")
  )
    chain.push(`caused by ${classOf(at)}: ${messageOf(at)}`)
  return chain
}

const oneLine = (text: string): string => text.replace(/\s+/g, " ").trim()

const UNREADABLE = "an error that cannot be read"

/** One line about an error, fit for a log: its class and message, secrets removed. Never throws. */
export const line = (error: unknown): string =>
  heard(() => {
    const [name, message] = [classOf(error), oneLine(messageOf(error))]
    const said = beginning(name === message ? name : `${name}: ${message}`, ERROR_SUMMARY_LIMIT)
    return truncate(redactor.redactText(said), ERROR_SUMMARY_LIMIT)
  }, UNREADABLE)

/** What a message says in one line of at most 500 characters, secrets removed. */
export const summaryOf = (message: string): string =>
  truncate(oneLine(redactor.redactText(beginning(message, ERROR_DETAILS_LIMIT))), ERROR_SUMMARY_LIMIT)

/** What two errors have in common when they have the same cause, whatever they were doing: for counting, not for reading. Never throws. */
export const kindOf = (error: unknown): string => heard(() => rootKindOf(error), UNREADABLE)

const rootKindOf = (error: unknown): string => {
  let root = error
  for (let depth = 0; depth < 5; depth++) {
    const next = memberOf(root, "cause")
    if (next === undefined || next === null) break
    root = next
  }
  const code = memberOf(root, "code")
  return `${classOf(error)}: ${typeof code === "string" ? code : messageOf(root)}`
}

const failureOf = (kind: Failure["kind"], errorClass: string, message: string, more: string): Failure => {
  const clean = redactor.redactText(beginning(message, ERROR_DETAILS_LIMIT))
  const details = redactor.redactText(beginning(more, ERROR_DETAILS_LIMIT))
  const summary = truncate(oneLine(clean) || errorClass, ERROR_SUMMARY_LIMIT)
  return {
    kind,
    errorClass,
    summary,
    details: details === "" || details === summary ? undefined : truncate(details, ERROR_DETAILS_LIMIT),
  }
}

const failureIn = (error: unknown): Failure => {
  const message = messageOf(error)
  return failureOf("failure", classOf(error), message, [message, ...causesOf(error)].join("\n"))
}

const defectIn = (defect: unknown, cause: Cause.Cause<unknown>): Failure => {
  const message = `${classOf(defect)}: ${messageOf(defect)}`
  return failureOf(
    "defect",
    "Defect",
    message,
    heard(() => Cause.pretty(cause), message),
  )
}

const unreadable = (kind: Failure["kind"], errorClass: string): Failure => ({
  kind,
  errorClass,
  summary: UNREADABLE,
  details: undefined,
})

/** What a cause says: its typed failure before its defects, its defects before an interruption. Never throws. */
export const ofCause = (cause: Cause.Cause<unknown>): Failure => {
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) return heard(() => failureIn(failure.value), unreadable("failure", "Error"))
  const defect = Chunk.head(Cause.defects(cause))
  return Option.isSome(defect)
    ? heard(() => defectIn(defect.value, cause), unreadable("defect", "Defect"))
    : interrupted("interrupted before it ended")
}

/** An end that somebody wanted, in these words. */
export const interrupted = (summary: string): Failure => failureOf("interruption", "Interrupted", summary, "")
