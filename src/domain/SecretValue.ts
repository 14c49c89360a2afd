/** What kind of name a secret is assigned to; it decides how much its value must look like one. */
export type NameKind = "password" | "secret" | "token" | "api_key"

const PLACEHOLDER_START = /^(?:\$|<|\{|\[|%|process\.env|os\.environ|import\.meta)/
const PLACEHOLDER =
  /^(?:[x*.•_-]+|your[-_ ]?.*|my[-_ ].*|example.*|change[-_ ]?me|placeholder|dummy|redacted|hidden|none|null|nil|undefined|true|false|required|optional|string|str|text|number|int|integer|bool|boolean|bytes|unknown|any|object|yes|no|on|off|default|env|password|passwd|passwort|pass|secret|token|api[-_]?key|basic|bearer|auto|always|never|inherit|include|omit|same-origin)$/i

/** Whether a text only shows where a secret would stand. */
export const isPlaceholder = (value: string): boolean => PLACEHOLDER_START.test(value) || PLACEHOLDER.test(value)

/** Digits that belong to the names of types and algorithms. */
const TECHNICAL =
  /(?<![A-Za-z])(?:big)?(u?int|float|base|utf|sha|md|ed|x|rsa|aes|hmac|oauth|auth|web)-?\d{1,5}(?![0-9])(?:(?=[A-Z_-])|$)/gi
const LABEL = "[A-Za-z][a-z]*"
const JOINED = new RegExp(`^_{0,2}(?:${LABEL}(?:[_.:/-]{1,2}[A-Za-z]+)*|[A-Z]+(?:[_-][A-Z]+)*)$`)
const HUMPED = /^[A-Za-z]?[a-z]+(?:[A-Z][a-z]+)*$|^(?:[A-Z]{1,5}[a-z]+)+$/
const TYPE_ENDING =
  /^[A-Z][A-Za-z0-9]*(?:Array|Buffer|String|Bytes|Key|Secret|Token|Credentials?|Config|Options|Schema|Provider|Client|Type|View)$/
const SECRET_WORD = /pass(?:word|wd|phrase|wort)|secret|token|credential|key/i

const hasDigit = (value: string): boolean => /\d/.test(value)
const hasLetter = (value: string): boolean => /[A-Za-z]/.test(value)

/** `identifierName`, `TypeName`: words are longer than the runs of one case in a key of random letters. */
const isHumped = (value: string): boolean =>
  HUMPED.test(value) && value.replace(/[^A-Z]/g, "").length * 3 <= value.length

/** Whether a text is words that were joined as code joins them: `identifier_name`, `SOME_NAME`, `same-origin`, `Uint8Array`. */
const isIdentifier = (value: string): boolean => {
  const words = value.replace(TECHNICAL, "$1")
  return JOINED.test(words) || isHumped(words)
}

const PASSWORD_LABEL =
  /^(?:please |re)?(?:enter|type|your|new|old|current|confirm|repeat|forgot|reset|change|show|hide|invalid|wrong)\s.*pass(?:word|phrase|wort)/i

/** Whether a text names a secret instead of being one: `JWT_SECRET_KEY`, `clientSecret`, `Enter your password`. */
const namesSecret = (kind: NameKind, value: string): boolean => {
  if (hasDigit(value) || !SECRET_WORD.test(value)) return false
  if (kind === "password") return /^[A-Z]+(?:_[A-Z]+)+$/.test(value) || PASSWORD_LABEL.test(value)
  return /[\s_-]|[a-z][A-Z]/.test(value)
}

const looksIssued = (value: string): boolean => {
  if (value.length < 8) return false
  const mixed = hasDigit(value)
    ? hasLetter(value) || /^\d+$/.test(value)
    : value.length >= 16 && /[a-z]/.test(value) && /[A-Z]/.test(value)
  return mixed && !isIdentifier(value)
}

/** Where a secret is set by hand, as in an environment file, it may be words. */
const isSetting = (name: string): boolean => /^[A-Z][A-Z0-9_]*$/.test(name)

/** Whether a text that stands in quotes behind such a name, or as the member of that name, is a secret. */
export const isQuotedSecret = (kind: NameKind, name: string, value: string): boolean => {
  if (value === "" || isPlaceholder(value) || namesSecret(kind, value)) return false
  if (kind === "password") return value.length >= 3 && value.split(/\s/).length <= 6
  if (/\s/.test(value)) return false
  if (looksIssued(value)) return true
  return kind !== "token" && isSetting(name) && value.length >= 6 && !/^[A-Z0-9_]+$/.test(value)
}

const isTypeName = (kind: NameKind, value: string): boolean => {
  if (TYPE_ENDING.test(value)) return kind !== "password" || !hasDigit(value.replace(TECHNICAL, "$1"))
  return kind !== "password" && /^[A-Z]/.test(value) && isHumped(value.replace(TECHNICAL, "$1"))
}

/** Whether a bare word behind such a name is a secret: code and prose stand there too. */
export const isBareSecret = (kind: NameKind, name: string, value: string, standsAlone: () => boolean): boolean => {
  if (kind === "token" && !looksIssued(value)) return false
  if (isPlaceholder(value) || /[()[\]{}<>]/.test(value) || /^[A-Za-z_]+(?:\.[A-Za-z_]+)+$/.test(value)) return false
  if (!isSetting(name) && (isTypeName(kind, value) || namesSecret(kind, value))) return false
  if (kind === "password" && value.length >= 6 && hasDigit(value)) return hasLetter(value) || /^\d+$/.test(value)
  if (looksIssued(value) && hasLetter(value) && !/^[A-Za-z_]+\d{0,2}$/.test(value)) return true
  return (kind === "token" ? hasLetter(value) : value.length >= 4) && standsAlone()
}
