import type { Redaction } from "./Evidence.js"
import * as SecretAssignment from "./SecretAssignment.js"
import * as SecretText from "./SecretText.js"

/** A value without secrets, and what was taken out of it. */
export interface Redacted {
  readonly value: unknown
  readonly redactions: ReadonlyArray<Redaction>
}

const IDENTIFIER = /^[A-Za-z_$][A-Za-z0-9_$]*$/

const memberPath = (path: string, key: string): string =>
  IDENTIFIER.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`

type Clean = (text: string) => SecretText.Cleaned

const REMEMBERED_LENGTH = 64
const REMEMBERED_TEXTS = 1000
const NOTHING_FOUND: SecretText.Found = new Map()

/**
 * Names of members, roles and models come again with every call, and looking through each for every kind of secret takes
 * longer than writing all of it to the disk: short texts that have been found clean are remembered. Nothing secret is.
 */
const rememberingClean = (literals: ReadonlyArray<string>): Clean => {
  const known = new Set<string>()
  return (text) => {
    if (known.has(text)) return { text, found: NOTHING_FOUND }
    const cleaned = SecretText.clean(text, literals)
    if (text.length <= REMEMBERED_LENGTH && cleaned.text === text && cleaned.found.size === 0) {
      if (known.size >= REMEMBERED_TEXTS) known.clear()
      known.add(text)
    }
    return cleaned
  }
}

/** One walk over a value. Keys are cleaned too; two that become the same stay apart by a number. */
const walker = (cleanOf: Clean) => {
  const redactions: Array<Redaction> = []

  const cleanText = (text: string, path: string): string => {
    const cleaned = cleanOf(text)
    for (const [kind, count] of cleaned.found) redactions.push({ path, kind, count })
    return cleaned.text
  }

  const cleanMember = (key: string, value: unknown, path: string): unknown => {
    if (typeof value !== "string") return clean(value, path)
    const cleaned = cleanText(value, path)
    const kind = SecretAssignment.nameKind(key)
    if (cleaned !== value || kind === undefined || !SecretAssignment.isSecretMember(kind, key, value)) return cleaned
    redactions.push({ path, kind, count: 1 })
    return SecretText.marker(kind)
  }

  const cleanKey = (key: string, path: string, taken: ReadonlySet<string>): string => {
    const cleaned = cleanText(key, path)
    if (cleaned === key) return key
    let unique = cleaned
    for (let n = 2; taken.has(unique); n++) unique = `${cleaned}~${n}`
    return unique
  }

  const cleanRecord = (record: object, path: string): unknown => {
    const members: Array<readonly [string, unknown]> = []
    const taken = new Set(Object.keys(record))
    for (const [key, value] of Object.entries(record)) {
      const safeKey = cleanKey(key, path, taken)
      taken.add(safeKey)
      members.push([safeKey, cleanMember(key, value, memberPath(path, safeKey))])
    }
    return Object.fromEntries(members)
  }

  const clean = (value: unknown, path: string): unknown => {
    if (typeof value === "string") return cleanText(value, path)
    if (Array.isArray(value)) return value.map((member, index) => clean(member, `${path}[${index}]`))
    return typeof value === "object" && value !== null ? cleanRecord(value, path) : value
  }

  return { clean, redactions }
}

/** Finds secrets: those of known shapes, and the given ones wherever they appear. */
export interface Redactor {
  /** The value with `[REDACTED:<kind>]` where secrets stood, and where that was: JSON paths that begin with `path`. */
  readonly redact: (value: unknown, path?: string) => Redacted
  /** The same for one text. */
  readonly redactText: (text: string) => string
}

/** `secrets` are literal ones, at least {@link SecretText.MIN_LITERAL} characters long; shorter ones are not looked for. */
export const make = (secrets: ReadonlyArray<string> = []): Redactor => {
  const cleanOf = rememberingClean(SecretText.literalForms(secrets))
  return {
    redact: (value, path = "$") => {
      const { clean, redactions } = walker(cleanOf)
      return { value: clean(value, path), redactions }
    },
    redactText: (text) => cleanOf(text).text,
  }
}

/** A text without secrets of known shapes. */
export const text = (value: string): string => SecretText.clean(value, []).text
