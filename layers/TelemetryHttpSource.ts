import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { EventLogError, EventLogService, LogPosition, LogSlice } from "../services/EventLog.js"
import * as ErrorText from "../src/domain/ErrorText.js"
import type { Event } from "../src/domain/Event.js"
import { GENESIS_HASH } from "../src/domain/Ids.js"
import * as Project from "../src/domain/Project.js"
import * as Batch from "./TelemetryHttpBatch.js"

/** An event of a window, by its index there, that cannot be written as JSON. */
export interface Unencodable {
  readonly event: number
  readonly what: string
  readonly why: string
}

/** A stretch of events, projected, and how to say that the server has answered for all of it. */
export interface Window {
  readonly events: number
  readonly operations: ReadonlyArray<Batch.Encoded>
  /** Events without any operation here: nothing of them can be sent. */
  readonly unencodable: ReadonlyArray<Unencodable>
  readonly acknowledge: Effect.Effect<void, EventLogError>
}

/** Where events wait for the server. One reader, one window at a time; a window must be acknowledged before the next. */
export interface Source {
  /** True when events survive this process. */
  readonly durable: boolean
  /** Takes an event in; false when it had to be dropped. */
  readonly offer: (event: Event) => boolean
  /** How many events were ever recorded here, and how many of them were answered for. */
  readonly recorded: Effect.Effect<number>
  readonly resolved: () => number
  readonly next: Effect.Effect<Option.Option<Window>, EventLogError>
  /** The hash of the log's last line; null without a log. */
  readonly head: Effect.Effect<string | null>
}

const START: LogPosition = { offset: 0, lines: 0, hash: GENESIS_HASH }
const WINDOW_BYTES = 256 * 1024
const WINDOW_EVENTS = 400

const encoded = (
  projection: Project.Projection,
  events: ReadonlyArray<Event>,
): Pick<Window, "events" | "operations" | "unencodable"> => {
  const [unencodable, operations] = Arr.separate(
    events.map((event, index) =>
      Either.try({
        try: () => projection.step(event).map((operation) => Batch.encode(operation, index)),
        catch: (error): Unencodable => ({
          event: index,
          what: `${event.type} ${event.event_id}`,
          why: ErrorText.line(error),
        }),
      }),
    ),
  )
  return { events: events.length, operations: operations.flat(), unencodable }
}

/** How many events of a slice stand before the acknowledged place. The log may have left out lines that are no events. */
const countKnown = ({ events, end }: LogSlice, start: LogPosition, acknowledged: LogPosition): number => {
  if (end.lines <= acknowledged.lines) return events.length
  if (start.lines >= acknowledged.lines) return 0
  return events.findIndex(({ event_hash }) => event_hash === acknowledged.hash) + 1
}

/**
 * Events of the log from the acknowledged place on. The projection is rebuilt by folding the log from its start, so that an
 * ending finds the row that an earlier process opened. Reads about 256 KiB at a time, whatever the backlog.
 */
export const fromLog = (log: EventLogService, acknowledged: LogPosition): Source => {
  const projection = Project.make()
  let position = START
  let resolved = acknowledged.lines

  const next: Effect.Effect<Option.Option<Window>, EventLogError> = Effect.flatMap(
    Effect.suspend(() => log.read(position, WINDOW_BYTES)),
    (slice) => {
      const { end } = slice
      if (end.offset === position.offset) return Effect.succeedNone
      const known = countKnown(slice, position, acknowledged)
      for (const event of slice.events.slice(0, known)) projection.step(event)
      const fresh = encoded(projection, slice.events.slice(known))
      position = end
      if (end.lines <= acknowledged.lines) return next
      const acknowledge = Effect.suspend(() => {
        resolved = end.lines
        return log.acknowledge(end)
      })
      return Effect.succeedSome({ ...fresh, acknowledge })
    },
  )

  return {
    durable: true,
    offer: () => true,
    recorded: Effect.map(log.head, ({ lines }) => lines),
    resolved: () => resolved,
    next,
    head: Effect.map(log.head, ({ hash }) => hash),
  }
}

/** A queue of at most `limit` events in memory: the oldest stay, what comes to a full queue is dropped. */
export const fromMemory = (limit: number): Source => {
  const projection = Project.make()
  const waiting: Array<Event> = []
  let resolved = 0

  const next = Effect.sync(() => {
    if (waiting.length === 0) return Option.none()
    const events = waiting.slice(0, WINDOW_EVENTS)
    const acknowledge = Effect.sync(() => {
      waiting.splice(0, events.length)
      resolved += events.length
    })
    return Option.some({ ...encoded(projection, events), acknowledge })
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
    next,
    head: Effect.succeed(null),
  }
}
