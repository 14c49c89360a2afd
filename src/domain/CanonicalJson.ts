import { hash as digest } from "node:crypto"

const NEEDS_NO_ESCAPE = /^[ !#-[\]-~]*$/

const writeString = (text: string): string => (NEEDS_NO_ESCAPE.test(text) ? `"${text}"` : JSON.stringify(text))

/** What stands between the quotes of a text: a line of few pieces brings its own quotes. */
export const inQuotes = (text: string): string =>
  NEEDS_NO_ESCAPE.test(text) ? text : JSON.stringify(text).slice(1, -1)

const KEY_TEXTS_LIMIT = 1000
const keyTexts = new Map<string, string>()

const writeKey = (key: string): string => {
  const known = keyTexts.get(key)
  if (known !== undefined) return known
  const text = `${writeString(key)}:`
  if (keyTexts.size < KEY_TEXTS_LIMIT && key.length <= 64) keyTexts.set(key, text)
  return text
}

const sortedKeys = (record: object): ReadonlyArray<string> => {
  const keys = Object.keys(record)
  let last: string | undefined
  for (const key of keys) {
    if (last !== undefined && last > key) return keys.length === 2 ? keys.reverse() : keys.sort()
    last = key
  }
  return keys
}

const writeObject = (value: object): string => {
  const record = value as Readonly<Record<string, unknown>>
  let text = ""
  for (const key of sortedKeys(record)) {
    const member = record[key]
    if (member === undefined || typeof member === "function" || typeof member === "symbol") continue
    text += `${text === "" ? "{" : ","}${writeKey(key)}${stringify(member)}`
  }
  return text === "" ? "{}" : `${text}}`
}

const writeArray = (values: ReadonlyArray<unknown>): string => {
  let text = "["
  for (let index = 0; index < values.length; index++) text += `${index === 0 ? "" : ","}${stringify(values[index])}`
  return `${text}]`
}

/**
 * The one text of a JSON value: keys sorted by UTF-16 code unit at every level, no white space, `undefined` members left
 * out, non-finite numbers as `null`. Two equal values always give the same text. Throws what `JSON.stringify` throws: a
 * `TypeError` for a bigint, a `RangeError` for a cycle.
 */
export const stringify = (value: unknown): string => {
  switch (typeof value) {
    case "string":
      return writeString(value)
    case "number":
      return Number.isFinite(value) ? String(value) : "null"
    case "boolean":
      return value ? "true" : "false"
    case "object":
      if (value === null) return "null"
      return Array.isArray(value) ? writeArray(value) : writeObject(value)
    default:
      return JSON.stringify(value) ?? "null"
  }
}

type Scalar = string | number | boolean | null

/**
 * {@link stringify} for one place in many records: a text or number that stood there the last time is not written again. What
 * can change inside is never remembered.
 */
export const remembering = (): ((value: Scalar) => string) => {
  let last: Scalar = ""
  let text = '""'
  return (value) => {
    if (typeof value === "object") return stringify(value)
    if (value !== last) {
      text = stringify(value)
      last = value
    }
    return text
  }
}

const canChange = (value: Scalar): boolean => typeof value === "object" && value !== null

/** {@link remembering} for a stretch of a record in which up to three such values stand; `write` says what it looks like. */
export const rememberingStretch = (
  write: (first: string, second: string, third: string) => string,
): ((first: Scalar, second?: Scalar, third?: Scalar) => string) => {
  let [one, two, three]: Array<Scalar | undefined> = []
  let text: string | undefined
  return (first, second = null, third = null) => {
    if (text !== undefined && first === one && second === two && third === three) return text
    const written = write(stringify(first), stringify(second), stringify(third))
    if (canChange(first) || canChange(second) || canChange(third)) return written
    one = first
    two = second
    three = third
    text = written
    return written
  }
}

/** sha256 of a text in UTF-8, or of bytes; 64 lower-case hex digits. */
export const sha256Hex = (text: string | Uint8Array): string => digest("sha256", text, "hex")

/** sha256 of the canonical JSON of a value, 64 lower-case hex digits. */
export const hash = (value: unknown): string => sha256Hex(stringify(value))
