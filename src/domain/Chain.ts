import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as CallText from "./CallText.js"
import * as CanonicalJson from "./CanonicalJson.js"
import { ChainedEvent, type Event, isClosing } from "./Event.js"
import { GENESIS_HASH, Sha256 } from "./Ids.js"
import * as JsonText from "./JsonText.js"
import * as QuickDecode from "./QuickDecode.js"

/** How far a chain has come: its number of lines and the hash of the last. */
export interface ChainHead {
  readonly lines: number
  readonly hash: string
}

/** The head of an empty log. */
export const empty: ChainHead = { lines: 0, hash: GENESIS_HASH }

/** An event with its place in the chain, and the line of `events.ndjson` that says so, newline included. */
export interface Link {
  readonly event: ChainedEvent
  readonly line: string
  readonly head: ChainHead
}

const withLinesBefore = (event: Event, lines: number): Event => {
  switch (event.type) {
    case "RUN_COMPLETED":
      return { ...event, payload: { ...event.payload, lines_before: lines } }
    case "RUN_FAILED":
      return { ...event, payload: { ...event.payload, lines_before: lines } }
    case "RUN_CANCELLED":
      return { ...event, payload: { ...event.payload, lines_before: lines } }
    default:
      return event
  }
}

const { inQuotes } = CanonicalJson
const quoted = CanonicalJson.stringify
const parentText = CanonicalJson.rememberingStretch((parent) => `","parent_span_id":${parent},"payload":`)
const runText = CanonicalJson.rememberingStretch((run) => `","run_id":${run},"span_id":"`)
const timeText = CanonicalJson.rememberingStretch((trace, ts) => `","trace_id":${trace},"ts":${ts},"type":`)

/** The canonical JSON of the record without `event_hash`: the envelope's keys stand here in their sorted order. */
const unsealed = (event: Event, prevHash: string): string => {
  const parent = event.parent_span_id === undefined ? '","payload":' : parentText(event.parent_span_id)
  return (
    `{"event_id":"${inQuotes(event.event_id)}${parent}${CallText.payloadText(event)},"prev_hash":"${prevHash}` +
    `${runText(event.run_id)}${inQuotes(event.span_id)}${timeText(event.trace_id, event.ts)}${quoted(event.type)}}`
  )
}

/** What goes before the record without its brace: `event_hash` sorts before every other key of the envelope. */
export const sealOf = (hash: string): string => `{"event_hash":"${hash}",`

/** The length of every seal, in bytes. */
export const SEAL_LENGTH = sealOf(GENESIS_HASH).length

/** An event that has its place already gets another; for the others the spread comes last, or it would cost microseconds. */
export const chained = (event: Event, prev_hash: string, event_hash: string): ChainedEvent =>
  "event_hash" in event || "prev_hash" in event
    ? { ...event, prev_hash, event_hash }
    : { prev_hash, event_hash, ...event }

/** An event that is on its way into a chain: complete, with the canonical JSON of its record without `event_hash`. */
export interface Draft {
  readonly event: Event
  readonly text: string
}

/**
 * An event as it stands behind the head of a chain. A closing event is given its `lines_before`. Throws a `TypeError` or
 * `RangeError` when the payload is no JSON value (a bigint, a cycle).
 */
export const draft = (head: ChainHead, event: Event): Draft => {
  const complete = withLinesBefore(event, head.lines)
  return { event: complete, text: unsealed(complete, head.hash) }
}

/** The line of a draft with its hash, without a newline. */
export const sealed = (text: string, hash: string): string => `${sealOf(hash)}${text.slice(1)}`

/** Puts an event behind the head of a chain. Throws what {@link draft} throws. */
export const link = (head: ChainHead, event: Event): Link => {
  const { event: complete, text } = draft(head, event)
  const hash = CanonicalJson.sha256Hex(text)
  return {
    event: chained(complete, head.hash, hash),
    line: `${sealed(text, hash)}\n`,
    head: { lines: head.lines + 1, hash },
  }
}

const isOfSchema = Schema.is(ChainedEvent)
const quickly = QuickDecode.make(ChainedEvent, { keepUnknown: true })
const validateChained = Schema.validateEither(ChainedEvent)
const isSealed = Schema.is(Schema.Struct({ event_hash: Sha256 }))

/** Walking the schema is for what the quick way cannot vouch for: it takes five times as long. */
const isChained = (record: unknown): record is ChainedEvent =>
  quickly(record) !== QuickDecode.UNSURE || isOfSchema(record)

const PROBLEM_LIMIT = 300

const misfit = (record: unknown): string => {
  const issues = Either.match(validateChained(record), {
    onLeft: (error) => ParseResult.ArrayFormatter.formatErrorSync(error),
    onRight: () => [],
  })
  const first = issues[0]
  const where = first === undefined || first.path.length === 0 ? "" : `${first.path.map(String).join(".")}: `
  return `is not an event of the published schema: ${where}${first?.message ?? "unknown"}`.slice(0, PROBLEM_LIMIT)
}

/** The event that a line of a log (without its newline) holds, or what is wrong with it. Does not check the chain. */
export const parse = (text: string): Either.Either<ChainedEvent, string> => {
  const record = JsonText.parseText(text)
  if (Either.isLeft(record)) return Either.left("is not JSON")
  return isChained(record.right) ? Either.right(record.right) : Either.left(misfit(record.right))
}

/** The hash that a line says it has, whatever else it holds; `undefined` when it is no record of a chain. */
export const claimedHash = (text: string): string | undefined =>
  Either.match(JsonText.parseText(text), {
    onLeft: () => undefined,
    onRight: (record) => (isSealed(record) ? record.event_hash : undefined),
  })

/** What a walk along a chain knows: where it is, and the last hash unless the last line told none. */
export interface Walk {
  readonly lines: number
  readonly hash: string | undefined
}

/** Before the first line. */
export const begin: Walk = empty

/** What is wrong with the next line (nothing, when it holds), and where the walk stands behind it. */
export interface Step {
  readonly walk: Walk
  readonly problems: ReadonlyArray<string>
}

const sealProblems = (record: Readonly<Record<string, unknown>>, text: string): ReadonlyArray<string> => {
  const { event_hash: claimed, ...rest } = record
  const canonical = CanonicalJson.stringify(rest)
  if (CanonicalJson.sha256Hex(canonical) !== claimed) return ["was changed: event_hash is not the hash of its content"]
  if (CanonicalJson.stringify(record) !== text) return ["was changed: it is not the canonical text of its record"]
  return []
}

const placeProblems = (walk: Walk, prevHash: unknown): ReadonlyArray<string> => {
  if (walk.hash === undefined || prevHash === walk.hash) return []
  return [
    walk.lines === 0
      ? "is not the first line of a log: lines before it were removed, or it was moved here"
      : `does not follow line ${walk.lines}: a line was removed, inserted or moved between them`,
  ]
}

const closingProblems = (walk: Walk, event: ChainedEvent): ReadonlyArray<string> => {
  if (!isClosing(event.type)) return []
  const counted = "lines_before" in event.payload ? event.payload.lines_before : undefined
  return counted === walk.lines ? [] : [`counts ${counted ?? "no"} lines before it where ${walk.lines} stand`]
}

const isRecord = Schema.is(Schema.Record({ key: Schema.String, value: Schema.Unknown }))

/**
 * Checks one line (without its newline) against the walk so far: JSON, schema, its own hash, canonical text, its place
 * behind the line before, and the line count of a closing event. A bad line is named once; the walk goes on from the hash
 * that it claims, so that good lines behind it are not blamed.
 */
export const check = (walk: Walk, text: string): Step => {
  const record = Either.getOrUndefined(JsonText.parseText(text))
  if (!isRecord(record) || Array.isArray(record)) {
    return { walk: { lines: walk.lines + 1, hash: undefined }, problems: ["is not a JSON object"] }
  }
  const next: Walk = { lines: walk.lines + 1, hash: isSealed(record) ? record.event_hash : undefined }
  const problems = [
    ...(isChained(record) ? closingProblems(walk, record) : [misfit(record)]),
    ...sealProblems(record, text),
    ...placeProblems(walk, record["prev_hash"]),
  ]
  return { walk: next, problems }
}
