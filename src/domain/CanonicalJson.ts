import { createHash } from "node:crypto"

const writeObject = (value: object): string => {
  const record = value as Readonly<Record<string, unknown>>
  const members: Array<string> = []
  for (const key of Object.keys(record).sort()) {
    const member = record[key]
    if (member === undefined || typeof member === "function" || typeof member === "symbol") continue
    members.push(`${JSON.stringify(key)}:${stringify(member)}`)
  }
  return `{${members.join(",")}}`
}

/**
 * The one text of a JSON value: keys sorted by UTF-16 code unit at every level, no white space, `undefined` members left
 * out, non-finite numbers as `null`. Two equal values always give the same text.
 */
export const stringify = (value: unknown): string => {
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null"
  if (Array.isArray(value)) return `[${value.map(stringify).join(",")}]`
  return writeObject(value)
}

/** sha256 of a UTF-8 text, 64 lower-case hex digits. */
export const sha256Hex = (text: string): string => createHash("sha256").update(text, "utf8").digest("hex")

/** sha256 of the canonical JSON of a value, 64 lower-case hex digits. */
export const hash = (value: unknown): string => sha256Hex(stringify(value))
