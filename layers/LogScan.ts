import * as fs from "node:fs"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { EventLogError } from "../services/EventLog.js"
import * as Chain from "../src/domain/Chain.js"
import type { ChainedEvent } from "../src/domain/Event.js"
import * as OpenSpans from "../src/domain/OpenSpans.js"
import * as LogFile from "./LogFile.js"
import { failure, openScoped } from "./LogReader.js"
import { nextTurn } from "./NextTurn.js"

const CHUNK_BYTES = 256 * 1024
/** What stands behind the payload and the run id of a canonical line fits into its last bytes. */
const TAIL_BYTES = 256

const TAIL = /"span_id":"([0-9a-f]{16})","trace_id":"[0-9a-f]{32}","ts":"([^"\\]{1,64})","type":"([A-Z_]{1,40})"\}$/

const parsed = (line: Buffer): ChainedEvent | undefined => Either.getOrUndefined(Chain.parse(line.toString("utf8")))

const parsedMark = (line: Buffer): OpenSpans.Mark | undefined => {
  const event = parsed(line)
  return event === undefined ? undefined : OpenSpans.markOf(event)
}

/** What a line says of its span, told from its canonical end alone where that suffices; undefined when it is no event. */
const markOf = (line: Buffer): OpenSpans.Mark | undefined => {
  const [, spanId, ts, type] = TAIL.exec(line.toString("latin1", Math.max(0, line.length - TAIL_BYTES))) ?? []
  if (spanId === undefined || ts === undefined || type === undefined) return parsedMark(line)
  return type === "RUN_STATE_CHANGED" ? parsedMark(line) : { type, spanId, ts }
}

interface Place {
  readonly offset: number
  readonly length: number
}

/** What a log tells without being decoded whole. */
export interface Scan {
  /** Whole lines from the place on where delivery stands, and when the first of them was recorded. */
  readonly lines: number
  readonly firstTs: string | null
  /** Events that the log itself reports as lost. */
  readonly lost: number
  /** The spans that are open at its end, the innermost first, and its last sign of life. */
  readonly open: ReadonlyArray<OpenSpans.OpenSpan<ChainedEvent>>
  readonly isRunOpen: boolean
  readonly lastSign: string | null
}

export interface Options {
  /** Lines are counted from this byte on. */
  readonly countFrom: number
  /** False: what stands before that byte is not read, and neither gaps nor spans are told. */
  readonly whole: boolean
}

const eventAt = (fd: number, { offset, length }: Place): ReadonlyArray<ChainedEvent> => {
  const [line] = LogFile.readLines(fd, offset, offset + length + 1, length + 1).lines
  const event = line === undefined ? undefined : parsed(line)
  return event === undefined ? [] : [event]
}

const scanner = ({ countFrom, whole }: Options) => {
  const spans = OpenSpans.make<Place>()
  let lines = 0
  let firstTs: string | null = null
  let lost = 0

  const count = (line: Buffer | undefined, mark: OpenSpans.Mark | undefined): void => {
    lines += 1
    if (firstTs === null && line !== undefined) firstTs = (mark ?? markOf(line))?.ts ?? null
  }

  const addLost = (line: Buffer): void => {
    const event = parsed(line)
    if (event?.type === "TELEMETRY_GAP") lost += event.payload.dropped
  }

  return {
    take: (line: Buffer | undefined, offset: number): void => {
      const mark = whole && line !== undefined ? markOf(line) : undefined
      if (offset >= countFrom) count(line, mark)
      if (line === undefined || mark === undefined) return
      spans.step(mark, { offset, length: line.length })
      if (mark.type === "TELEMETRY_GAP") addLost(line)
    },
    result: (fd: number): Scan => ({
      lines,
      firstTs,
      lost,
      open: spans
        .open()
        .flatMap(({ since, opening }) => eventAt(fd, opening).map((event) => ({ since, opening: event }))),
      isRunOpen: spans.isRunOpen(),
      lastSign: spans.lastSign() ?? null,
    }),
  }
}

/**
 * Scans an open log up to a byte, a quarter of a mebibyte at a time and with a pause for others after each. Only openings of
 * spans that stay open, changes of state and gaps are decoded; what is held are the places of the former. A line that is no
 * event is counted, nothing more. Fails with {@link EventLogError} when it cannot be read.
 */
export const scan = (fd: number, path: string, to: number, options: Options): Effect.Effect<Scan, EventLogError> =>
  Effect.gen(function* () {
    const { take, result } = scanner(options)
    const step = (from: number): number => {
      const { lines, end } = LogFile.readLines(fd, from, to, CHUNK_BYTES)
      let offset = from
      for (const line of lines) {
        take(line, offset)
        offset += line === undefined ? end - offset : line.length + 1
      }
      return end
    }
    const read = <A>(evaluate: () => A) =>
      Effect.try({ try: evaluate, catch: failure("read", path, "read the event log") })
    let offset = -1
    let next = options.whole ? 0 : options.countFrom
    while (next !== offset) {
      offset = next
      next = yield* read(() => step(offset))
      yield* nextTurn
    }
    return yield* read(() => result(fd))
  })

/** The first event of an open log; undefined when its first line is none. Throws when it cannot be read. */
export const firstEvent = (fd: number): ChainedEvent | undefined => {
  const [line] = LogFile.readLines(fd, 0, fs.fstatSync(fd).size, 4096).lines
  return line === undefined ? undefined : parsed(line)
}

/** Scans all of a log. Fails with {@link EventLogError} when it cannot be read. */
export const scanFile = (path: string): Effect.Effect<Scan, EventLogError> =>
  Effect.gen(function* () {
    const fd = yield* openScoped(path)
    const size = yield* Effect.try({
      try: () => fs.fstatSync(fd).size,
      catch: failure("read", path, "read the event log"),
    })
    return yield* scan(fd, path, size, { countFrom: 0, whole: true })
  }).pipe(Effect.scoped)
