import * as fs from "node:fs"
import { readdir } from "node:fs/promises"
import * as nodePath from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Order from "effect/Order"
import type { RunBacklog } from "../services/Backlog.js"
import { EventLogError, type LogPosition } from "../services/EventLog.js"
import * as DeadLetterFile from "./DeadLetterFile.js"
import * as EventLogNdjson from "./EventLogNdjson.js"
import * as FileProblem from "./FileProblem.js"
import * as LeftOpen from "./LeftOpen.js"
import * as LogCursor from "./LogCursor.js"
import * as LogFile from "./LogFile.js"
import * as LogReader from "./LogReader.js"
import * as LogScan from "./LogScan.js"
import * as RunLock from "./RunLock.js"

/** A run's backlog, and when the run began. */
export interface Found extends RunBacklog {
  readonly startedAt: string
  /** Why nobody can tell from here whether its owner is alive; null when that can be told. */
  readonly doubt: string | null
}

export interface Options {
  /** Also tell what the whole log must be read for: events that it reports as lost. */
  readonly gaps: boolean
  /** See `DrainOptions`. */
  readonly force?: boolean | undefined
  readonly fromStart?: boolean | undefined
  readonly inPassing?: boolean | undefined
}

interface Cursor {
  readonly position: LogPosition
  readonly offline: boolean
  readonly problem: string | null
}

const FROM_START = "; delivery starts from the first event again, which does no harm"

const misfit = (fd: number, { offset, hash }: LogPosition, size: number): string | null => {
  if (offset > size) return `it stands at byte ${offset}, the log ends at ${size}`
  return LogFile.hashEndingAt(fd, offset) === hash ? null : "the line that it names is not in the log"
}

/** How far the server has acknowledged, as the file beside the log says. One that cannot be believed stands at the start. */
const cursorOf = async (fd: number, directory: string, size: number): Promise<Cursor> => {
  const path = nodePath.join(directory, LogCursor.FILE)
  const ignored = (problem: string, offline: boolean): Cursor => ({
    position: LogReader.START,
    offline,
    problem: `${problem}${FROM_START}`,
  })
  const unfit = (why: string, offline: boolean): Cursor => ignored(`${path} does not fit its log (${why})`, offline)
  const cursor = await LogCursor.read(path).catch((cause: unknown) => FileProblem.explain("read", path, cause))
  if (typeof cursor === "string") return ignored(cursor, false)
  if (cursor === undefined) return { position: LogReader.START, offline: true, problem: null }
  return Either.match(cursor, {
    onLeft: (why) => unfit(why, false),
    onRight: ({ position, held }) => {
      const why = misfit(fd, position, size)
      return why === null ? { position, offline: held, problem: null } : unfit(why, held)
    },
  })
}

/** How many dead letters a run has, or why that cannot be told: it keeps nothing from being delivered. */
const lettersBeside = (directory: string): Either.Either<number, string> => {
  const path = nodePath.join(directory, DeadLetterFile.FILE)
  return Either.try({
    try: () => DeadLetterFile.make(path).count(),
    catch: (cause) => FileProblem.explain("count the refused operations in", path, cause),
  })
}

/** What the files beside a log tell of it: that a drain in passing has nothing to do for it. */
const isPassedOver = async (directory: string, path: string): Promise<boolean> => {
  const cursor = await LogCursor.read(nodePath.join(directory, LogCursor.FILE))
  if (cursor === undefined) return true
  const { _tag } = await RunLock.standing(directory)
  if (_tag === "Owned" || _tag === "Unknown") return true
  if (Either.isLeft(cursor)) return false
  const { held, position } = cursor.right
  return held || (_tag === "Free" && fs.lstatSync(path).size === position.offset)
}

/** Why a run is left alone of which nobody can tell from here whether its owner is alive, and what to do unless that was done. */
export const doubtOf = (
  directory: string,
  { where }: Extract<RunLock.Standing, { readonly _tag: "Unknown" }>,
  force = false,
): string => {
  const doubt = RunLock.doubt(directory, where)
  return force ? doubt : `${doubt}; if it is not: runledger ship --force`
}

const readLog = (directory: string, path: string, options: Options) =>
  Effect.gen(function* () {
    const fd = yield* LogReader.openScoped(path)
    const failed = LogReader.failure("read", path, "survey the run of")
    const { size, mtime } = yield* Effect.try({ try: () => fs.fstatSync(fd), catch: failed })
    const first = yield* Effect.try({ try: () => LogScan.firstEvent(fd), catch: failed })
    const cursor = yield* Effect.tryPromise({ try: () => cursorOf(fd, directory, size), catch: failed })
    const standing = yield* Effect.tryPromise({ try: () => RunLock.standing(directory), catch: failed })
    const letters = lettersBeside(directory)
    const isLeft = standing._tag === "Dead" || (standing._tag === "Unknown" && options.force === true)
    const isTaken = !isLeft && standing._tag !== "Free"
    const countFrom = options.fromStart === true && !isTaken ? 0 : cursor.position.offset
    const mayBeOpen = isLeft || (standing._tag === "Free" && cursor.position.offset < size)
    const scan = yield* LogScan.scan(fd, path, size, { countFrom, whole: options.gaps || mayBeOpen })
    const openSpans = mayBeOpen && LeftOpen.isOfTheDead(isLeft, scan.isRunOpen) ? scan.open.length : 0
    const doubt = standing._tag === "Unknown" ? doubtOf(directory, standing, options.force) : null
    const problems = [cursor.problem, Either.isLeft(letters) ? letters.left : null, doubt].filter((one) => one !== null)
    return {
      runId: first?.run_id ?? nodePath.basename(directory),
      directory,
      startedAt: first?.ts ?? mtime.toISOString(),
      undelivered: scan.lines,
      oldestAt: scan.firstTs,
      offline: cursor.offline,
      owner: standing._tag === "Owned" ? standing.owner.pid : null,
      openSpans,
      deadLetters: Either.getOrElse(letters, () => 0),
      lost: scan.lost,
      doubt,
      problem: problems.length === 0 ? null : problems.join("; "),
    } satisfies Found
  }).pipe(Effect.scoped)

const unreadable = (directory: string, { message }: EventLogError): Found => ({
  runId: nodePath.basename(directory),
  directory,
  startedAt: "",
  undelivered: null,
  oldestAt: null,
  offline: false,
  owner: null,
  openSpans: 0,
  deadLetters: 0,
  lost: 0,
  doubt: null,
  problem: message,
})

/** How one run stands; undefined for a folder without an event log, and for one that is passed over. Changes nothing, and what goes wrong is its `problem`. */
export const look = (directory: string, options: Options): Effect.Effect<Found | undefined> => {
  const path = nodePath.join(directory, EventLogNdjson.FILE)
  const isThere = Effect.sync(() => fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined)
  const isMeant = Effect.promise(async () => {
    if (options.inPassing !== true) return true
    return !(await isPassedOver(directory, path).catch(() => false))
  })
  return Effect.if(
    Effect.zipWith(isThere, isMeant, (there, meant) => there && meant),
    {
      onTrue: () => readLog(directory, path, options),
      onFalse: () => Effect.succeed(undefined),
    },
  ).pipe(
    Effect.catchAll((error) => Effect.succeed(unreadable(directory, error))),
    Effect.catchAllDefect((cause) =>
      Effect.succeed(
        unreadable(
          directory,
          new EventLogError({
            operation: "read",
            path,
            message: FileProblem.explain("survey the run of", path, cause),
            cause,
          }),
        ),
      ),
    ),
  )
}

const byAge: Order.Order<Found> = Order.combine(
  Order.mapInput(Order.string, ({ startedAt }: Found) => startedAt),
  Order.mapInput(Order.string, ({ directory }: Found) => directory),
)

/** The run folders of a runs folder, or only the one of that name. A runs folder that is not there has none. Links are not followed. */
const foldersIn = (runsDir: string, only: string | undefined): Effect.Effect<ReadonlyArray<string>> =>
  Effect.promise(async () => {
    if (only !== undefined) return [nodePath.join(runsDir, only)]
    const entries = await readdir(runsDir, { withFileTypes: true }).catch(() => [])
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
      .map(({ name }) => nodePath.join(runsDir, name))
  })

/** Every run that has an event log, the oldest first, one looked at after the other. */
export const survey = (
  runsDir: string,
  options: Options & { readonly only?: string | undefined },
): Effect.Effect<ReadonlyArray<Found>> =>
  Effect.gen(function* () {
    const folders = yield* foldersIn(nodePath.resolve(runsDir), options.only)
    const found = yield* Effect.forEach(folders, (folder) => look(folder, options))
    return found.filter((run) => run !== undefined).toSorted(byAge)
  })
