import { closeSync, existsSync, openSync, rmSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname } from "node:path"
import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Integrity, StoreCondition } from "../src/domain/StoreCondition.js"
import * as FileProblem from "./FileProblem.js"
import * as GroupSync from "./GroupSync.js"
import * as PrivateFile from "./PrivateFile.js"

/** How the process before this one left a database, and whether the database took harm. */
export type Health = Pick<StoreCondition, "last_stop" | "quick_check" | "problems">

const MAX_PROBLEMS = 20

/** The file that stands beside a database for as long as a server has it open, and until it is known to be whole after that died. */
export const markerOf = (path: string): string => `${path}.open`

/** The entry of the new file must survive a power cut, too. */
const mark = (path: string): void => {
  closeSync(openSync(markerOf(path), "w", PrivateFile.MODE))
  GroupSync.syncFolder(dirname(path))
}

/** How the database was left; to be asked before it is opened, for opening makes it. What cannot be looked at is `new`: opening says why. */
const lastStop = (path: string): Health["last_stop"] => {
  if (existsSync(markerOf(path))) return "unclean"
  return existsSync(path) && statSync(path).size > 0 ? "clean" : "new"
}

/** Runs in a thread of its own: the check reads every page in one synchronous step, which would stop the server for seconds. */
const CHECK = `
  const { parentPort, workerData } = require("node:worker_threads")
  const Database = require(workerData.driver)
  const database = new Database(workerData.path, { readonly: true })
  database.pragma("busy_timeout = 5000")
  parentPort.postMessage(database.pragma("quick_check(" + workerData.most + ")").map((row) => row.quick_check))
  database.close()
`

const Lines = Schema.decodeUnknownSync(Schema.Array(Schema.String))

const driver = (): string => createRequire(import.meta.url).resolve("better-sqlite3")

/** A database may be too damaged for the check to come to its end. */
const isDamage = (cause: Error): boolean => /^SQLITE_(?:CORRUPT|NOTADB)/.test(FileProblem.code(cause) ?? "")

/** SQLite's quick check of a database that may be in use: what does not hold; nothing when all does. Dies when it cannot be checked. */
export const quickCheck = (path: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.async<ReadonlyArray<string>>((resume) => {
    const worker = new Worker(CHECK, {
      eval: true,
      workerData: { path, driver: driver(), most: MAX_PROBLEMS },
      env: {},
      execArgv: [],
    })
    worker.unref()
    worker.once("message", (found: unknown) => resume(Effect.sync(() => Lines(found).filter((line) => line !== "ok"))))
    worker.once("error", (cause) => resume(isDamage(cause) ? Effect.succeed([cause.message]) : Effect.die(cause)))
    worker.once("exit", (code) => resume(Effect.dieMessage(`the check ended with code ${code} and said nothing`)))
    return Effect.promise(() => worker.terminate())
  })

const MEND =
  "Stop the server, keep a copy of the file, and restore a backup, or name a new file and send the runs there again with runledger ship --from-start."

/** What a database's health is known by from before it is opened until after it is closed. */
export interface Watch {
  readonly health: () => Health
  readonly integrity: () => Integrity
  /** To be run once the database is open and is what it should be: from then on it is marked, and checked where that is needed. */
  readonly opened: Effect.Effect<void, never, Scope.Scope>
  /** To be run with how closing went: the mark goes only when the database was closed, and is not known or feared to be damaged. */
  readonly closed: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

const INTEGRITY: Readonly<Record<Health["quick_check"], Integrity>> = {
  "not needed": "ok",
  ok: "ok",
  running: "checking",
  damaged: "damaged",
  failed: "unchecked",
}

/**
 * Watches over a database. With `isServed` it is marked as open by a file beside it; after an unclean stop its pages are checked
 * in the background, and what is found is in the log, too. Never fails: a mark that cannot be written is a warning.
 */
export const make = (path: string, isServed: boolean): Watch => {
  const last_stop = lastStop(path)
  const isSuspect = isServed && last_stop === "unclean"
  let quick: Health["quick_check"] = isSuspect ? "running" : "not needed"
  let problems: ReadonlyArray<string> = []
  let isMarked = false

  const told = (found: ReadonlyArray<string>) => {
    problems = found
    quick = found.length === 0 ? "ok" : "damaged"
    return found.length === 0
      ? Effect.logInfo(`${path} was not closed cleanly before; its pages were checked, and all hold.`)
      : Effect.logError(`${path} is damaged: ${found.slice(0, 3).join("; ")}. ${MEND}`)
  }

  const unchecked = (cause: unknown) => {
    quick = "failed"
    return Effect.logWarning(
      `${path} could not be checked after its last process died; the next start and runledger doctor try again.`,
      cause,
    )
  }

  const opened = Effect.gen(function* () {
    if (!isServed) return
    isMarked = true
    yield* Effect.catchAll(
      Effect.try(() => mark(path)),
      ({ error }) => Effect.logWarning(FileProblem.explain("write", markerOf(path), error)),
    )
    if (!isSuspect) return
    yield* Effect.logWarning(`${path} was not closed cleanly before: its pages are checked meanwhile.`)
    yield* quickCheck(path).pipe(Effect.flatMap(told), Effect.catchAllDefect(unchecked), Effect.forkScoped)
  })

  const closed = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
    if (!isMarked || INTEGRITY[quick] !== "ok") return Effect.void
    return Exit.match(exit, {
      onSuccess: () => Effect.ignore(Effect.try(() => rmSync(markerOf(path), { force: true }))),
      onFailure: (cause) => Effect.logWarning(`${path} was not closed cleanly: the next start checks it.`, cause),
    })
  }

  return {
    health: () => ({ last_stop, quick_check: quick, problems }),
    integrity: () => INTEGRITY[quick],
    opened,
    closed,
  }
}
