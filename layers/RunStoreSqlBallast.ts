import { randomBytes } from "node:crypto"
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { RunStoreError } from "../services/RunStore.js"
import * as FileProblem from "./FileProblem.js"
import * as PrivateFile from "./PrivateFile.js"

/** Room that must be left besides the ballast before writes are let in again. */
const RESERVE_BYTES = 256 * 1024
const PIECE_BYTES = 64 * 1024
const LOOK_EVERY = Duration.seconds(1)
/** Looks left out after a ballast could not be written although there seemed to be room. */
const RESTS_AFTER_FAILURE = 60

/** The words of SQLite and of the system for a disk, or a quota, without room. */
const FULL_CODES: ReadonlySet<string> = new Set(["SQLITE_FULL", "ENOSPC", "EDQUOT", "SQLITE_IOERR_SHMSIZE"])
/** These have many reasons; a full disk is one of them. */
const MAYBE_FULL_CODES: ReadonlySet<string> = new Set(["SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_CANTOPEN"])

/** Pages of the log (8 MiB) after which a commit folds them into the file: few, so that no writer waits long for it. */
const LOG_PAGES = 1000
const LEAST_LOG_PAGES = 50
/** A page and its head in the log. */
const FRAME_BYTES = 8192 + 24

/** How large the log may grow: on a full disk it is folded into the room that a ballast of so many bytes gives up. */
export const logPages = (ballastBytes: number): number =>
  ballastBytes === 0
    ? LOG_PAGES
    : Math.min(LOG_PAGES, Math.max(LEAST_LOG_PAGES, Math.floor(ballastBytes / FRAME_BYTES)))

export interface Options {
  /** The database. */
  readonly path: string
  /** How large the ballast is; 0 for none. */
  readonly bytes: number
  /** Gives back what can be given back without room: folds the log into the file. */
  readonly relief: Effect.Effect<void, RunStoreError>
  /** Whether a ballast is kept at all; without, a full disk is a failure like any other. */
  readonly isWatched: boolean
}

const codesOf = (cause: unknown): ReadonlyArray<string> => {
  const own = FileProblem.code(cause)
  const inner = cause instanceof Error ? cause.cause : undefined
  return [...(own === undefined ? [] : [own]), ...(inner === undefined ? [] : codesOf(inner))]
}

/** Where that cannot be told there is room: what is written then says itself whether there was. */
const freeBytes = (path: string): number => {
  try {
    const { bavail, bsize } = statfsSync(dirname(path))
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** Whether something failed for want of room on the disk of `path`. */
export const isForRoom = (path: string, cause: unknown): boolean => {
  const codes = codesOf(cause)
  if (codes.some((code) => FULL_CODES.has(code))) return true
  return codes.some((code) => MAYBE_FULL_CODES.has(code)) && freeBytes(path) < RESERVE_BYTES
}

/** The file beside a database that is given up when the disk is full. */
export const fileOf = (path: string): string => `${path}.ballast`

/** Gives the ballast up; whether there was one. Throws the file system's error. */
export const release = (path: string): boolean => {
  const isThere = statSync(fileOf(path), { throwIfNoEntry: false }) !== undefined
  if (isThere) rmSync(fileOf(path), { force: true })
  return isThere
}

/** For opening a database on a full disk: whether it failed for want of room, and the ballast has been given up for another try. */
export const releasedFor =
  (path: string) =>
  (cause: unknown): Effect.Effect<boolean> =>
    Effect.orElseSucceed(
      Effect.try(() => isForRoom(path, cause) && release(path)),
      () => false,
    )

/** Bytes that no file system keeps as a hole, or smaller. */
const fill = (fd: number, bytes: number): void => {
  const piece = randomBytes(PIECE_BYTES)
  for (let written = 0; written < bytes; ) {
    written += writeSync(fd, piece, 0, Math.min(PIECE_BYTES, bytes - written))
  }
  fsyncSync(fd)
}

/** Puts the ballast by. Throws, and leaves nothing, when there is no room after all. */
const putBy = (path: string, bytes: number): void => {
  const file = fileOf(path)
  const fd = openSync(file, "w", PrivateFile.MODE)
  try {
    fill(fd, bytes)
  } catch (cause) {
    rmSync(file, { force: true })
    throw cause
  } finally {
    closeSync(fd)
  }
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

const refused = (path: string, cause?: unknown): RunStoreError =>
  new RunStoreError({
    cause,
    operation: "write",
    reason: "full",
    message: `The disk of ${path} is full: nothing can be written until there is room. Free some space, or let old runs go with "runledger prune" or TELEMETRY_RETENTION_BYTES.`,
  })

type Guard = <A>(write: Effect.Effect<A, RunStoreError>) => Effect.Effect<A, RunStoreError>

export interface Ballast {
  /** Lets a client's write through; on a full disk it is refused before it begins. What fails for want of room is `reason: full`. */
  readonly guarded: Guard
  /** Does the clean-up's own work, full disk or not; the first failure for want of room gives it the ballast's room, and another try. */
  readonly helped: Guard
  readonly isFull: () => boolean
  /** Bytes that are put by. */
  readonly bytes: () => number
}

const UNWATCHED: Ballast = {
  guarded: (write) => write,
  helped: (work) => work,
  isFull: () => false,
  bytes: () => 0,
}

/**
 * The plan for a full disk. A file of real blocks stands beside the database. When a write fails for want of room it is removed,
 * the log is folded into the database, and writes are refused, so that the room is left for the clean-up: reads go on, and old
 * runs can be removed. Every second is looked whether there is room for the ballast and for writes again; then it is put by,
 * and writes are let in. Nothing of it ever fails: a ballast that cannot be made is a warning.
 */
export const make = ({ path, bytes, relief, isWatched }: Options): Effect.Effect<Ballast, never, Scope.Scope> =>
  Effect.gen(function* () {
    let full = false
    let rests = 0
    const file = fileOf(path)
    const isMissing = (): boolean => bytes > 0 && sizeOf(file) !== bytes
    const hasRoom = (): boolean => freeBytes(path) >= RESERVE_BYTES + (isMissing() ? 2 * bytes : 0)

    /** Puts the ballast by where there is room for it and for as much again; whether that is so. */
    const restore = Effect.try(() => {
      if (!hasRoom()) return false
      if (isMissing()) putBy(path, bytes)
      return true
    })

    const giveUp = Effect.gen(function* () {
      const had = yield* Effect.orElseSucceed(
        Effect.try(() => release(path)),
        () => false,
      )
      full = true
      yield* Effect.logError(
        `The disk of ${path} is full${had ? `; the ${bytes} bytes put by for that are given up` : ""}. Reads go on, writes are refused until there is room: free some space, or let old runs go with "runledger prune".`,
      )
      yield* Effect.ignore(relief)
    })

    /** A ballast for which there was no room at the start, or that somebody removed. */
    const putByLate = Effect.gen(function* () {
      if (rests > 0) {
        rests -= 1
        return
      }
      const isThere = yield* Effect.tapError(restore, () =>
        Effect.sync(() => {
          rests = RESTS_AFTER_FAILURE
        }),
      )
      if (isThere) yield* Effect.logInfo(`${file} is put by for a full disk now.`)
    })

    const lookAgain = Effect.gen(function* () {
      if (!full) {
        if (isMissing()) yield* putByLate
        return
      }
      yield* Effect.ignore(relief)
      if (!(yield* restore)) return
      full = false
      yield* Effect.logInfo(`There is room on the disk of ${path} again: writes are let in.`)
    })

    if (!isWatched) return UNWATCHED
    yield* restore.pipe(
      Effect.tap((hasBallast) =>
        hasBallast || bytes === 0
          ? Effect.void
          : Effect.logWarning(
              `There is no room to put ${bytes} bytes by for a full disk in ${file}: that is tried again until there is. Free some space.`,
            ),
      ),
      Effect.catchAll((error) =>
        Effect.logWarning(
          `${file} cannot be put by for a full disk: ${FileProblem.explain("write", file, error.cause)}`,
        ),
      ),
    )
    yield* lookAgain.pipe(Effect.ignore, Effect.repeat(Schedule.spaced(LOOK_EVERY)), Effect.forkScoped)

    /** What fails for want of room gives the ballast up, and writes are refused from then on. */
    const watched: Guard = (write) =>
      Effect.catchIf(
        write,
        (error) => isForRoom(path, error),
        (error) => Effect.zipRight(full ? Effect.void : giveUp, Effect.fail(refused(path, error))),
      )

    return {
      guarded: (write) => Effect.suspend(() => (full ? Effect.fail(refused(path)) : watched(write))),
      helped: (work) => Effect.retry(watched(work), { times: 1, while: ({ reason }) => reason === "full" }),
      isFull: () => full,
      bytes: () => sizeOf(file),
    }
  })
