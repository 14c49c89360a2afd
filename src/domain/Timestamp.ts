import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

const ISO_WITH_ZONE =
  /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|z|[+-]\d{2}(?::?\d{2})?)$/

const zoneOffsetMinutes = (zone: string): number => {
  if (zone === "Z" || zone === "z") return 0
  const digits = zone.slice(1).replace(":", "")
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || "0")
  return zone.startsWith("-") ? -minutes : minutes
}

/** Epoch milliseconds of an ISO-8601 text with a zone, or `undefined` when it is not one or names no real instant. */
export const parseMillis = (text: string): number | undefined => {
  const match = ISO_WITH_ZONE.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second = "0", fraction = "", zone = "Z"] = match
  const offset = zoneOffsetMinutes(zone)
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59 || Math.abs(offset) > 18 * 60) return undefined
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined
  const millis = Number(fraction.slice(0, 3).padEnd(3, "0"))
  date.setUTCHours(Number(hour), Number(minute) - offset, Number(second), millis)
  const utcYear = date.getUTCFullYear()
  return utcYear < 0 || utcYear > 9999 ? undefined : date.getTime()
}

const STORED_LENGTH = "1970-01-01T00:00:00.000Z".length

/** Whether a text that names an instant is already as it is stored. */
const isStored = (text: string): boolean =>
  text.length === STORED_LENGTH && text[10] === "T" && text[19] === "." && text.endsWith("Z")

let lastMillis = 0
let lastText = "1970-01-01T00:00:00.000Z"

/**
 * UTC with milliseconds and `Z`: the only form in which an instant is stored or returned. Throws a `RangeError` for what is no
 * instant.
 */
export const fromMillis = (epochMillis: number): string => {
  if (epochMillis !== lastMillis) {
    lastText = new Date(epochMillis).toISOString()
    lastMillis = epochMillis
  }
  return lastText
}

/** Any ISO-8601 instant with a zone on the wire; UTC with milliseconds and `Z` once decoded. A text without a zone is refused. */
export const Timestamp = Schema.transformOrFail(Schema.String, Schema.String, {
  strict: true,
  decode: (text, _options, ast) => {
    const millis = parseMillis(text)
    return millis === undefined
      ? ParseResult.fail(
          new ParseResult.Type(ast, text, "expected an ISO-8601 timestamp with a zone, such as 2026-01-31T12:00:00Z"),
        )
      : ParseResult.succeed(isStored(text) ? text : fromMillis(millis))
  },
  encode: (text) => ParseResult.succeed(text),
}).annotations({ identifier: "Timestamp", jsonSchema: { type: "string", format: "date-time" } })
