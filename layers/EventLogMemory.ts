import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import {
  type ChainReport,
  EventLog,
  EventLogError,
  type EventLogService,
  type LogPosition,
  type LogSlice,
} from "../services/EventLog.js"
import * as Chain from "../src/domain/Chain.js"
import * as DeadLetter from "../src/domain/DeadLetter.js"
import type { ChainedEvent, Event } from "../src/domain/Event.js"
import * as LogLine from "./LogLine.js"
import * as UnsafeAppend from "./UnsafeAppend.js"

const PATH = "memory"
const START: LogPosition = { offset: 0, ...Chain.empty }

const verify = (lines: ReadonlyArray<string>, head: string): ChainReport => {
  const problems: Array<ChainReport["problems"][number]> = []
  let walk = Chain.begin
  for (const line of lines) {
    const step = Chain.check(walk, line)
    walk = step.walk
    for (const problem of step.problems) problems.push({ line: walk.lines, problem })
  }
  return { lines: lines.length, head, problems }
}

const refused =
  ({ type }: Event) =>
  (cause: unknown): EventLogError =>
    new EventLogError({
      operation: "append",
      path: PATH,
      message: `cannot append ${type}: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    })

/** Keeps the very lines that a file would have, so that it gives back what a file would. */
const make = (): EventLogService => {
  const lines: Array<string> = []
  let head = START
  let acknowledged = START
  const letters = new Map<string, DeadLetter.DeadLetter>()

  const read = (from: LogPosition, maxBytes: number): LogSlice => {
    let offset = from.offset
    for (let bytes = 0; offset < lines.length; offset++) {
      bytes += lines[offset]?.length ?? 0
      if (offset > from.offset && bytes > maxBytes) break
    }
    const taken = lines.slice(from.offset, offset).map((line) => Either.right(line))
    const { hash, lines: sound, misfits } = LogLine.contents(taken, from)
    return LogLine.slice(sound, misfits, { offset, lines: offset, hash })
  }

  const append = (event: Event): ChainedEvent => {
    const link = Chain.link(head, event)
    lines.push(link.line.slice(0, -1))
    head = { offset: lines.length, ...link.head }
    return link.event
  }

  return EventLog.of({
    append: UnsafeAppend.appending(append, append, refused),
    read: (from, maxBytes) => Effect.sync(() => read(from, maxBytes)),
    head: Effect.sync(() => head),
    acknowledged: Effect.sync(() => acknowledged),
    acknowledge: (position) =>
      Effect.suspend(() => {
        if (position.offset > head.offset) {
          return new EventLogError({
            operation: "acknowledge",
            path: PATH,
            message: `cannot acknowledge line ${position.offset} of a log of ${head.offset}: the position is of another log`,
          })
        }
        acknowledged = position
        return Effect.void
      }),
    setAside: (refused) =>
      Effect.sync(() => {
        for (const letter of refused) letters.set(DeadLetter.identity(letter), letter)
      }),
    deadLetters: Effect.sync(() => letters.size),
    verify: Effect.sync(() => verify(lines, head.hash)),
  })
}

/** Keeps the log in memory, without a bound: it dies with the process. Offsets count lines. For tests and runs without a folder. */
export const layer: Layer.Layer<EventLog> = Layer.sync(EventLog, make)
