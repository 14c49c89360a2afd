import { chmodSync } from "node:fs"
import { resolve } from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { RunStore, RunStoreError, type RunStoreService, type StoreInfo } from "../services/RunStore.js"
import type { PriceOf } from "../src/domain/CallPricing.js"
import * as FileProblem from "./FileProblem.js"
import * as PrivateFile from "./PrivateFile.js"
import * as Ballast from "./RunStoreSqlBallast.js"
import * as Changes from "./RunStoreSqlChanges.js"
import * as Commits from "./RunStoreSqlCommits.js"
import * as Connection from "./RunStoreSqlConnection.js"
import * as Database from "./RunStoreSqlDatabase.js"
import * as Groups from "./RunStoreSqlGroups.js"
import * as Health from "./RunStoreSqlHealth.js"
import * as Keeping from "./RunStoreSqlKeeping.js"
import { LATEST, MIGRATIONS_TABLE, migrate } from "./RunStoreSqlMigrations.js"
import * as Reading from "./RunStoreSqlReading.js"
import * as Repricing from "./RunStoreSqlRepricing.js"
import * as Stale from "./RunStoreSqlStale.js"
import * as Writes from "./RunStoreSqlWrites.js"

export interface Options {
  /** The database file; made, with its folder, when it is not there. */
  readonly path: string
  /** Given by who serves the store: the plan for a full disk, and the check after an unclean stop. */
  readonly house?: Keeping.House | undefined
  /** Prices calls that come with tokens and without a word about their cost; absent: they stay unpriced. */
  readonly priceOf?: PriceOf | undefined
}

const failure =
  (operation: string, message: (reason: string) => string) =>
  (cause: unknown): RunStoreError =>
    new RunStoreError({ operation, message: message(FileProblem.reason(cause)), cause })

/** Typed failures and defects become a `RunStoreError`; interruption passes. */
const translated =
  (toError: (cause: unknown) => RunStoreError) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, RunStoreError, R> =>
    Effect.catchAllCause(self, (cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.interrupt
      const squashed = Cause.squash(cause)
      return Effect.fail(squashed instanceof RunStoreError ? squashed : toError(squashed))
    })

/** What short reads and streams on the thread that writes keep of the file. */
const SHORT_READS_CACHE_KIB = 8192

/** Makes the file before SQLite does, so that it and its companions are never readable by others, not even for a moment. */
const prepareFile = (path: string): Effect.Effect<void, RunStoreError> =>
  Effect.try({
    try: () => PrivateFile.ensure(path),
    catch: failure(
      "open",
      (reason) =>
        `The database ${path} cannot be made or written (${reason}). Name another file with TELEMETRY_DB_PATH or --db.`,
    ),
  })

const connect = (path: string) =>
  Connection.make(path).pipe(
    translated(
      failure(
        "open",
        (reason) =>
          `The database ${path} cannot be opened (${reason}). Move the file away, or name another with TELEMETRY_DB_PATH or --db.`,
      ),
    ),
  )

/** The connection that writes. It is closed last, so that what watches over the database learns whether that went well. */
const connected = (path: string, watch: Health.Watch) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    yield* Effect.addFinalizer((exit) =>
      Effect.flatMap(Effect.exit(Scope.close(scope, exit)), (closing) =>
        Effect.zipRight(watch.closed(closing), closing),
      ),
    )
    return yield* Scope.extend(connect(path), scope)
  })

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

const prepareDatabase = (sql: Connection.Connection, path: string, { house }: Options) =>
  Effect.gen(function* () {
    yield* refuseForeign(sql, path)
    yield* Effect.sync(() => chmodSync(path, PrivateFile.MODE))
    yield* sql`PRAGMA page_size = 8192`
    yield* sql`PRAGMA auto_vacuum = INCREMENTAL`
    yield* sql`PRAGMA journal_mode = WAL`
    yield* sql`PRAGMA synchronous = FULL`
    yield* sql`PRAGMA journal_size_limit = 67108864`
    yield* sql`PRAGMA wal_autocheckpoint = ${sql.literal(String(Ballast.logPages(house?.ballastBytes ?? 0)))}`
    yield* sql`PRAGMA cache_size = -32768`
    yield* migrate(sql)
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
    const watch = Health.make(path, options.house !== undefined)
    yield* prepareFile(path)
    const writer = yield* connected(path, watch)
    const info = yield* prepareDatabase(writer, path, options).pipe(
      Effect.retry({ times: 1, while: Ballast.releasedFor(path) }),
    )
    yield* watch.opened

    const writes = Writes.make(writer, options.priceOf)
    const endStale = Stale.make(writer, writes)
    const oneWriter = yield* Effect.makeSemaphore(1)
    const associate = Commits.make(writer, writes)
    const changed = Changes.makeSignal()
    const shortReader = yield* Effect.acquireRelease(
      Effect.sync(() => Database.open(path, SHORT_READS_CACHE_KIB)),
      (db) => Effect.sync(db.close),
    )

    const doing = (operation: string) =>
      failure(
        operation,
        (reason) => `The database ${path} could not ${operation} (${reason}). Check the disk it is on.`,
      )

    const read = <A, E>(operation: string, query: Effect.Effect<A, E>): Effect.Effect<A, RunStoreError> =>
      query.pipe(Effect.withTracerEnabled(false), translated(doing(operation)))

    const reading = yield* Reading.make({
      info,
      database: shortReader,
      translated: (operation) => (self) => read(operation, self),
    })

    const changesOf = <A>(query: (db: Database.Database) => A): Effect.Effect<A, RunStoreError> =>
      read(
        "read changes",
        Effect.try(() => query(shortReader)),
      )

    const alone = <A, E>(operation: string, work: Effect.Effect<A, E>): Effect.Effect<A, RunStoreError> =>
      work.pipe(oneWriter.withPermits(1), Effect.withTracerEnabled(false), translated(doing(operation)))

    /** A commit that fails may leave its transaction open: it is rolled back before the next writer comes. */
    const commit = <A, E>(operation: string, work: Effect.Effect<A, E>): Effect.Effect<A, RunStoreError> =>
      alone(
        operation,
        Effect.onError(writer.withTransaction(work), () => Effect.ignore(writer`ROLLBACK`)),
      ).pipe(Effect.zipLeft(changed.wake))

    const keeping = yield* Keeping.make({
      path,
      sql: writer,
      writes,
      watch,
      house: options.house,
      transact: commit,
      alone,
      translated: doing,
    })

    /** A write of a client: none is begun on a full disk, where the room that is left is for the clean-up. */
    const transact = <A, E>(operation: string, work: Effect.Effect<A, E>): Effect.Effect<A, RunStoreError> =>
      keeping.ballast.guarded(commit(operation, work))

    const look: Repricing.Desk["look"] = (question) => read("look for calls to price anew", Effect.try(question))
    const repricing = Repricing.make({ sql: writer, database: shortReader, writes: writes.now, transact, look })

    const write = yield* Groups.make((shares) =>
      keeping.ballast.guarded(alone("write runs", writes.commitTogether(shares)).pipe(Effect.zipLeft(changed.wake))),
    )

    return {
      ...reading,
      info,
      keeping: keeping.service,
      repricing,
      ping: transact("take a test write", writes.ping).pipe(
        Effect.filterOrFail(
          (same) => same,
          () => doing("read back a test write")("the row was not there"),
        ),
        Effect.asVoid,
      ),
      insert: (runs) =>
        write(
          Writes.applying(
            runs.map((run) => ({ ...run, op: "create" as const })),
            {},
          ),
        ).pipe(Effect.map((results) => results.map(({ status }) => (status === "created" ? "created" : "duplicate")))),
      apply: (operations, client) => write(Writes.applying(operations, client)),
      update: (eventId, patch) =>
        Effect.gen(function* () {
          const applied = yield* write(Writes.patching(eventId, patch))
          if (Option.isNone(applied)) return Option.none()
          const run = yield* reading.get(eventId)
          return Option.map(run, (after) => ({ ...applied.value, run: after }))
        }),
      associateCommit: (eventId, commit, { propagate }) =>
        transact("associate a commit", associate(eventId, commit, propagate)),
      position: changesOf((db) => Changes.position(db, path)),
      changes: (filter, after) => changesOf((db) => Changes.changes(db, filter, after)),
      awaitChange: (after) => Changes.awaitChange(changed, changesOf(Changes.newest), after),
      closeStale: ({ before }) =>
        transact("end runs without a sign of life", endStale(before)).pipe(
          Stream.repeatEffect,
          Stream.takeUntil((ended) => ended < Stale.ROWS_AT_ONCE),
          Stream.runSum,
        ),
    }
  })

/**
 * Keeps runs in one SQLite file: write-ahead log, `synchronous=FULL` (checked after a first write), mode 0600. A batch is
 * durable when it returns; batches that come while another one is written share the next transaction, in their order, and one
 * that cannot be written fails alone. Readers have connections of their own and never see half a batch. A full disk or a lost file is a `RunStoreError` and leaves the store as it was. Closing the scope closes the file and folds
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
