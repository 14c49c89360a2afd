import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { EventLogError, EventLogService, LogMisfit, LogPosition, LogSlice } from "../services/EventLog.js"
import type { DeadLetter } from "../src/domain/DeadLetter.js"
import * as ErrorText from "../src/domain/ErrorText.js"
import type { Event } from "../src/domain/Event.js"
import { GENESIS_HASH } from "../src/domain/Ids.js"
import * as Project from "../src/domain/Project.js"
import * as Batch from "./TelemetryHttpBatch.js"

/** A stretch of events, projected, and how to say that the server has answered for all of it. */
export interface Window {
  /** How many, lines that are none included. Their operations bear numbers that count on from window to window. */
  readonly events: number
  readonly operations: ReadonlyArray<Batch.Encoded>
  /** What cannot be sent: at most one operation of an event, and every line that is no event. */
  readonly unencodable: ReadonlyArray<Batch.Unencodable>
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

const WINDOW_BYTES = 512 * 1024
const WINDOW_EVENTS = 400
/** Enough for the first line of a stretch, mostly. */
const GLANCE_BYTES = 2048

/** One of an event is enough to know that something of it is missing. */
const oncePerEvent = (unencodable: ReadonlyArray<Batch.Unencodable>): ReadonlyArray<Batch.Unencodable> =>
  unencodable.filter(({ event }, index) => index === unencodable.findIndex((other) => other.event === event))

const placed = (
  projection: Project.Projection,
  event: Event,
  number: number,
  text: string | undefined,
): Either.Either<ReadonlyArray<Batch.Placed>, Batch.Unencodable> =>
  Either.try({
    try: () =>
      projection.step(event).map(
        (operation): Batch.Placed => ({
          operation,
          event: number,
          text: operation.op === "event" ? text : undefined,
        }),
      ),
    catch: (error) => ({
      op: "event",
      eventId: event.event_id,
      event: number,
      why: `${event.type} is no event: ${ErrorText.line(error)}`,
    }),
  })

/** A line that is no event is an operation that cannot be sent; one without an id is known by its number. */
const unsent = ({ line, eventId, problem }: LogMisfit, number: number): Batch.Unencodable => ({
  op: "event",
  eventId: eventId ?? `line-${line}`,
  event: number,
  why: `line ${line} ${problem}`,
})

const encoded = (
  projection: Project.Projection,
  { events, texts }: { readonly events: ReadonlyArray<Event>; readonly texts: ReadonlyArray<string> },
  first: number,
  misfits: ReadonlyArray<LogMisfit> = [],
): Pick<Window, "events" | "operations" | "unencodable"> => {
  const steps = events.map((event, index) => placed(projection, event, first + index, texts[index]))
  const [odd, fit] = Arr.separate(steps)
  const { operations, unencodable } = Batch.separate(Batch.encodeAll(fit.flat()))
  const lines = misfits.map((misfit, index) => unsent(misfit, first + events.length + index))
  return {
    events: events.length + misfits.length,
    operations,
    unencodable: [...oncePerEvent([...odd, ...unencodable]), ...lines],
  }
}

/** What of a slice stands behind the acknowledged place, and the events before it: its lines are events or misfits. */
const behind = ({ events, texts, misfits }: LogSlice, start: LogPosition, acknowledged: LogPosition) => {
  const unknown = misfits.filter(({ line }) => line > acknowledged.lines)
  const lines = Math.max(0, acknowledged.lines - start.lines)
  const known = Math.min(events.length, lines - (misfits.length - unknown.length))
  return {
    known: events.slice(0, known),
    fresh: { events: events.slice(known), texts: texts.slice(known) },
    misfits: unknown,
  }
}

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
 * ending finds the row that an earlier process opened. Reads about half a mebibyte at a time, whatever the backlog.
 */
export const fromLog = (log: EventLogService, acknowledged: LogPosition): Source => {
  const projection = Project.make()
  let position = START
  let resolved = acknowledged
  const oldest = oldestBehind(log, () => resolved)

  const next: Effect.Effect<Option.Option<Window>, EventLogError> = Effect.flatMap(
    Effect.suspend(() => log.read(position, WINDOW_BYTES)),
    (slice) => {
      const { end } = slice
      if (end.offset === position.offset) return Effect.succeedNone
      const { known, fresh, misfits } = behind(slice, position, acknowledged)
      for (const event of known) projection.step(event)
      const window = encoded(projection, fresh, position.lines, misfits)
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
    return Option.some({ ...encoded(projection, { events, texts: [] }, first), resolve, acknowledge: Effect.void })
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
