import * as SecretAssignment from "./SecretAssignment.js"
import * as SecretValue from "./SecretValue.js"

/** What was taken out of a text: how it looked and how often. */
export type Found = ReadonlyMap<string, number>

/** A text without secrets. */
export interface Cleaned {
  readonly text: string
  readonly found: Found
}

/** What stands where a secret stood. */
export const marker = (kind: string): string => `[REDACTED:${kind}]`

interface Rule {
  readonly kind: string
  readonly pattern: RegExp
  /** What replaces a match; `undefined` when it is no secret after all. */
  readonly replace?: (match: string, ...groups: ReadonlyArray<string | undefined>) => string | undefined
}

/** Not in the middle of a word or of base64; a letter may belong to an escape such as `\n`. */
const START = "(?:(?<![A-Za-z0-9+/_])|(?<=\\\\[nrtbf]))"

/** No secret is longer; one greedy run over megabytes would overflow the stack of the expression. */
const LONGEST_RUN = 65_536

/** In the source `{n,}` is open only up to that length. */
const pattern = (source: string, flags = "g"): RegExp => new RegExp(source.replaceAll(",}", `,${LONGEST_RUN}}`), flags)

const hasDigit = (text: string): boolean => /\d/.test(text)
const isPlaceholder = (text: string): boolean => /^(?:\$|<|\{|\[|%|\*+$|x+$|\.+$)/i.test(text)

const looksIssued = (text: string): boolean =>
  (text.length >= 8 && hasDigit(text)) || (text.length >= 16 && /[a-z]/.test(text) && /[A-Z]/.test(text))

const isCredentials = (encoded: string): boolean =>
  /^[\x20-\x7e]{0,256}:[\x20-\x7e]*$/.test(Buffer.from(encoded, "base64").toString("latin1"))

/** As an option names them; what closes a quotation or a sentence is no part of them. */
const USER_PASSWORD = "([^\\s:\"'`\\\\/]{1,128}):([^\\s\"'`\\\\<>]{1,512})"

const isUserPassword = (user = "", password = "", atLeast = 1): boolean =>
  password.length >= atLeast &&
  password !== user &&
  !password.startsWith("[REDACTED:") &&
  !SecretValue.isPlaceholder(password)

/**
 * Every rule is linear: it starts at a fixed word, consumes one run of characters without alternatives inside, and fails only
 * within a bounded number of characters.
 */
const RULES: ReadonlyArray<Rule> = [
  { kind: "anthropic_key", pattern: pattern("sk-ant-[A-Za-z0-9_-]{16,}") },
  { kind: "openai_key", pattern: pattern("sk-(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{16,}") },
  {
    kind: "openai_key",
    pattern: pattern(`${START}sk-[A-Za-z0-9_-]{20,}`),
    replace: (match) => (hasDigit(match) && !/-[a-z]+-[a-z]+-/.test(match) ? marker("openai_key") : undefined),
  },
  {
    kind: "aws_key",
    pattern: pattern(`${START}(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9+/])`),
  },
  {
    kind: "aws_secret",
    pattern: pattern(`(\\[REDACTED:aws_key\\][\\s,;:|"'\\\\]{1,8})[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/=])`),
    replace: (_match, before) => `${before}${marker("aws_secret")}`,
  },
  { kind: "github_token", pattern: pattern("gh[opusr]_[A-Za-z0-9]{20,}") },
  { kind: "github_token", pattern: pattern("github_pat_[A-Za-z0-9_]{20,}") },
  { kind: "gitlab_token", pattern: pattern("gl(?:pat|ptt|dt|rt|cbt|soat)-[A-Za-z0-9_-]{16,}") },
  { kind: "slack_token", pattern: pattern("xox[abcdeoprs]-[A-Za-z0-9-]{8,}") },
  { kind: "slack_token", pattern: pattern("xapp-[0-9]-[A-Za-z0-9-]{8,}") },
  { kind: "google_key", pattern: pattern(`${START}AIza[A-Za-z0-9_-]{35}`) },
  { kind: "npm_token", pattern: pattern("npm_[A-Za-z0-9]{30,}") },
  { kind: "pypi_token", pattern: pattern("pypi-AgE[A-Za-z0-9_-]{30,}") },
  { kind: "huggingface_token", pattern: pattern(`${START}hf_[A-Za-z0-9]{30,}`) },
  { kind: "stripe_key", pattern: pattern("(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{10,}") },
  { kind: "groq_key", pattern: pattern(`${START}gsk_[A-Za-z0-9]{20,}`) },
  { kind: "sendgrid_key", pattern: pattern(`${START}SG\\.[A-Za-z0-9_-]{16,64}\\.[A-Za-z0-9_-]{16,}`) },
  { kind: "stripe_key", pattern: pattern("whsec_[A-Za-z0-9+/=]{20,}") },
  {
    kind: "jwt",
    pattern: pattern(`${START}eyJ[A-Za-z0-9_-]{8,}((?:\\.[A-Za-z0-9_-]{1,}){0,4})`),
    replace: (_match, parts) => (parts === undefined || parts === "" ? undefined : marker("jwt")),
  },
  {
    kind: "url_userinfo",
    pattern: pattern(`://([^\\s/?#"'<>\`\\\\]{1,512})@`),
    replace: (_match, userinfo) => (isSecretUserinfo(userinfo ?? "") ? `://${marker("url_userinfo")}@` : undefined),
  },
  {
    kind: "bearer_token",
    pattern: pattern("\\b(Bearer\\s{1,8})([A-Za-z0-9._~+/=-]{8,})", "gi"),
    replace: (_match, scheme, value) => (looksIssued(value ?? "") ? `${scheme}${marker("bearer_token")}` : undefined),
  },
  {
    kind: "basic_credentials",
    pattern: pattern("\\b(Basic\\s{1,8})([A-Za-z0-9+/_-]{4,}={0,2})", "gi"),
    replace: (_match, scheme, value) =>
      isCredentials((value ?? "").slice(0, 1024)) ? `${scheme}${marker("basic_credentials")}` : undefined,
  },
  {
    kind: "basic_credentials",
    pattern: pattern(`(\\bcurl\\b[^\\n]{0,200}?[\\s"'](?:-[uU]|--user|--proxy-user)[ \\t=]{0,8}["']?)${USER_PASSWORD}`),
    replace: (_match, before, user, password) =>
      isUserPassword(user, password, 4) ? `${before}${user}:${marker("basic_credentials")}` : undefined,
  },
  {
    kind: "basic_credentials",
    pattern: pattern(`((?<![\\w-])(?:-[uU]|--user|--proxy-user)[ \\t=]{1,8}["']?)${USER_PASSWORD}`),
    replace: (_match, before, user, password = "") =>
      isUserPassword(user, password, 8) && hasDigit(password) && /[A-Za-z]/.test(password)
        ? `${before}${user}:${marker("basic_credentials")}`
        : undefined,
  },
]

const isSecretUserinfo = (userinfo: string): boolean => {
  if (userinfo.startsWith("[REDACTED:")) return false
  const colon = userinfo.indexOf(":")
  if (colon === -1) return userinfo.length >= 20 && looksIssued(userinfo)
  const password = userinfo.slice(colon + 1)
  return password !== "" && !isPlaceholder(password)
}

const PEM_BEGIN = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g
/** One piece of a body: a run of base64, what stands between two of its lines, or a header line. */
const PEM_PIECE =
  /[A-Za-z0-9/+=]{16,4096}|\\{1,4}[nr]|[\s"',+]{1,4096}|(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset|MessageID):[^\r\n\\"'`]{0,200}/y
/** What a run that was longer than one piece leaves. */
const PEM_REST = /[A-Za-z0-9/+=]{1,4096}/y
const PEM_END = /-----END [A-Z0-9 ]{0,40}-----/y

const pieceEnd = (piece: RegExp, text: string, from: number): number => {
  piece.lastIndex = from
  return piece.test(text) ? piece.lastIndex : from
}

/** Where a private key that begins before `from` ends: behind its END line, or behind its body when it was cut off. */
const pemEnd = (text: string, from: number): number => {
  const dashes = text.indexOf("-----", from)
  if (dashes !== -1) {
    PEM_END.lastIndex = dashes
    if (PEM_END.test(text)) return PEM_END.lastIndex
  }
  let end = from
  for (let piece = pieceEnd(PEM_PIECE, text, end); piece !== end; piece = pieceEnd(PEM_PIECE, text, end))
    end = piece - end === 4096 ? pieceEnd(PEM_REST, text, piece) : piece
  return end
}

type Count = (kind: string) => void

const withoutPrivateKeys = (text: string, count: Count): string => {
  if (!text.includes("-----BEGIN ")) return text
  let cleaned = ""
  let done = 0
  PEM_BEGIN.lastIndex = 0
  for (let begin = PEM_BEGIN.exec(text); begin !== null; begin = PEM_BEGIN.exec(text)) {
    const end = pemEnd(text, PEM_BEGIN.lastIndex)
    cleaned += text.slice(done, begin.index) + marker("private_key")
    count("private_key")
    done = end
    PEM_BEGIN.lastIndex = end
  }
  return cleaned + text.slice(done)
}

const withoutLiterals = (text: string, literals: ReadonlyArray<string>, count: Count): string =>
  literals.reduce((cleaned, literal) => {
    const parts = cleaned.split(literal)
    for (let n = 1; n < parts.length; n++) count("known_secret")
    return parts.join(marker("known_secret"))
  }, text)

const withoutMatches = (text: string, rule: Rule, count: Count): string =>
  text.replace(rule.pattern, (match: string, ...groups: ReadonlyArray<unknown>) => {
    const captured = groups.map((group) => (typeof group === "string" ? group : undefined))
    const replacement = rule.replace === undefined ? marker(rule.kind) : rule.replace(match, ...captured)
    if (replacement === undefined) return match
    count(rule.kind)
    return replacement
  })

/** Shortest literal secret that is looked for: a shorter one would stand in every other word. */
export const MIN_LITERAL = 4

/** The texts under which given secrets may appear: as they are, in JSON, in a URL. Longest first. */
export const literalForms = (secrets: ReadonlyArray<string>): ReadonlyArray<string> => {
  const forms = secrets
    .filter((secret) => secret.length >= MIN_LITERAL)
    .flatMap((secret) => [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret.replace(/\p{Surrogate}/gu, "")),
    ])
  return [...new Set(forms)].sort((left, right) => right.length - left.length)
}

/**
 * Takes secrets out of a text, in time linear in its length. `literals` are the forms of secrets known beforehand
 * ({@link literalForms}). What it finds it finds by shape, so a secret that looks like an ordinary word may stay.
 */
export const clean = (text: string, literals: ReadonlyArray<string>): Cleaned => {
  const found = new Map<string, number>()
  const count = (kind: string): void => {
    found.set(kind, (found.get(kind) ?? 0) + 1)
  }
  const known = withoutPrivateKeys(withoutLiterals(text, literals, count), count)
  const shaped = RULES.reduce((cleaned, rule) => withoutMatches(cleaned, rule, count), known)
  return { text: SecretAssignment.clean(shaped, marker, count), found }
}
