import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { CallLine } from "../src/domain/CallLine.js"
import type { DeadLetter } from "../src/domain/DeadLetter.js"
import type { ChainedEvent, Event } from "../src/domain/Event.js"

/** The log could not be written or read. `message` names the file and the next step. */
export class EventLogError extends Schema.TaggedError<EventLogError>()("EventLogError", {
  operation: Schema.Literal("open", "append", "read", "acknowledge", "set aside"),
  path: Schema.String,
  message: Schema.String,
  cause: Schema.optional(Schema.Defect),
}) {}

/**
 * A place between two lines: how many bytes (or, in memory, lines) and lines stand before it, and the hash that the last of
 * them claims which claims one.
 */
export interface LogPosition {
  readonly offset: number
  readonly lines: number
  readonly hash: string
}

/** A line of the log that holds no event of this version's schema, such as a newer version wrote, or that is damaged. */
export interface LogMisfit {
  /** Counted from 1. */
  readonly line: number
  /** What it says its `event_id` is; null when it says nothing of the kind. */
  readonly eventId: string | null
  /** What is wrong with it, to be read behind its number. */
  readonly problem: string
}

/** A line of the log that holds an event: what was recognised of it without decoding it, or the event. */
export type LogLine =
  | { readonly text: string; readonly call: CallLine }
  | { readonly text: string; readonly event: ChainedEvent }

/** A stretch of the log and the place after it: each of its lines is an event or a misfit. */
export interface LogSlice {
  /** Decoded when they are asked for, where their lines were recognised. */
  readonly events: ReadonlyArray<ChainedEvent>
  /** The line of each event, without its newline. */
  readonly texts: ReadonlyArray<string>
  /** The line of each event with what is known of it so far, where a log tells; whoever changes the others changes this too. */
  readonly lines?: ReadonlyArray<LogLine>
  readonly misfits: ReadonlyArray<LogMisfit>
  readonly end: LogPosition
}

/** What `verify` found. `line` counts from 1; `problem` says what is wrong with it. */
export interface ChainReport {
  readonly lines: number
  readonly head: string
  readonly problems: ReadonlyArray<{ readonly line: number; readonly problem: string }>
}

/** {@link EventLogService.append} */
export interface Append {
  (event: Event): Effect.Effect<ChainedEvent, EventLogError>
  /**
   * The same in one synchronous step that tells nothing and throws the {@link EventLogError}; absent where an append has to wait for something,
   * as with `durability: power`. For a recorded call's own path, where each microsecond is the caller's. It belongs to the
   * function, so that what stands in for `append` stands in for both.
   */
  readonly unsafe?: (event: Event) => void
}

export interface EventLogService {
  /**
   * Adds an event at the end and returns it with its place in the chain. After it returns the event survives the death of
   * this process (`durability: process`) or a power cut (`durability: power`). Appends of concurrent fibers get a total
   * order. A closing event is given its `lines_before`. After a failure the log still ends in a whole line.
   */
  readonly append: Append
  /** What stands behind a position, whole lines only, at most about `maxBytes` of them; an empty slice at the end. */
  readonly read: (from: LogPosition, maxBytes: number) => Effect.Effect<LogSlice, EventLogError>
  /** Where the log ends now. */
  readonly head: Effect.Effect<LogPosition>
  /** How far the server has acknowledged: the log's start when nobody said. */
  readonly acknowledged: Effect.Effect<LogPosition, EventLogError>
  /**
   * Remembers durably how far the server has acknowledged, and with it that the log's events are meant for the server at all:
   * a log in which nobody ever acknowledged anything, not even its start, stays local.
   */
  readonly acknowledge: (position: LogPosition) => Effect.Effect<void, EventLogError>
  /**
   * Keeps, durably and beside the log, operations that the server refused for good, so that delivery can go on without them.
   * The same operation is kept once, also when it is set aside again after a failure.
   */
  readonly setAside: (letters: ReadonlyArray<DeadLetter>) => Effect.Effect<void, EventLogError>
  /** How many operations were set aside, by this process and those before it. */
  readonly deadLetters: Effect.Effect<number, EventLogError>
  /** Checks the whole chain. Does not change anything. */
  readonly verify: Effect.Effect<ChainReport, EventLogError>
}

/**
 * The record of what happened in the current run: append-only, ordered, hash-chained; also the outbox of `Telemetry`. It
 * does not send anything, and it does not judge what it is given.
 */
export class EventLog extends Context.Tag("runledger/services/EventLog")<EventLog, EventLogService>() {}
