/** A JSON object as it was parsed. */
export type Json = Readonly<Record<string, unknown>>

/** What a rule says of a value that the contract refuses. */
export const REFUSED: unique symbol = Symbol("refused")

type Rule = (value: unknown) => unknown

const STATUSES = ["running", "success", "failure", "partial", "timeout", "cancelled"]
const ALIASES: Json = { failed: "failure", completed: "success", succeeded: "success", canceled: "cancelled" }

const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?:([Zz])|([+-])(\d\d):?(\d\d)?)$/
const MINUTE = 60_000
const LONGEST_OFFSET = 18 * 60

/** Whether a value is a JSON object. */
export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A member that the object itself has. */
export const own = (object: Json, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined)

/** No NUL, no half of a surrogate pair. */
export const isPlain = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text)

/** As columns keep a text that is not plain. */
export const plain = (text: string): string => text.replace(/[\0\p{Surrogate}]/gu, "\uFFFD")

/** How deep arrays and objects nest. */
export const depth = (value: unknown): number => {
  if (typeof value !== "object" || value === null) return 0
  let deepest = 0
  for (const member of Object.values(value)) deepest = Math.max(deepest, depth(member))
  return deepest + 1
}

const holdsInfinity = (value: unknown): boolean => {
  if (typeof value === "number") return !Number.isFinite(value)
  return typeof value === "object" && value !== null && Object.values(value).some(holdsInfinity)
}

/** What cannot be kept as it was sent. */
export const isFlawed = (value: unknown): boolean => depth(value) > 100 || holdsInfinity(value)

const word =
  (longest: number): Rule =>
  (value) =>
    typeof value === "string" && value.length > 0 && value.length <= longest && isPlain(value) ? value : REFUSED

export const id = word(255)
const name = word(1024)

const text: Rule = (value) => (typeof value === "string" || value === null ? value : REFUSED)

/** UTC with milliseconds. */
export const instant: Rule = (value) => {
  if (value === null) return null
  const parts = typeof value === "string" ? TIME.exec(value) : null
  if (parts === null) return REFUSED
  const [, day = "", minute = "", second = "00", fraction = "", , sign, hours = "0", minutes = "0"] = parts
  const local = `${day}T${minute}:${second}.${`${fraction}000`.slice(0, 3)}Z`
  const millis = Date.parse(local)
  if (Number.isNaN(millis) || new Date(millis).toISOString() !== local) return REFUSED
  const offset = Number(hours) * 60 + Number(minutes)
  if (offset > LONGEST_OFFSET) return REFUSED
  const utc = new Date(millis - (sign === "-" ? -offset : offset) * MINUTE)
  return /^\d{4}-/.test(utc.toISOString()) ? utc.toISOString() : REFUSED
}

const count: Rule = (value) => {
  if (value === null) return 0
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value + 0 : REFUSED
}

const flag: Rule = (value) => {
  if (value === null) return false
  return typeof value === "boolean" ? value : REFUSED
}

const object: Rule = (value) => {
  if (value === null) return null
  return isObject(value) ? JSON.parse(JSON.stringify(value)) : REFUSED
}

/** A status by its name or an alias. */
export const status: Rule = (value) => {
  if (typeof value !== "string") return REFUSED
  return STATUSES.includes(value) ? value : (own(ALIASES, value) ?? REFUSED)
}

const required =
  (rule: Rule): Rule =>
  (value) =>
    value === null ? REFUSED : rule(value)

const rules = (names: string, rule: Rule): Readonly<Record<string, Rule>> =>
  Object.fromEntries(names.split(" ").map((field) => [field, rule]))

const PATCH: Readonly<Record<string, Rule>> = {
  ...rules("input_summary output_summary error_summary error_details git_commit_source git_commit_author", text),
  ...rules("end_time git_commit_timestamp", instant),
  ...rules("items_discovered items_succeeded items_failed items_skipped duration_ms", count),
  ...rules("metrics_json context_json", object),
  status: required(status),
}

const CREATE: Readonly<Record<string, Rule>> = {
  ...PATCH,
  ...rules("product product_family platform subdomain website website_section item_name source_ref target_ref", text),
  ...rules("git_repo git_branch git_commit_hash git_run_tag host environment trigger_type insight_id", text),
  ...rules("run_id agent_name job_type", required(name)),
  ...rules("created_at api_posted_at", instant),
  event_id: required(id),
  parent_run_id: (value) => (value === null ? null : name(value)),
  start_time: required(instant),
  status: (value) => (value === null ? "running" : status(value)),
  api_posted: flag,
  api_retry_count: count,
}

const REQUIRED = ["event_id", "run_id", "agent_name", "job_type", "start_time"]

/** The fields of a run that a client may create. */
export const FIELDS: ReadonlyArray<string> = Object.keys(CREATE)

/** A run as it is kept, or none when the contract refuses it. */
export const created = (value: unknown): Json | undefined => {
  if (!isObject(value) || isFlawed(value) || REQUIRED.some((field) => !Object.hasOwn(value, field))) return undefined
  const kept = FIELDS.map((field) => [field, CREATE[field]?.(own(value, field) ?? null)] as const)
  return kept.some(([, found]) => found === REFUSED) ? undefined : Object.fromEntries(kept)
}

/** The fields that an update changes, or none when the contract refuses it. */
export const patch = (value: unknown): Json | undefined => {
  if (!isObject(value) || isFlawed(value)) return undefined
  const given = Object.keys(PATCH).filter((field) => Object.hasOwn(value, field))
  const kept = given.map((field) => [field, PATCH[field]?.(value[field])] as const)
  return kept.some(([, found]) => found === REFUSED) ? undefined : Object.fromEntries(kept)
}
