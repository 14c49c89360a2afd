import { chmodSync, closeSync, openSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { RunStore, RunStoreError, type RunStoreService, type StoreInfo } from "../services/RunStore.js"
import * as Folder from "./Folder.js"
import * as Events from "./RunStoreSqlEvents.js"
import { LATEST, MIGRATIONS_TABLE, migrate } from "./RunStoreSqlMigrations.js"
import * as Queries from "./RunStoreSqlQueries.js"
import * as Stale from "./RunStoreSqlStale.js"
import * as Stats from "./RunStoreSqlStats.js"
import * as Writes from "./RunStoreSqlWrites.js"

export interface Options {
  /** The database file; made, with its folder, when it is not there. */
  readonly path: string
}

const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause instanceof Error ? reasonOf(cause.cause) : cause.message
}

const failure =
  (operation: string, message: (reason: string) => string) =>
  (cause: unknown): RunStoreError =>
    new RunStoreError({ operation, message: message(reasonOf(cause)), cause })

/** Typed failures and defects become a `RunStoreError`; interruption passes. */
const translated =
  (toError: (cause: unknown) => RunStoreError) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, RunStoreError, R> =>
    Effect.catchAllCause(self, (cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.interrupt
      const squashed = Cause.squash(cause)
      return Effect.fail(squashed instanceof RunStoreError ? squashed : toError(squashed))
    })

const PRIVATE_FILE = 0o600
const PRIVATE_FOLDER = 0o700

/** Makes the file before SQLite does, so that it and its companions are never readable by others, not even for a moment. */
const prepareFile = (path: string): Effect.Effect<void, RunStoreError> =>
  Effect.try({
    try: () => {
      Folder.ensure(dirname(path), PRIVATE_FOLDER)
      closeSync(openSync(path, "a+", PRIVATE_FILE))
    },
    catch: failure(
      "open",
      (reason) =>
        `The database ${path} cannot be made or written (${reason}). Name another file with TELEMETRY_DB_PATH or --db.`,
    ),
  })

const connect = (path: string, readonly: boolean) =>
  SqliteClient.make({ filename: path, readonly, disableWAL: true }).pipe(
    translated(
      failure(
        "open",
        (reason) =>
          `The database ${path} cannot be opened (${reason}). Move the file away, or name another with TELEMETRY_DB_PATH or --db.`,
      ),
    ),
  )

/** A database of another program, or of a newer version of this one, is left as it is. */
const refuseForeign = (sql: SqlClient.SqlClient, path: string) =>
  Effect.gen(function* () {
    const tables = yield* sql<{ readonly name: string }>`SELECT name FROM sqlite_master WHERE type = 'table'`
    if (tables.length === 0) return
    if (!tables.some((table) => table.name === MIGRATIONS_TABLE)) {
      return yield* new RunStoreError({
        operation: "open",
        message: `${path} is a database of something else. Name another file with TELEMETRY_DB_PATH or --db.`,
      })
    }
    const [row] = yield* sql<{ readonly latest: number | null }>`
      SELECT max(migration_id) AS latest FROM ${sql(MIGRATIONS_TABLE)}`
    if ((row?.latest ?? 0) > LATEST) {
      return yield* new RunStoreError({
        operation: "open",
        message: `${path} was made by a newer Runledger. Install that version, or name another file with --db.`,
      })
    }
  })

const LEVELS = ["off", "normal", "full", "extra"]

/** Read back after a write: before one, the driver reports a level that it does not keep. */
const readBack = (sql: SqlClient.SqlClient, path: string) =>
  Effect.gen(function* () {
    const [mode] = yield* sql<{ readonly journal_mode: string }>`PRAGMA journal_mode`
    const [level] = yield* sql<{ readonly synchronous: number }>`PRAGMA synchronous`
    const info: StoreInfo = {
      path,
      journalMode: mode?.journal_mode ?? "unknown",
      synchronous: LEVELS[level?.synchronous ?? -1] ?? "unknown",
    }
    if (info.synchronous !== "full") {
      return yield* new RunStoreError({
        operation: "open",
        message: `${path} does not keep synchronous=FULL (it says ${info.synchronous}), so a power cut could lose runs.`,
      })
    }
    if (info.journalMode !== "wal") {
      yield* Effect.logWarning(
        `${path} cannot use a write-ahead log (its journal is "${info.journalMode}"): writes are safe but slower. Put it on a local disk.`,
      )
    }
    return info
  })

const prepareDatabase = (sql: SqliteClient.SqliteClient, path: string) =>
  Effect.gen(function* () {
    yield* refuseForeign(sql, path)
    yield* Effect.sync(() => chmodSync(path, PRIVATE_FILE))
    yield* sql`PRAGMA page_size = 8192`
    yield* sql`PRAGMA journal_mode = WAL`
    yield* sql`PRAGMA synchronous = FULL`
    yield* sql`PRAGMA journal_size_limit = 67108864`
    yield* sql`PRAGMA wal_autocheckpoint = 4000`
    yield* sql`PRAGMA cache_size = -32768`
    yield* Effect.provideService(migrate, SqlClient.SqlClient, sql)
    yield* Writes.make(sql).ping
    return yield* readBack(sql, path)
  }).pipe(
    Effect.withTracerEnabled(false),
    translated(
      failure(
        "open",
        (reason) =>
          `The database ${path} cannot be used (${reason}). Check that it is a Runledger database on a disk with space, or name another with TELEMETRY_DB_PATH or --db.`,
      ),
    ),
  )

const make = (options: Options): Effect.Effect<RunStoreService, RunStoreError, Scope.Scope | Reactivity.Reactivity> =>
  Effect.gen(function* () {
    const path = resolve(options.path)
    yield* prepareFile(path)
    const writer = yield* connect(path, false)
    const info = yield* prepareDatabase(writer, path)
    const reader = yield* connect(path, true)

    const writes = Writes.make(writer)
    const queries = Queries.make(reader, info)
    const events = Events.make(reader)
    const stats = Stats.make(reader)
    const endStale = Stale.make(writer, writes)
    const oneWriter = yield* Effect.makeSemaphore(1)

    const doing = (operation: string) =>
      failure(
        operation,
        (reason) => `The database ${path} could not ${operation} (${reason}). Check the disk it is on.`,
      )

    const read = <A, E>(operation: string, query: Effect.Effect<A, E>): Effect.Effect<A, RunStoreError> =>
      query.pipe(Effect.withTracerEnabled(false), translated(doing(operation)))

    /** A commit that fails may leave its transaction open: it is rolled back before the next writer comes. */
    const transact = <A, E>(operation: string, work: Effect.Effect<A, E>): Effect.Effect<A, RunStoreError> =>
      writer.withTransaction(work).pipe(
        Effect.onError(() => Effect.ignore(writer`ROLLBACK`)),
        oneWriter.withPermits(1),
        Effect.withTracerEnabled(false),
        translated(doing(operation)),
      )

    return {
      info,
      ping: transact("take a test write", writes.ping).pipe(
        Effect.filterOrFail(
          (same) => same,
          () => doing("read back a test write")("the row was not there"),
        ),
        Effect.asVoid,
      ),
      insert: (runs) =>
        transact(
          "insert runs",
          writes.apply(
            runs.map((run) => ({ ...run, op: "create" as const })),
            {},
          ),
        ).pipe(Effect.map((results) => results.map(({ status }) => (status === "created" ? "created" : "duplicate")))),
      apply: (operations, client) => transact("apply operations", writes.apply(operations, client)),
      update: (eventId, patch) =>
        Effect.gen(function* () {
          const applied = yield* transact("update a run", writes.update(eventId, patch))
          if (Option.isNone(applied)) return Option.none()
          const run = yield* read("read a run", queries.get(eventId))
          return Option.map(run, (after) => ({ ...applied.value, run: after }))
        }),
      get: (id) => read("read a run", queries.get(id)),
      events: (runId, page) => read("read a run's events", events.events(runId, page)),
      logHead: (runId) => read("read a run's events", events.logHead(runId)),
      closeStale: ({ before }) =>
        transact("end runs without a sign of life", endStale(before)).pipe(
          Stream.repeatEffect,
          Stream.takeUntil((ended) => ended < Stale.ROWS_AT_ONCE),
          Stream.runSum,
        ),
      list: (filter, page) => read("list runs", queries.list(filter, page)),
      stream: (filter) => Queries.stream((page) => read("list runs", queries.list(filter, page))),
      count: (filter) => read("count runs", queries.count(filter)),
      family: (runId) => read("read a run's descendants", queries.family(runId)),
      stats: (groupBy, filter) => read("sum up runs", stats(groupBy, filter)),
      metadata: read("list names", queries.metadata),
      metrics: (nowMillis) => read("measure itself", queries.metrics(nowMillis)),
    }
  })

/**
 * Keeps runs in one SQLite file: write-ahead log, `synchronous=FULL` (checked after a first write), mode 0600. A batch is one
 * transaction and durable when it returns; writers queue, readers have a connection of their own and never see half a batch.
 * A full disk or a lost file is a `RunStoreError` and leaves the store as it was. Closing the scope closes the file and folds
 * the log into it.
 */
export const layer = (options: Options): Layer.Layer<RunStore, RunStoreError> =>
  Layer.scoped(RunStore, make(options)).pipe(Layer.provide(Reactivity.layer))

/** Where the database is: `TELEMETRY_DB_PATH`. */
export const path: Config.Config<string> = Config.nonEmptyString("TELEMETRY_DB_PATH").pipe(
  Config.withDefault(".runledger/telemetry.sqlite"),
)

/** {@link layer} over the file that `TELEMETRY_DB_PATH` names. */
export const layerConfig: Layer.Layer<RunStore, RunStoreError | ConfigError> = Layer.unwrapEffect(
  Effect.map(path, (file) => layer({ path: file })),
)
