import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { EventLogError, EventLogService, LogPosition, LogSlice } from "../services/EventLog.js"
import type { DeadLetter } from "../src/domain/DeadLetter.js"
import type { Event } from "../src/domain/Event.js"
import { GENESIS_HASH } from "../src/domain/Ids.js"
import { MAX_OPERATIONS } from "../src/domain/Operation.js"
import * as Project from "../src/domain/Project.js"
import * as Contents from "./TelemetryHttpContents.js"

/** A stretch of events, projected, and how to say that the server has answered for all of it. */
export interface Window extends Contents.Contents {
  /** The server has answered for all of it. */
  readonly resolve: () => void
  /** Writes down that it has answered for all up to here. */
  readonly acknowledge: Effect.Effect<void, EventLogError>
}

/** Where events wait for the server. One reader; windows must be resolved in the order in which they were taken. */
export interface Source {
  /** True when events survive this process. */
  readonly durable: boolean
  /** Takes an event in; false when it had to be dropped. */
  readonly offer: (event: Event) => boolean
  /** How many events were ever recorded here, and how many of them were answered for. */
  readonly recorded: Effect.Effect<number>
  readonly resolved: () => number
  /** How many events no window holds yet. */
  readonly unread: Effect.Effect<number>
  /** When the oldest event was recorded that was not answered for; null when there is none, or it cannot be read. */
  readonly oldest: Effect.Effect<string | null>
  readonly next: Effect.Effect<Option.Option<Window>, EventLogError>
  /** The hash of the log's last line; null without a log. */
  readonly head: Effect.Effect<string | null>
  /** Keeps refused operations where events are kept; without a log they are only counted. */
  readonly setAside: (letters: ReadonlyArray<DeadLetter>) => Effect.Effect<void, EventLogError>
  /** How many were set aside, by this process and those before it. */
  readonly deadLetters: Effect.Effect<number>
}

/** The start of every log. */
export const START: LogPosition = { offset: 0, lines: 0, hash: GENESIS_HASH }

const WINDOW_BYTES = 768 * 1024
/** A window that is a little less than a full request goes as one. */
const WINDOW_OPERATIONS = 0.95 * MAX_OPERATIONS
const WINDOW_EVENTS = 400
/** Enough for the first line of a stretch, mostly. */
const GLANCE_BYTES = 2048

/** Events are asked for only where a log does not tell its lines: it may have to decode them. */
const linesOf = (slice: LogSlice): ReadonlyArray<Contents.Recorded> =>
  slice.lines ?? slice.events.map((event, index) => ({ event, text: slice.texts[index] }))

/** What of a slice stands behind the acknowledged place, and the events before it: its lines are events or misfits. */
const behind = (slice: LogSlice, start: LogPosition, acknowledged: LogPosition) => {
  const unknown = slice.misfits.filter(({ line }) => line > acknowledged.lines)
  const before = Math.max(0, acknowledged.lines - start.lines)
  const lines = linesOf(slice)
  const known = Math.min(lines.length, before - (slice.misfits.length - unknown.length))
  return { known: lines.slice(0, known), fresh: lines.slice(known), misfits: unknown }
}

const lengthOf = (texts: ReadonlyArray<string>): number => texts.reduce((sum, { length }) => sum + length, 0)

/** Remembers when the event behind a place was recorded. */
const oldestBehind = (log: EventLogService, place: () => LogPosition): Effect.Effect<string | null> => {
  let known: { readonly offset: number; readonly ts: string } | undefined
  return Effect.gen(function* () {
    const from = place()
    if (known?.offset === from.offset) return known.ts
    const { events } = yield* log.read(from, GLANCE_BYTES)
    const [first] = events
    if (first === undefined) return null
    known = { offset: from.offset, ts: first.ts }
    return first.ts
  }).pipe(Effect.catchAll(() => Effect.succeed(null)))
}

/**
 * Events of the log from the acknowledged place on. The projection is rebuilt by folding the log from its start, so that an
 * ending finds the row that an earlier process opened. Reads about three quarters of a mebibyte at a time, whatever the backlog.
 */
export const fromLog = (log: EventLogService, acknowledged: LogPosition): Source => {
  const projection = Project.make()
  let position = START
  let resolved = acknowledged
  let bytesPerOperation = 0
  const oldest = oldestBehind(log, () => resolved)

  const windowBytes = (): number =>
    bytesPerOperation === 0 ? WINDOW_BYTES : Math.min(WINDOW_BYTES, Math.ceil(WINDOW_OPERATIONS * bytesPerOperation))

  const next: Effect.Effect<Option.Option<Window>, EventLogError> = Effect.flatMap(
    Effect.suspend(() => log.read(position, windowBytes())),
    (slice) => {
      const { end } = slice
      if (end.offset === position.offset) return Effect.succeedNone
      const { known, fresh, misfits } = behind(slice, position, acknowledged)
      for (const line of known) Contents.follow(projection, line)
      const window = Contents.encoded(projection, fresh, position.lines, misfits)
      if (window.operations.length > 0) bytesPerOperation = lengthOf(slice.texts) / window.operations.length
      position = end
      if (end.lines <= acknowledged.lines) return next
      const resolve = (): void => {
        resolved = end
      }
      return Effect.succeedSome({ ...window, resolve, acknowledge: log.acknowledge(end) })
    },
  )

  return {
    durable: true,
    offer: () => true,
    recorded: Effect.map(log.head, ({ lines }) => lines),
    resolved: () => resolved.lines,
    unread: Effect.map(log.head, ({ lines }) => lines - Math.max(position.lines, resolved.lines)),
    oldest: Effect.flatMap(log.head, ({ lines }) => (lines > resolved.lines ? oldest : Effect.succeed(null))),
    next,
    head: Effect.map(log.head, ({ hash }) => hash),
    setAside: log.setAside,
    deadLetters: Effect.catchAll(log.deadLetters, () => Effect.succeed(0)),
  }
}

/** A queue of at most `limit` events in memory: the oldest stay, what comes to a full queue is dropped. */
export const fromMemory = (limit: number): Source => {
  const projection = Project.make()
  const waiting: Array<Event> = []
  let taken = 0
  let resolved = 0
  let letters = 0

  const next = Effect.sync(() => {
    if (waiting.length === taken) return Option.none()
    const events = waiting.slice(taken, taken + WINDOW_EVENTS)
    const first = resolved + taken
    taken += events.length
    const resolve = (): void => {
      waiting.splice(0, events.length)
      taken -= events.length
      resolved += events.length
    }
    return Option.some({
      ...Contents.encoded(
        projection,
        events.map((event) => ({ event })),
        first,
      ),
      resolve,
      acknowledge: Effect.void,
    })
  })

  return {
    durable: false,
    offer: (event) => {
      if (waiting.length >= limit) return false
      waiting.push(event)
      return true
    },
    recorded: Effect.sync(() => resolved + waiting.length),
    resolved: () => resolved,
    unread: Effect.sync(() => waiting.length - taken),
    oldest: Effect.sync(() => waiting[0]?.ts ?? null),
    next,
    head: Effect.succeed(null),
    setAside: ({ length }) =>
      Effect.sync(() => {
        letters += length
      }),
    deadLetters: Effect.sync(() => letters),
  }
}
