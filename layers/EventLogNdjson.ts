import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { CurrentRun } from "../services/CurrentRun.js"
import { EventLog, EventLogError, type EventLogService, type LogPosition, type LogSlice } from "../services/EventLog.js"
import type { ChainedEvent, Event } from "../src/domain/Event.js"
import * as DeadLetterFile from "./DeadLetterFile.js"
import * as GroupSync from "./GroupSync.js"
import * as LogCursor from "./LogCursor.js"
import * as LogFile from "./LogFile.js"
import * as LogReader from "./LogReader.js"
import * as LogWriter from "./LogWriter.js"
import * as UnsafeAppend from "./UnsafeAppend.js"

export { readAll, verifyFile } from "./LogReader.js"

/** What must have happened to a record before `append` returns. */
export type Durability = "process" | "power"

export interface Options {
  /** `process`: the bytes are with the operating system. `power`: they are on the disk; waiting appends share one flush. */
  readonly durability: Durability
  /** True for a run that stays local: what is recorded now is not delivered later without being asked for. */
  readonly held?: boolean
}

/** The log's file name in a run's folder. */
export const FILE = "events.ndjson"

interface Opened {
  readonly fd: number
  readonly end: LogPosition
  /** Where a torn tail went, when there was one. */
  readonly setAside: string | undefined
}

/** What has no line of a chain is emptied by recovery: only the torn beginning of a first line may be. */
const refuseForeign = (fd: number, size: number, soundEnd: number): void => {
  if (size === 0 || soundEnd > 0 || LogFile.isTornFirst(fd, size)) return
  throw new Error("it is not a Runledger log, and nothing in it was touched; move it away")
}

const recover = (fd: number, path: string, durability: Durability): Opened => {
  const { size } = fs.fstatSync(fd)
  const { offset, hash } = LogFile.soundEnd(fd, size)
  refuseForeign(fd, size, offset)
  const setAside = offset === size ? undefined : LogFile.setAside(fd, path, offset, size)
  if (durability === "power") {
    fs.fdatasyncSync(fd)
    GroupSync.syncFolders(nodePath.dirname(path))
  }
  return { fd, end: { offset, lines: LogFile.countLines(fd, offset), hash }, setAside }
}

const open = (path: string, durability: Durability): Opened => {
  const fd = LogFile.openForAppend(path)
  try {
    return recover(fd, path, durability)
  } catch (cause) {
    fs.closeSync(fd)
    throw cause
  }
}

const openScoped = (path: string, durability: Durability): Effect.Effect<Opened, EventLogError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({ try: () => open(path, durability), catch: LogReader.failure("open", path, "open the event log") }),
    ({ fd }) => Effect.sync(() => fs.closeSync(fd)),
  ).pipe(
    Effect.tap(({ end, setAside }) =>
      setAside === undefined
        ? Effect.void
        : Effect.logWarning(
            `${path}: the end of the log was torn, as a killed process leaves it. It was moved to ${setAside}; the log goes on after line ${end.lines}.`,
          ),
    ),
  )

/** Up to where the log may be told of: `to` is the offset behind the last line that `append` has returned from. */
const reading =
  (writer: LogWriter.LogWriter, path: string, to: () => number): EventLogService["read"] =>
  (from, maxBytes) =>
    Effect.try({
      try: (): LogSlice => LogReader.readSlice(writer.descriptor(), from, to(), maxBytes),
      catch: LogReader.failure("read", path, "read the event log"),
    })

/** The cursor of a log: kept in memory, and in a file that is believed only when it fits the log. */
const makeCursor = (writer: LogWriter.LogWriter, path: string) => {
  const file = nodePath.join(nodePath.dirname(path), LogCursor.FILE)
  let known: LogPosition | undefined

  const ignored = (why: string): Effect.Effect<LogPosition> =>
    Effect.as(
      Effect.logWarning(`${file} does not fit its log (${why}); delivery starts from the first event again.`),
      LogReader.START,
    )

  const accept = (cursor: LogPosition): Effect.Effect<LogPosition, EventLogError> =>
    Effect.try({
      try: () => LogCursor.misfit(writer.descriptor(), cursor, writer.head()),
      catch: LogReader.failure("read", path, "check the cursor against"),
    }).pipe(Effect.flatMap((why) => (why === undefined ? Effect.succeed(cursor) : ignored(why))))

  const load = Effect.tryPromise({
    try: () => LogCursor.read(file),
    catch: LogReader.failure("read", file, "read the cursor"),
  }).pipe(
    Effect.catchAll((error) => Effect.succeed(Either.left(error.message))),
    Effect.flatMap((cursor) =>
      cursor === undefined
        ? Effect.succeed(LogReader.START)
        : Either.match(cursor, { onLeft: ignored, onRight: ({ position }) => accept(position) }),
    ),
    Effect.tap((position) => Effect.sync(() => (known = position))),
  )

  const save = (position: LogPosition): Effect.Effect<void, EventLogError> =>
    position.offset > writer.head().offset
      ? Effect.fail(beyondEnd(file, position, writer.head()))
      : Effect.tryPromise({
          try: () => LogCursor.write(position, file),
          catch: LogReader.failure("acknowledge", file, "write the cursor"),
        }).pipe(Effect.tap(() => Effect.sync(() => (known = position))))

  const acknowledged = Effect.suspend(() => (known === undefined ? load : Effect.succeed(known)))

  const hold = Effect.tryPromise({
    try: async () => {
      const cursor = await LogCursor.read(file)
      if (cursor !== undefined && Either.isRight(cursor)) await LogCursor.write(cursor.right.position, file, true)
    },
    catch: LogReader.failure("acknowledge", file, "mark as local"),
  })

  return { acknowledged, save, hold }
}

const beyondEnd = (path: string, position: LogPosition, head: LogPosition): EventLogError =>
  new EventLogError({
    operation: "acknowledge",
    path,
    message: `cannot acknowledge byte ${position.offset} of a log that ends at ${head.offset}: the position is of another log`,
  })

const logPath = Effect.flatMap(CurrentRun, ({ directory, runId }) =>
  Option.match(directory, {
    onSome: (folder) => Effect.succeed(nodePath.join(folder, FILE)),
    onNone: () =>
      new EventLogError({
        operation: "open",
        path: FILE,
        message: `run ${runId} has no folder to keep a log in: give it one with CurrentRunFolder, or log with EventLogMemory`,
      }),
  }),
)

const make = (options: Options): Effect.Effect<EventLogService, EventLogError, CurrentRun | Scope.Scope> =>
  Effect.gen(function* () {
    const path = yield* logPath
    const { fd, end } = yield* openScoped(path, options.durability)
    const writer = LogWriter.make(fd, end)
    const cursor = makeCursor(writer, path)
    if (options.held === true) yield* cursor.hold
    const letterFile = nodePath.join(nodePath.dirname(path), DeadLetterFile.FILE)
    const letters = DeadLetterFile.make(letterFile)
    const settingAside = LogReader.failure("set aside", letterFile, "set a refused operation aside in")
    const oneAtATime = yield* Effect.makeSemaphore(1)
    const append = UnsafeAppend.appending(writer.append, writer.add, ({ type }) =>
      LogReader.failure("append", path, `append ${type} to`),
    )
    const onDisk = GroupSync.make(fd, LogReader.failure("append", path, "flush to the disk"))
    let promised = end.offset
    const appendToDisk = (event: Event): Effect.Effect<ChainedEvent, EventLogError> =>
      Effect.flatMap(append(event), (chained) => {
        const behind = writer.head().offset
        return onDisk.wait.pipe(
          // What a broken disk holds cannot be promised any more: better that the server has it.
          Effect.tapError(() => Effect.sync(() => (promised = Number.POSITIVE_INFINITY))),
          Effect.map(() => {
            promised = Math.max(promised, behind)
            return chained
          }),
          Effect.uninterruptible,
        )
      })
    const isPower = options.durability === "power"
    yield* Effect.addFinalizer(() => onDisk.idle)
    yield* Effect.addFinalizer(() => Effect.sync(writer.close))
    return EventLog.of({
      append: isPower ? appendToDisk : append,
      read: reading(writer, path, () => (isPower ? Math.min(promised, writer.head().offset) : writer.head().offset)),
      head: Effect.sync(writer.head),
      acknowledged: oneAtATime.withPermits(1)(cursor.acknowledged),
      acknowledge: (position) => oneAtATime.withPermits(1)(Effect.uninterruptible(cursor.save(position))),
      setAside: (refused) => Effect.tryPromise({ try: () => letters.add(refused), catch: settingAside }),
      deadLetters: Effect.tryPromise({ try: letters.counted, catch: settingAside }),
      verify: Effect.flatMap(
        Effect.try({ try: writer.descriptor, catch: LogReader.failure("read", path, "verify the event log") }),
        (descriptor) => LogReader.verify(descriptor, path, writer.head().offset),
      ),
    })
  })

/**
 * Keeps the current run's `events.ndjson`: one descriptor, a whole line a write, one order for all fibers. Opening recovers
 * the chain; a torn end is copied to `events.torn-<n>`, cut off and warned of; a file without a line of a chain is none of
 * ours and is left as it is. Opening reads the file once, synchronously, to count its lines: about a second for 800 MB. A
 * failed append cuts the log back to its last whole line. With `durability: power` the names of the file and of the folders
 * above it are flushed too, and nothing is read back, and so delivered, before it is on the disk; a failed flush fails every
 * later append too: they are written and delivered but not promised.
 * A cursor that does not fit the log is ignored with a warning. Fails to build when the run has no folder, the file cannot be
 * opened or is no log. Its scope closes the file.
 */
export const layer = (options: Options): Layer.Layer<EventLog, EventLogError, CurrentRun> =>
  Layer.scoped(EventLog, make(options))

/** {@link layer} with `RUNLEDGER_DURABILITY`: `process` (the default) or `power`. */
export const layerConfig: Layer.Layer<EventLog, EventLogError | ConfigError, CurrentRun> = Layer.unwrapEffect(
  Effect.map(
    Config.literal("process", "power")("RUNLEDGER_DURABILITY").pipe(Config.withDefault("process")),
    (durability) => layer({ durability }),
  ),
)
