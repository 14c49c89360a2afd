import { isAscii, isUtf8 } from "node:buffer"
import * as fs from "node:fs"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  type ChainReport,
  EventLogError,
  type LogMisfit,
  type LogPosition,
  type LogSlice,
} from "../services/EventLog.js"
import * as Chain from "../src/domain/Chain.js"
import type { ChainedEvent } from "../src/domain/Event.js"
import * as FileProblem from "./FileProblem.js"
import * as LogFile from "./LogFile.js"
import * as LogLine from "./LogLine.js"

const CHUNK_BYTES = 256 * 1024

/** Most problems that a report lists; a log that is damaged throughout says so in one more. */
export const MAX_PROBLEMS = 1000

/** The start of every log. */
export const START: LogPosition = { offset: 0, ...Chain.empty }

/** An error of an operation on a file, said in one sentence. */
export const failure =
  (operation: EventLogError["operation"], path: string, action: string) =>
  (cause: unknown): EventLogError =>
    new EventLogError({ operation, path, message: FileProblem.explain(action, path, cause), cause })

const TOO_LONG: Either.Either<string, string> = Either.left("is too long")

const textOf = (line: Buffer): Either.Either<string, string> =>
  isUtf8(line) ? Either.right(line.toString("utf8")) : Either.left("is not UTF-8")

/** Most blocks are ASCII throughout: knowing that once, their lines need neither a check nor decoding each. */
const asTexts: LogFile.Taking<Either.Either<string, string>> = (block) =>
  isAscii(block)
    ? (start, stop) => Either.right(block.toString("latin1", start, stop))
    : (start, stop) => textOf(block.subarray(start, stop))

/** Reads about `maxBytes` from a place up to an offset. Throws. */
export const readSlice = (fd: number, from: LogPosition, to: number, maxBytes: number): LogSlice => {
  const { lines, end } = LogFile.readLinesAs(fd, from.offset, to, maxBytes, asTexts)
  const texts = lines.map((line) => line ?? TOO_LONG)
  const { hash, lines: sound, misfits } = LogLine.contents(texts, from)
  return LogLine.slice(sound, misfits, { offset: end, lines: from.lines + lines.length, hash })
}

const named = ({ line, problem }: LogMisfit): string => `line ${line} ${problem}`

const warnOf = (path: string, misfits: ReadonlyArray<LogMisfit>): Effect.Effect<void> =>
  misfits.length === 0
    ? Effect.void
    : Effect.logWarning(
        `${path}: ${misfits.length} damaged line(s) left out: ${misfits.slice(0, 3).map(named).join("; ")}. See them all with runledger verify.`,
      )

/** A log that is open for reading until the scope closes. */
export const openScoped = (path: string): Effect.Effect<number, EventLogError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({ try: () => LogFile.openForRead(path), catch: failure("read", path, "read the event log") }),
    (fd) => Effect.sync(() => fs.closeSync(fd)),
  )

/**
 * The events of a log of this or another process, in order, whole lines only, read in chunks of bounded size up to where it
 * ended when its end was reached. Damaged lines are left out with a log warning. Fails with {@link EventLogError}.
 */
export const readAll = (path: string): Stream.Stream<ChainedEvent, EventLogError> => {
  const step = (fd: number, from: LogPosition) =>
    Effect.gen(function* () {
      const slice = yield* Effect.try({
        try: () => readSlice(fd, from, fs.fstatSync(fd).size, CHUNK_BYTES),
        catch: failure("read", path, "read the event log"),
      })
      yield* warnOf(path, slice.misfits)
      return slice.end.offset === from.offset
        ? Option.none()
        : Option.some([Chunk.unsafeFromArray(slice.events), slice.end] as const)
    })
  return Stream.unwrapScoped(
    Effect.map(openScoped(path), (fd) => Stream.unfoldChunkEffect(START, (from) => step(fd, from))),
  )
}

type Problems = Array<ChainReport["problems"][number]>

const note = (problems: Problems, line: number, problem: string): void => {
  if (problems.length < MAX_PROBLEMS) problems.push({ line, problem })
  else if (problems.length === MAX_PROBLEMS)
    problems.push({ line, problem: "and more behind it; the rest is not listed" })
}

const checkLine = (walk: Chain.Walk, text: Either.Either<string, string>): Chain.Step =>
  Either.isRight(text)
    ? Chain.check(walk, text.right)
    : { walk: { lines: walk.lines + 1, hash: undefined }, problems: [text.left] }

interface Progress {
  readonly walk: Chain.Walk
  readonly offset: number
  readonly head: string
}

const verifyChunk = (fd: number, to: number, from: Progress, problems: Problems): Progress => {
  const { lines, end } = LogFile.readLinesAs(fd, from.offset, to, CHUNK_BYTES, asTexts)
  let { walk, head } = from
  for (const line of lines) {
    const step = checkLine(walk, line ?? TOO_LONG)
    walk = step.walk
    head = walk.hash ?? head
    for (const problem of step.problems) note(problems, walk.lines, problem)
  }
  return { walk, offset: end, head }
}

/** Checks what stands in a log up to an offset: every line, and that the last one is whole. Holds one chunk at a time. */
export const verify = (fd: number, path: string, to: number): Effect.Effect<ChainReport, EventLogError> =>
  Effect.gen(function* () {
    const problems: Problems = []
    let progress: Progress = { walk: Chain.begin, offset: 0, head: Chain.empty.hash }
    let before = -1
    while (progress.offset !== before) {
      before = progress.offset
      progress = yield* Effect.try({
        try: () => verifyChunk(fd, to, progress, problems),
        catch: failure("read", path, "verify the event log"),
      })
      yield* Effect.yieldNow()
    }
    if (progress.offset < to) {
      note(
        problems,
        progress.walk.lines + 1,
        "is cut off: it has no newline at its end; the run's next owner sets it aside",
      )
    }
    return { lines: progress.walk.lines, head: progress.head, problems }
  })

/**
 * Checks the log of this or another process without changing it: names the line of every problem (at most
 * {@link MAX_PROBLEMS}). Fails with {@link EventLogError} only when the file cannot be read.
 */
export const verifyFile = (path: string): Effect.Effect<ChainReport, EventLogError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const fd = yield* openScoped(path)
      const to = yield* Effect.try({
        try: () => fs.fstatSync(fd).size,
        catch: failure("read", path, "verify the event log"),
      })
      return yield* verify(fd, path, to)
    }),
  )
