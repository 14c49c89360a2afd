import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as JsonText from "../domain/JsonText.js"
import * as QuickDecode from "../domain/QuickDecode.js"
import { Invalid, type Issue } from "./ApiErrors.js"

const LONGEST_MESSAGE = 300

const TYPES: Readonly<Record<string, string>> = {
  Missing: "missing",
  Type: "type_error",
  Forbidden: "forbidden",
  Unexpected: "unexpected",
}

type Found = ParseResult.ArrayFormatterIssue

const place = (segment: PropertyKey): string | number => (typeof segment === "number" ? segment : String(segment))

const isAbsence = (message: string): boolean => /^Expected (null|undefined),/.test(message)

const samePlace = (left: Found, right: Found): boolean => left.path.join("\n") === right.path.join("\n")

/** A union complains once per member: that null was not given either, or the same twice, tells nobody anything. */
const worthTelling = (found: Found, index: number, all: ReadonlyArray<Found>): boolean =>
  !all.some(
    (other, at) =>
      at !== index &&
      samePlace(other, found) &&
      ((isAbsence(found.message) && !isAbsence(other.message)) || (at < index && other.message === found.message)),
  )

const shortened = (message: string): string =>
  message.length <= LONGEST_MESSAGE ? message : `${message.slice(0, LONGEST_MESSAGE)}…`

const messageOf = (found: Found): string => {
  if (found._tag === "Missing") return "is required"
  return found.path.length === 0 && found.message.startsWith("Expected Struct")
    ? "expected a JSON object"
    : found.message
}

/** What a schema found wrong, under the place of the whole (`["body"]`). */
export const issues = (loc: ReadonlyArray<string | number>, all: ReadonlyArray<Found>): ReadonlyArray<Issue> =>
  all.filter(worthTelling).map((found) => ({
    loc: [...loc, ...found.path.map(place)],
    msg: shortened(messageOf(found)),
    type: TYPES[found._tag] ?? "value_error",
  }))

const issuesOf = (loc: ReadonlyArray<string | number>, error: ParseResult.ParseError): ReadonlyArray<Issue> =>
  issues(loc, ParseResult.ArrayFormatter.formatErrorSync(error))

/** One thing wrong, said by hand. */
export const one = (loc: ReadonlyArray<string | number>, msg: string, type = "value_error"): Invalid =>
  new Invalid({ detail: [{ loc, msg, type }] })

/** Whether a value is already known to nest within bounds and to hold no number beyond a double. */
export type Soundness = "sound" | "unknown"

/** Decodes with a schema; what is wrong is an {@link Invalid} that lists everything, placed under `loc`. */
export const decoder = <A, I>(schema: Schema.Schema<A, I>, options?: { readonly keepUnknown: boolean }) => {
  const keepUnknown = options?.keepUnknown === true
  const quick = QuickDecode.make(schema, { keepUnknown })
  const decode = Schema.decodeUnknownEither(schema, {
    errors: "all",
    onExcessProperty: keepUnknown ? "preserve" : "ignore",
  })
  return (
    value: unknown,
    soundness: Soundness = "unknown",
    loc: ReadonlyArray<string | number> = ["body"],
  ): Either.Either<A, Invalid> => {
    const flaw = soundness === "sound" ? undefined : JsonText.flaw(value)
    if (flaw !== undefined) return Either.left(one(loc, flaw))
    const valid = quick(value)
    return valid === QuickDecode.UNSURE
      ? Either.mapLeft(decode(value), (error) => new Invalid({ detail: issuesOf(loc, error) }))
      : Either.right(valid)
  }
}

/** All of it in one line, as the batch reply and operation results say it. */
export const inWords = (error: Invalid): string =>
  error.detail
    .slice(0, 5)
    .map((issue) => `${issue.loc.slice(1).join(".") || "it"}: ${issue.msg}`)
    .join("; ")
