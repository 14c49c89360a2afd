import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { ChainReport, EventLogError } from "../services/EventLog.js"
import * as Chain from "../src/domain/Chain.js"
import type { ChainedEvent } from "../src/domain/Event.js"
import { GENESIS_HASH } from "../src/domain/Ids.js"
import * as JsonText from "../src/domain/JsonText.js"
import type { LogAudit, LogSurroundings, LostEvents } from "../src/domain/LogAudit.js"
import * as Received from "../src/domain/Received.js"
import * as DeadLetterFile from "./DeadLetterFile.js"
import * as LogCursor from "./LogCursor.js"
import * as LogFile from "./LogFile.js"
import * as LogReader from "./LogReader.js"

const CHUNK_BYTES = 256 * 1024
const TAIL_BYTES = 1024 * 1024
const GAP = Buffer.from('"TELEMETRY_GAP"')

const withLog = <A>(path: string, use: (fd: number, size: number) => A): A => {
  const fd = LogFile.openForRead(path)
  try {
    return use(fd, fs.fstatSync(fd).size)
  } finally {
    fs.closeSync(fd)
  }
}

const eventOf = (line: Buffer): ChainedEvent | undefined => Either.getOrUndefined(Chain.parse(line.toString("utf8")))

/** Every whole line up to an offset; `undefined` for one that is too long to be read. */
const forEachLine = (fd: number, to: number, take: (line: Buffer | undefined, number: number) => void): void => {
  let number = 0
  for (let offset = 0; ; ) {
    const { lines, end } = LogFile.readLines(fd, offset, to, CHUNK_BYTES)
    for (const line of lines) take(line, ++number)
    if (end === offset) return
    offset = end
  }
}

const endsOf = (fd: number, size: number): ReadonlyArray<ChainedEvent> => {
  const first = LogFile.readLines(fd, 0, size, 1).lines[0]
  const last = LogFile.readLines(fd, Math.max(0, size - TAIL_BYTES), size, TAIL_BYTES).lines.at(-1)
  return [first, last].flatMap((line) => (line === undefined ? [] : (eventOf(line) ?? [])))
}

const cursorBeside = async (path: string): Promise<LogSurroundings["cursor"]> => {
  const file = nodePath.join(nodePath.dirname(path), LogCursor.FILE)
  const found = await LogCursor.read(file)
  if (found === undefined) return { kind: "none" }
  return Either.match(found, {
    onLeft: (why) => ({ kind: "unusable", problem: `${file} cannot be used: ${why}` }),
    onRight: ({ position, held }) => ({ kind: "known", lines: position.lines, hash: position.hash, held }),
  })
}

const lettersBeside = (path: string) => {
  const file = nodePath.join(nodePath.dirname(path), DeadLetterFile.FILE)
  const count = DeadLetterFile.make(file).count()
  return { file, count }
}

/**
 * What is known of a log without reading all of it: its cursor, its dead letters, the run ids and the time that its ends
 * tell. Changes nothing; fails when a file cannot be read.
 */
export const surroundings = (path: string): Effect.Effect<LogSurroundings, EventLogError> =>
  Effect.tryPromise({
    try: async () => {
      const cursor = await cursorBeside(path)
      const ends = withLog(path, endsOf)
      return {
        cursor,
        deadLetters: lettersBeside(path),
        runIds: [...new Set(ends.map((event) => event.run_id))],
        lastAt: ends.at(-1)?.ts ?? null,
      }
    },
    catch: LogReader.failure("read", path, "read the event log"),
  })

const search = (path: string, hashes: ReadonlyArray<string>) =>
  withLog(path, (fd, size) => {
    const lineOf = new Map<string, number>()
    const gaps: Array<LostEvents> = []
    const wanted = hashes.filter((hash) => hash !== GENESIS_HASH).map((hash) => [hash, Buffer.from(hash)] as const)
    if (wanted.length < hashes.length) lineOf.set(GENESIS_HASH, 0)
    forEachLine(fd, size, (line, number) => {
      if (line === undefined) return
      for (const [hash, bytes] of wanted) {
        if (line.includes(bytes) && Chain.claimedHash(line.toString("utf8")) === hash) lineOf.set(hash, number)
      }
      const event = line.includes(GAP) ? eventOf(line) : undefined
      if (event?.type === "TELEMETRY_GAP") gaps.push({ line: number, ...event.payload })
    })
    return { lineOf, gaps }
  })

const audited = (
  report: ChainReport,
  path: string,
  hashes: ReadonlyArray<string>,
): Effect.Effect<LogAudit, EventLogError> =>
  Effect.map(
    Effect.try({ try: () => search(path, hashes), catch: LogReader.failure("read", path, "verify the event log") }),
    (found) => ({ ...report, ...found }),
  )

/**
 * Checks the whole chain of a log, says on which line each of these hashes stands, and lists what the log says was lost.
 * Holds a chunk of it at a time; changes nothing. Fails only when the file cannot be read.
 */
export const audit = (path: string, hashes: ReadonlyArray<string>): Effect.Effect<LogAudit, EventLogError> =>
  Effect.flatMap(LogReader.verifyFile(path), (report) => audited(report, path, hashes))

const isLogged = Schema.is(Schema.Struct({ event_id: Schema.String, event_hash: Schema.String }))

/** Reads a log on, event by event, as far as it goes when its end is met; lines that are no records are passed over. Throws. */
const readingOn = (fd: number): Received.ReadOn => {
  let offset = 0
  let line = 0
  let ahead: Iterator<Buffer | undefined> = [].values()

  const next = (): IteratorResult<Buffer | undefined> => {
    const given = ahead.next()
    if (given.done !== true) return given
    const { lines, end } = LogFile.readLines(fd, offset, fs.fstatSync(fd).size, CHUNK_BYTES)
    offset = end
    ahead = lines.values()
    return ahead.next()
  }

  return () => {
    for (let step = next(); step.done !== true; step = next()) {
      line += 1
      const record =
        step.value === undefined ? undefined : Either.getOrUndefined(JsonText.parseText(step.value.toString("utf8")))
      if (isLogged(record)) return { line, event_id: record.event_id, event_hash: record.event_hash }
    }
    return undefined
  }
}

/**
 * Holds what a server received of a run against the run's log: see {@link Received.make} for what is kept meanwhile. Changes
 * nothing. Fails when the log cannot be read, and as the stream fails.
 */
export const received = <E>(
  path: string,
  events: Stream.Stream<Received.ReceivedEvent, E>,
): Effect.Effect<Received.Received, EventLogError | E> =>
  Effect.gen(function* () {
    const { take, result } = Received.make(readingOn(yield* LogReader.openScoped(path)))
    yield* Stream.runForEachChunk(events, (chunk) =>
      Effect.try({
        try: () => {
          for (const event of chunk) take(event)
        },
        catch: LogReader.failure("read", path, "verify the event log"),
      }),
    )
    return result()
  }).pipe(Effect.scoped)
