import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs"
import * as nodePath from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import type * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { RunStoreError } from "../services/RunStore.js"
import type { BackupReport } from "../src/domain/BackupReport.js"
import * as FileProblem from "./FileProblem.js"
import * as GroupSync from "./GroupSync.js"
import * as PrivateFile from "./PrivateFile.js"
import * as Check from "./RunStoreSqlCheck.js"
import { MIGRATIONS_TABLE } from "./RunStoreSqlMigrations.js"

export interface Options {
  /** The database; a server may have it open and write. */
  readonly from: string
  /** The new file. */
  readonly to: string
  /** Whether a file of that name may be replaced. */
  readonly force: boolean
}

const failed = (message: string, cause?: unknown) => new RunStoreError({ operation: "back up", message, cause })

const COMPANIONS = ["", "-journal", "-wal", "-shm"]

/** What stands beside a database: its journals, and the lock, ballast, mark and card of the server. */
const OWN = ["-journal", "-wal", "-shm", ".lock", ".ballast", ".open", ".server"]

const isTaken = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined

/** A path as the system knows it, whether or not there is a file of that name. */
const realName = (path: string): string => {
  const whole = nodePath.resolve(path)
  return nodePath.join(realpathSync(nodePath.dirname(whole)), nodePath.basename(whole))
}

/** Whether a path is that of a file that the database, or the server of it, keeps beside it. */
const isOwn = (from: string, to: string): boolean => {
  const target = realName(to)
  return [realName(from), realpathSync(from)].some((base) => OWN.some((suffix) => target === `${base}${suffix}`))
}

const refusal = ({ from, to, force }: Options): string | undefined => {
  if (!existsSync(from)) return `There is no database ${from}. Name it with --db or TELEMETRY_DB_PATH.`
  if (!existsSync(nodePath.dirname(nodePath.resolve(to)))) return `There is no folder for ${to}. Make it first.`
  if (isOwn(from, to)) return `${to} belongs to the database itself. Name another file.`
  if (!isTaken(to)) return undefined
  if (!lstatSync(to).isFile()) return `${to} is no regular file. Name another.`
  if (realpathSync(to) === realpathSync(from)) return `${to} is the database itself. Name another file.`
  return force ? undefined : `${to} exists already. Name another file, or replace it with --force.`
}

/** Gives the finished copy its name; without `force` only when nobody took that name meanwhile. */
const place = (temporary: string, { to, force }: Options): void => {
  PrivateFile.flush(temporary)
  if (force) renameSync(temporary, to)
  else {
    linkSync(temporary, to)
    rmSync(temporary)
  }
  GroupSync.syncFolder(nodePath.dirname(nodePath.resolve(to)))
}

/**
 * One snapshot of the database, held for as long as the copying takes: writers go on, and nothing of what they write gets into
 * the copy. Page by page, so that Ctrl-C is heard.
 */
const copy = ({ from }: Options, temporary: string) =>
  Effect.gen(function* () {
    const sql = yield* Check.open(from)
    yield* sql`PRAGMA query_only = ON`
    yield* sql`PRAGMA busy_timeout = 5000`
    yield* sql`BEGIN`
    const tables = yield* sql`SELECT 1 FROM sqlite_master WHERE name = ${MIGRATIONS_TABLE}`
    if (tables.length === 0) return yield* failed(`${from} is not a Runledger database. Name one with --db.`)
    yield* sql.backup(temporary)
    yield* sql`COMMIT`
  }).pipe(Effect.scoped)

/** Gives the copy a name of its own, so that who follows the changes of the one does not take those of the other for them. */
const renamed = (sql: SqlClient.SqlClient) =>
  Effect.gen(function* () {
    const named = yield* sql`SELECT 1 FROM pragma_table_info('revisions') WHERE name = 'store'`
    if (named.length > 0) yield* sql`UPDATE revisions SET store = lower(hex(randomblob(16)))`
  })

/** Makes the copy one file that needs no other beside it, and reads all of it. */
const verified = (temporary: string) =>
  Effect.gen(function* () {
    const sql = yield* SqliteClient.make({ filename: temporary, disableWAL: true })
    yield* sql`PRAGMA journal_mode = DELETE`
    const found = yield* sql<{ readonly quick_check: string }>`PRAGMA quick_check(3)`
    const problems = found.map(({ quick_check }) => quick_check).filter((line) => line !== "ok")
    if (problems.length > 0) {
      return yield* failed(
        `The copy does not hold (${problems.join("; ")}), so it was thrown away. Check the database with runledger doctor, and the disk.`,
      )
    }
    yield* renamed(sql)
    const [counts] = yield* sql<{ readonly rows: number; readonly events: number }>`
      SELECT (SELECT count(*) FROM runs) AS rows, (SELECT count(*) FROM events) AS events`
    return counts ?? { rows: 0, events: 0 }
  }).pipe(Effect.scoped)

const remove = (temporary: string) =>
  Effect.sync(() => {
    for (const suffix of COMPANIONS) rmSync(`${temporary}${suffix}`, { force: true })
  })

/**
 * Copies a database that may be in use into a new file: consistent, mode 0600, one file, on the disk, and opened and checked
 * before it gets its name. A file that is there is refused without `force`. Fails with {@link RunStoreError} and leaves nothing
 * behind then.
 */
export const backup = (options: Options): Effect.Effect<BackupReport, RunStoreError> =>
  Effect.gen(function* () {
    const why = yield* Effect.sync(() => refusal(options))
    if (why !== undefined) return yield* failed(why)
    const temporary = PrivateFile.beside(nodePath.resolve(options.to))
    const { rows, events } = yield* Effect.gen(function* () {
      yield* Effect.try(() => closeSync(openSync(temporary, "wx", PrivateFile.MODE)))
      yield* copy(options, temporary)
      const counts = yield* verified(temporary)
      yield* Effect.try(() => place(temporary, options))
      return counts
    }).pipe(Effect.ensuring(remove(temporary)))
    const { size } = statSync(options.to)
    return { file: options.to, bytes: size, rows, events }
  }).pipe(
    Effect.provide(Reactivity.layer),
    Effect.withTracerEnabled(false),
    Effect.catchAllCause((cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.interrupt
      const squashed = Cause.squash(cause)
      if (squashed instanceof RunStoreError) return squashed
      const inner = squashed instanceof Cause.UnknownException ? squashed.error : squashed
      return FileProblem.code(inner) === undefined || String(FileProblem.code(inner)).startsWith("SQLITE")
        ? failed(`${options.from} could not be copied to ${options.to} (${FileProblem.reason(inner)}).`, squashed)
        : failed(FileProblem.explain("back up to", options.to, inner), squashed)
    }),
  )
