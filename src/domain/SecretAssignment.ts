import { isBareSecret, isQuotedSecret, type NameKind } from "./SecretValue.js"

const NAMES: ReadonlyArray<readonly [NameKind, string]> = [
  ["password", "password|passwd|passphrase|passwort|pwd"],
  [
    "api_key",
    "api[_-]?key|access[_-]?key(?:[_-]?id)?|secret[_-]?key|private[_-]?key|encryption[_-]?key|signing[_-]?key|account[_-]?key",
  ],
  ["token", "token"],
  ["secret", "secret|credentials?"],
]

const NAME = NAMES.map(([kind, words]) => `(?<${kind}>${words})`).join("|")
const NOT_SECRET_TOKEN = /(?:page|continuation|eos|bos|pad|unk|sep|cls|mask|stop|start|end|special|sync)[_-]?token$/i
const WHOLE_NAME = new RegExp(`(?:${NAME})$`, "i")

const kindOf = (groups: Readonly<Record<string, string | undefined>> | undefined): NameKind | undefined =>
  NAMES.find(([kind]) => groups?.[kind] !== undefined)?.[0]

/** The kind of secret that a member of this name holds; `undefined` for an ordinary name. */
export const nameKind = (name: string): NameKind | undefined =>
  NOT_SECRET_TOKEN.test(name) ? undefined : kindOf(WHOLE_NAME.exec(name.slice(-64))?.groups)

/** So many characters of a value decide whether it is a secret; one that is goes to its very end. */
const JUDGED = 200

/** Whether the value of a member of that name, which is of that kind, is a secret. */
export const isSecretMember = (kind: NameKind, name: string, value: string): boolean =>
  isQuotedSecret(kind, name, value.slice(0, JUDGED))

/** Behind `--password` a blank assigns, behind `<password` the tag's end does. */
const OPERATOR = `(?<operator>\\\\{0,3}["'\`]?[ \\t]{0,8}(?:=>|:=|[:=])[ \\t]{0,8}|(?<loose>[ \\t]{1,8}|>))`
const VALUE = `(?:(?<open>\\\\{0,3}["'\`])|(?<bare>[^\\s"'\`,;\\\\]{1,${JUDGED}}))`
const ASSIGNMENT = new RegExp(`(?:${NAME})${OPERATOR}${VALUE}`, "gi")

/** Where the text that an opening quote began ends: before the same quote, as deeply escaped, or before the line's end. */
const quotedEnd = (text: string, from: number, open: string, limit: number): number => {
  const quote = open.at(-1)
  const escapes = open.length - 1
  const stop = Math.min(text.length, from + limit)
  let at = from
  while (at < stop) {
    const character = text[at]
    if (character === "\n" || character === "\r" || character === quote) return at
    let behind = at
    while (text[behind] === "\\") behind++
    if (behind > at && escapes > 0 && text[behind] === quote && behind - at <= escapes) return at
    at = behind > at ? behind + 1 : at + 1
  }
  return stop
}

/** Bounded, because one greedy run over megabytes overflows the stack of the expression. */
const BARE_RUN = /[^\s"'`,;\\]{1,65536}/y

const bareEnd = (text: string, from: number): number => {
  BARE_RUN.lastIndex = from
  let end = from
  while (BARE_RUN.test(text)) end = BARE_RUN.lastIndex
  return end
}

/** The part of a bare word before what closes the object or element that it stands in. */
const CLOSED = /^([^()[\]{}<>]+)(?:[}\]]|<\/)/

const restOfLineIsEmpty = (text: string, from: number): boolean =>
  /^[ \t]{0,8}(?:\r|\n|$|\\n|#)/.test(text.slice(from, from + 16))

const LINE_START_WINDOW = 80

/** Whether nothing but the name itself stands before it on its line; a line may also begin behind a written-out `\\n`. */
const startsLine = (text: string, at: number): boolean => {
  const from = Math.max(0, at - LINE_START_WINDOW)
  const before = text.slice(from, at)
  const real = before.lastIndexOf("\n")
  const written = before.lastIndexOf("\\n")
  const start = Math.max(real === -1 ? -1 : real + 1, written === -1 ? -1 : written + 2)
  if (start === -1 && from > 0) return false
  return /^[ \t]*(?:- |export |set |ENV )?[ \t]*["']?[A-Za-z0-9_.-]*$/.test(before.slice(Math.max(0, start)))
}

const nameBefore = (text: string, at: number, word: string): string =>
  `${/[A-Za-z0-9_-]{0,32}$/.exec(text.slice(Math.max(0, at - 32), at))?.[0] ?? ""}${word}`

interface Assignment {
  /** Where the secret word of the name begins, and the word. */
  readonly name: number
  readonly word: string
  /** Where the value begins, behind its opening quote when it has one. */
  readonly start: number
  /** What assigns it where neither `=` nor `:` does. */
  readonly loose: string | undefined
  readonly open: string | undefined
  readonly bare: string | undefined
  /** Whether the bare value ends where something around it is closed. */
  readonly closed: boolean
}

const isAlone = (text: string, { name, start, bare = "" }: Assignment): boolean =>
  restOfLineIsEmpty(text, start + bare.length) && startsLine(text, name)

/** Whether the loose operator assigns here: nothing but an option's or an element's name stands before it. */
const isLooseHere = (text: string, at: number, loose: string): boolean => {
  const before = text.slice(Math.max(0, at - 40), at)
  return loose === ">" ? /<[A-Za-z0-9_.:-]{0,32}$/.test(before) : /(?<![^\s"'`[(])--[A-Za-z0-9_-]{0,32}$/.test(before)
}

const standsAlone = (text: string, kind: NameKind, assignment: Assignment): boolean => {
  const { start, bare = "", loose } = assignment
  if (loose === undefined) return isAlone(text, assignment)
  return loose === ">" && kind === "password" && text.startsWith("</", start + bare.length)
}

const isSecretAt = (text: string, kind: NameKind, assignment: Assignment): boolean => {
  const { name, word, start, open, bare = "", loose } = assignment
  if (loose !== undefined && !isLooseHere(text, name, loose)) return false
  const whole = nameBefore(text, name, word)
  if (kind === "token" && NOT_SECRET_TOKEN.test(whole)) return false
  return open === undefined
    ? isBareSecret(kind, whole, bare, () => standsAlone(text, kind, assignment))
    : isQuotedSecret(kind, whole, text.slice(start, quotedEnd(text, start, open, JUDGED)))
}

const valueEnd = (text: string, { start, open, bare = "", closed }: Assignment): number => {
  if (open !== undefined) return quotedEnd(text, start, open, text.length)
  return closed ? start + bare.length : bareEnd(text, start)
}

const assignmentOf = (match: RegExpExecArray): Assignment => {
  const { operator = "", loose, open, bare } = match.groups ?? {}
  const end = match.index + match[0].length
  const closed = bare === undefined ? undefined : CLOSED.exec(bare)?.[1]
  return {
    name: match.index,
    word: match[0].slice(0, match[0].length - operator.length - (open ?? bare ?? "").length),
    loose,
    start: end - (bare ?? "").length,
    open,
    bare: closed ?? bare,
    closed: closed !== undefined,
  }
}

/**
 * Takes out the values of assignments such as `password = …`, `"api_key": "…"`, `export TOKEN=…`, `secret: …`,
 * `--password …`, `<password>…`. The value of an ordinary-looking assignment stays when it looks like code, prose or a
 * placeholder.
 */
export const clean = (text: string, marker: (kind: string) => string, count: (kind: string) => void): string => {
  let cleaned = ""
  let done = 0
  ASSIGNMENT.lastIndex = 0
  for (let match = ASSIGNMENT.exec(text); match !== null; match = ASSIGNMENT.exec(text)) {
    const kind = kindOf(match.groups)
    const assignment = assignmentOf(match)
    const { start, open = "" } = assignment
    const secret = kind !== undefined && isSecretAt(text, kind, assignment)
    const behind = secret ? valueEnd(text, assignment) : start
    if (secret) {
      cleaned += text.slice(done, start) + marker(kind)
      count(kind)
      done = behind
    }
    ASSIGNMENT.lastIndex = behind - (secret ? 0 : open.length)
  }
  return cleaned + text.slice(done)
}
