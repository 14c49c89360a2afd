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

const memberOf = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && key in value ? Reflect.get(value, key) : undefined

const messageOf = (error: unknown): string => {
  const message = memberOf(error, "message")
  if (typeof message === "string" && message !== "") return message
  return typeof error === "object" && error !== null ? classOf(error) : String(error)
}

const classOf = (error: unknown): string => {
  if (error instanceof LlmError) return error.reason
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

/** One line about an error, fit for a log: its class and message, secrets removed. */
export const line = (error: unknown): string => {
  const [name, message] = [classOf(error), oneLine(messageOf(error))]
  return truncate(redactor.redactText(name === message ? name : `${name}: ${message}`), ERROR_SUMMARY_LIMIT)
}

/** What two errors have in common when they have the same cause, whatever they were doing: for counting, not for reading. */
export const kindOf = (error: unknown): string => {
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
  const clean = redactor.redactText(message)
  const details = redactor.redactText(more)
  const summary = truncate(oneLine(clean) || errorClass, ERROR_SUMMARY_LIMIT)
  return {
    kind,
    errorClass,
    summary,
    details: details === "" || details === summary ? undefined : truncate(details, ERROR_DETAILS_LIMIT),
  }
}

/** What a cause says: its typed failure before its defects, its defects before an interruption. */
export const ofCause = (cause: Cause.Cause<unknown>): Failure => {
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) {
    const message = messageOf(failure.value)
    return failureOf("failure", classOf(failure.value), message, [message, ...causesOf(failure.value)].join("\n"))
  }
  const defect = Chunk.head(Cause.defects(cause))
  return Option.isSome(defect)
    ? failureOf("defect", "Defect", `${classOf(defect.value)}: ${messageOf(defect.value)}`, Cause.pretty(cause))
    : failureOf("interruption", "Interrupted", "interrupted before it ended", "")
}
