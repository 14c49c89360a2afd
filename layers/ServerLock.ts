import { existsSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import * as nodePath from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { RunStoreError } from "../services/RunStore.js"
import { fromMillis } from "../src/domain/Timestamp.js"
import * as FileProblem from "./FileProblem.js"
import * as PrivateFile from "./PrivateFile.js"
import * as RunLock from "./RunLock.js"

/** The one server of a database, as it tells of itself. */
const Holder = Schema.Struct({
  pid: Schema.Int.pipe(Schema.positive()),
  since: Schema.String,
  /** Null until it listens. */
  url: Schema.NullOr(Schema.String),
})
type Holder = typeof Holder.Type

const decodeHolder = Schema.decodeUnknownOption(Schema.parseJson(Holder))

/** What who holds the lock can do with it. */
export interface Held {
  /** Tells those who come later where the server listens. */
  readonly announce: (url: string) => Effect.Effect<void>
}

const MAX_BYTES = 4096

/**
 * The database's own path, however many links lead to it: else two names of one file would be two locks. The file is made when it
 * is not there, since a link that leads nowhere yet has no path of its own.
 */
const ownPath = (path: string): string => {
  const absolute = nodePath.resolve(path)
  if (!existsSync(absolute)) PrivateFile.ensure(absolute)
  return realpathSync(absolute)
}

/**
 * Makes the lock's file when it is not there. One that is there is not opened: closing it would give up, with every lock
 * that this process has on it, also the one that a server in this very process holds.
 */
const ensureFile = (path: string): void => {
  if (existsSync(path)) return
  try {
    writeFileSync(path, "", { flag: "wx", mode: PrivateFile.MODE })
  } catch (cause) {
    if (FileProblem.code(cause) !== "EEXIST") throw cause
  }
}

const failed = (path: string, cause: unknown): RunStoreError =>
  new RunStoreError({
    operation: "lock",
    message: `The lock beside the database ${path} cannot be taken (${FileProblem.reason(cause)}). Check that this user may write in its folder, or name another database with TELEMETRY_DB_PATH or --db.`,
    cause,
  })

const told = (holder: Option.Option<Holder>): string =>
  Option.match(holder, {
    onNone: () => "another server, which is just starting",
    onSome: ({ pid, url }) => `the server with process id ${pid}${url === null ? "" : `, at ${url}`}`,
  })

const taken = (path: string, holder: Option.Option<Holder>): RunStoreError =>
  new RunStoreError({
    operation: "lock",
    message: `The database ${path} is in use by ${told(holder)}. Use that one, stop it, or name another database with --db or TELEMETRY_DB_PATH.`,
  })

const isBusy = (cause: unknown): boolean =>
  cause instanceof Error && (FileProblem.code(cause) === "SQLITE_BUSY" || isBusy(cause.cause))

/** What the holder told of itself; what a dead one left behind tells nothing of the one that has the lock now. */
const readHolder = (file: string): Effect.Effect<Option.Option<Holder>> =>
  Effect.tryPromise(() => PrivateFile.read(file, MAX_BYTES)).pipe(
    Effect.map((text) => Option.filter(decodeHolder(text), ({ pid }) => RunLock.isThere(pid))),
    Effect.orElseSucceed(() => Option.none()),
  )

/** A connection that holds SQLite's own write lock on an empty file: the operating system takes it back when the process ends. */
const locked = (path: string, lockFile: string, holderFile: string) =>
  Effect.gen(function* () {
    yield* Effect.try({ try: () => ensureFile(lockFile), catch: (cause) => failed(path, cause) })
    const sql = yield* SqliteClient.make({ filename: lockFile, disableWAL: true })
    yield* sql`PRAGMA busy_timeout = 0`
    yield* sql`PRAGMA journal_mode = OFF`
    yield* sql`BEGIN IMMEDIATE`
  }).pipe(
    Effect.withTracerEnabled(false),
    Effect.catchAllCause((cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.interrupt
      const why = Cause.squash(cause)
      if (isBusy(why)) return Effect.flatMap(readHolder(holderFile), (holder) => taken(path, holder))
      return why instanceof RunStoreError ? why : failed(path, why)
    }),
  )

/**
 * Makes this process the only server of a database until the scope closes. Another one is refused with the process id and
 * address of the first. The lock (`<database>.lock`) is the operating system's: it ends with the process, however that ends, and
 * holds across containers that share the file. Who holds it stands in `<database>.server`. Neither keeps anybody from reading
 * or backing up the database.
 */
export const hold = (path: string): Effect.Effect<Held, RunStoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const own = yield* Effect.try({ try: () => ownPath(path), catch: (cause) => failed(path, cause) })
    const holderFile = `${own}.server`
    yield* locked(own, `${own}.lock`, holderFile)
    const since = fromMillis(yield* Clock.currentTimeMillis)
    const tell = (url: string | null) =>
      Effect.try(() =>
        PrivateFile.replaceNow(holderFile, `${JSON.stringify({ pid: process.pid, since, url } satisfies Holder)}\n`),
      ).pipe(
        Effect.catchAll((error) =>
          Effect.logWarning(
            `${holderFile} cannot be written (${FileProblem.reason(error)}); others cannot see who serves.`,
          ),
        ),
      )
    yield* tell(null)
    yield* Effect.addFinalizer(() => Effect.ignore(Effect.try(() => rmSync(holderFile, { force: true }))))
    return { announce: tell }
  }).pipe(Effect.provide(Reactivity.layer))

/** Where the server listens that has a database now, as it tells of itself; none when there is none, or none that tells. */
export const listensAt = (path: string): Effect.Effect<Option.Option<string>> =>
  Effect.try(() => `${realpathSync(path)}.server`).pipe(
    Effect.flatMap(readHolder),
    Effect.map(Option.flatMapNullable(({ url }) => url)),
    Effect.orElseSucceed(() => Option.none()),
  )
