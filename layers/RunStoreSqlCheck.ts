import { existsSync } from "node:fs"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { RunStoreError } from "../services/RunStore.js"
import type { DatabaseReport } from "../src/domain/DatabaseReport.js"

const MAX_PROBLEMS = 20

const failed = (path: string, reason: string, cause?: unknown): RunStoreError =>
  new RunStoreError({ operation: "check", message: `The database ${path} cannot be checked (${reason}).`, cause })

const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause instanceof Error ? reasonOf(cause.cause) : cause.message
}

/**
 * Looking at a database in WAL mode makes the log's files beside it, and only a connection that may write takes them away
 * again when it closes. Where they stand already a server has it open, or died: they are left as they are.
 */
const open = (path: string) =>
  SqliteClient.make({ filename: path, readonly: existsSync(`${path}-wal`), disableWAL: true })

/**
 * SQLite's own full check of a database file: pages, indexes, constraints. Takes seconds for a million rows and blocks this
 * process meanwhile. Never makes a file that is not there, never changes one. Fails with {@link RunStoreError} when it cannot
 * be opened at all; a file that is damaged, or no database, is a problem in the report.
 */
export const check = (path: string): Effect.Effect<DatabaseReport, RunStoreError> =>
  Effect.gen(function* () {
    if (!existsSync(path)) return yield* failed(path, "there is no such file")
    const sql = yield* open(path)
    yield* sql`PRAGMA query_only = ON`
    const [row] = yield* sql<{ readonly version: string }>`SELECT sqlite_version() AS version`
    const found = yield* sql<{
      readonly integrity_check: string
    }>`PRAGMA integrity_check(${sql.literal(String(MAX_PROBLEMS))})`.pipe(
      Effect.map((rows) => rows.map((line) => line.integrity_check).filter((line) => line !== "ok")),
      Effect.catchAll((error) => Effect.succeed([reasonOf(error)])),
    )
    return { sqlite: row?.version ?? "unknown", problems: found }
  }).pipe(
    Effect.scoped,
    Effect.provide(Reactivity.layer),
    Effect.catchAllCause((cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.interrupt
      const squashed = Cause.squash(cause)
      return Effect.fail(squashed instanceof RunStoreError ? squashed : failed(path, reasonOf(squashed), squashed))
    }),
  )
