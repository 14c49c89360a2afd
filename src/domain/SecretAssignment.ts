/** What kind of name a secret is assigned to; it decides how much its value must look like one. */
export type NameKind = "password" | "secret" | "token" | "api_key"

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

const PLACEHOLDER_START = /^(?:\$|<|\{|\[|%|process\.env|os\.environ|import\.meta)/
const PLACEHOLDER =
  /^(?:[x*.•_-]+|your[-_ ]?.*|my[-_ ].*|example.*|change[-_ ]?me|placeholder|dummy|redacted|hidden|none|null|nil|undefined|true|false|required|optional|string|str|text|number|int|integer|bool|boolean|bytes|unknown|any|object|yes|no|on|off|default|env|password|passwd|secret|token|api[-_]?key|basic|bearer|auto|always|never|inherit)$/i

const isPlaceholder = (value: string): boolean => PLACEHOLDER_START.test(value) || PLACEHOLDER.test(value)

const mixesCases = (value: string): boolean => /[a-z]/.test(value) && /[A-Z]/.test(value)
const looksIssued = (value: string): boolean =>
  (value.length >= 8 && /\d/.test(value) && /[A-Za-z]/.test(value)) || (value.length >= 16 && mixesCases(value))

/** Whether a text that stands in quotes behind such a name, or as the member of that name, is a secret. */
const isQuotedSecret = (kind: NameKind, value: string): boolean => {
  if (value === "" || isPlaceholder(value)) return false
  if (kind === "token") return value.length >= 16 && !/\s/.test(value) ? true : looksIssued(value) && !/\s/.test(value)
  if (kind === "password") return value.length >= 3 && value.split(/\s/).length <= 6
  return value.length >= 6 && !/\s/.test(value)
}

/** Whether a bare word behind such a name is a secret: code and prose stand there too. */
const isBareSecret = (kind: NameKind, value: string, standsAlone: () => boolean): boolean => {
  if (isPlaceholder(value) || /[()[\]{}<>]/.test(value) || /^[A-Za-z_]+(?:\.[A-Za-z_]+)+$/.test(value)) return false
  if (kind === "password" && value.length >= 6 && /\d/.test(value) && /[A-Za-z]/.test(value)) return true
  if (value.length >= 8 && looksIssued(value) && !/^[A-Za-z_]+\d{0,2}$/.test(value)) return true
  return (kind === "token" ? value.length >= 8 && looksIssued(value) : value.length >= 4) && standsAlone()
}

/** The kind of secret that a member of this name holds; `undefined` for an ordinary name. */
export const nameKind = (name: string): NameKind | undefined =>
  NOT_SECRET_TOKEN.test(name) ? undefined : kindOf(WHOLE_NAME.exec(name.slice(-64))?.groups)

/** Whether the value of a member of that name is a secret. */
export const isSecretMember = (kind: NameKind, value: string): boolean => isQuotedSecret(kind, value)

/** So many characters of a value decide whether it is a secret; one that is goes to its very end. */
const JUDGED = 200

const OPERATOR = `(?<operator>\\\\{0,3}["'\`]?[ \\t]{0,8}(?:=>|:=|[:=])[ \\t]{0,8})`
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

const BARE_RUN = /[^\s"'`,;\\]*/y

const bareEnd = (text: string, from: number): number => {
  BARE_RUN.lastIndex = from
  return from + (BARE_RUN.exec(text)?.[0].length ?? 0)
}

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
  readonly open: string | undefined
  readonly bare: string | undefined
}

const isAlone = (text: string, { name, start, bare = "" }: Assignment): boolean =>
  restOfLineIsEmpty(text, start + bare.length) && startsLine(text, name)

const isSecretAt = (text: string, kind: NameKind, assignment: Assignment): boolean => {
  const { name, word, start, open, bare = "" } = assignment
  if (kind === "token" && NOT_SECRET_TOKEN.test(nameBefore(text, name, word))) return false
  return open === undefined
    ? isBareSecret(kind, bare, () => isAlone(text, assignment))
    : isQuotedSecret(kind, text.slice(start, quotedEnd(text, start, open, JUDGED)))
}

const valueEnd = (text: string, start: number, open: string | undefined): number =>
  open === undefined ? bareEnd(text, start) : quotedEnd(text, start, open, text.length)

/**
 * Takes out the values of assignments such as `password = …`, `"api_key": "…"`, `export TOKEN=…`, `secret: …`. The value of
 * an ordinary-looking assignment stays when it looks like code, prose or a placeholder.
 */
export const clean = (text: string, marker: (kind: string) => string, count: (kind: string) => void): string => {
  let cleaned = ""
  let done = 0
  ASSIGNMENT.lastIndex = 0
  for (let match = ASSIGNMENT.exec(text); match !== null; match = ASSIGNMENT.exec(text)) {
    const groups: Readonly<Record<string, string | undefined>> = match.groups ?? {}
    const kind = kindOf(groups)
    const { operator = "", open, bare } = groups
    const word = match[0].slice(0, match[0].length - operator.length - (open ?? bare ?? "").length)
    const start = ASSIGNMENT.lastIndex - (bare ?? "").length
    const assignment = { name: match.index, word, start, open, bare }
    const secret = kind !== undefined && isSecretAt(text, kind, assignment)
    const behind = secret ? valueEnd(text, start, open) : start
    if (secret) {
      cleaned += text.slice(done, start) + marker(kind)
      count(kind)
      done = behind
    }
    ASSIGNMENT.lastIndex = behind - (secret ? 0 : (open ?? "").length)
  }
  return cleaned + text.slice(done)
}
