import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

/** How deep arrays and objects may nest. */
export const MAX_NESTING = 100

/** Why bytes were not taken for JSON. */
export class JsonTextError extends Data.TaggedError("JsonTextError")<{
  readonly reason: "encoding" | "nesting" | "syntax"
  readonly message: string
}> {}

const QUOTE = 0x22
const BACKSLASH = 0x5c

const opens = (byte: number): boolean => byte === 0x7b || byte === 0x5b
const closes = (byte: number): boolean => byte === 0x7d || byte === 0x5d

const isTooDeep = (bytes: Uint8Array, most: number): boolean => {
  let depth = 0
  let inText = false
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] ?? 0
    if (inText) {
      if (byte === BACKSLASH) index += 1
      else if (byte === QUOTE) inText = false
    } else if (byte === QUOTE) inText = true
    else if (opens(byte)) {
      depth += 1
      if (depth > most) return true
    } else if (closes(byte)) depth -= 1
  }
  return false
}

const strictly = new TextDecoder("utf-8", { fatal: true })

/** Strict UTF-8. */
export const decodeUtf8 = (bytes: Uint8Array): Either.Either<string, JsonTextError> =>
  Either.try({
    try: () => strictly.decode(bytes),
    catch: () => new JsonTextError({ reason: "encoding", message: "The text is not valid UTF-8." }),
  })

/** Parses a text whose depth is known to be harmless. */
export const parseText = (text: string): Either.Either<unknown, JsonTextError> =>
  Either.try({
    try: (): unknown => JSON.parse(text),
    catch: () => new JsonTextError({ reason: "syntax", message: "The text is not valid JSON." }),
  })

/** The refusal of what nests deeper than `most` levels. */
export const tooDeep = (most: number): JsonTextError =>
  new JsonTextError({ reason: "nesting", message: `The JSON nests deeper than ${most} levels. Flatten it.` })

/**
 * Reads JSON that nobody vouches for: strict UTF-8, at most `most` levels (told before parsing, so that no later step meets a
 * deep value), then the platform's parser. What it reads it keeps faithfully: NUL, lone surrogates and keys
 * such as `__proto__` come back as ordinary data, and never touch a prototype.
 */
export const parse = (bytes: Uint8Array, most = MAX_NESTING): Either.Either<unknown, JsonTextError> =>
  isTooDeep(bytes, most) ? Either.left(tooDeep(most)) : Either.flatMap(decodeUtf8(bytes), parseText)

/** Why a parsed value could not be kept as it was sent, if so: it nests too deep, or a number of it is beyond every double. */
export const flaw = (value: unknown, depth = 0): string | undefined => {
  if (typeof value === "number")
    return Number.isFinite(value) ? undefined : "holds a number beyond the range of a double"
  if (typeof value !== "object" || value === null) return undefined
  if (depth >= MAX_NESTING) return `nests deeper than ${MAX_NESTING} levels`
  for (const member of Object.values(value)) {
    const found = flaw(member, depth + 1)
    if (found !== undefined) return found
  }
  return undefined
}

const LONE_SURROGATE = /\p{Surrogate}/u

/** Whether every store keeps the text as it is: no NUL, no lone surrogate. Ids must be plain. */
export const isPlainText = (text: string): boolean => !text.includes("\u0000") && !LONE_SURROGATE.test(text)

/** The text with U+FFFD in place of what a store may refuse. */
export const toPlainText = (text: string): string =>
  isPlainText(text) ? text : text.replaceAll("\u0000", "\uFFFD").replace(/\p{Surrogate}/gu, "\uFFFD")

/**
 * A JSON object taken as it is. Unlike a record schema it copies nothing, so that a member named `__proto__` stays a member
 * and costs nothing to pass on.
 */
export const JsonObject = Schema.declare(
  (value: unknown): value is Readonly<Record<string, unknown>> =>
    typeof value === "object" && value !== null && !Array.isArray(value),
  {
    identifier: "JsonObject",
    description: "a JSON object",
    message: () => "expected a JSON object",
    jsonSchema: { type: "object" },
    arbitrary: () => (fc) => fc.dictionary(fc.string(), fc.jsonValue()),
  },
)
