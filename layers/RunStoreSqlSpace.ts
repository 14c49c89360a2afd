import { statSync } from "node:fs"
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { StoreSize } from "../src/domain/Pruning.js"

/** Pages given back in one transaction: four megabytes at most, some milliseconds. */
const PAGES_AT_ONCE = 500

/** On a full disk: every page that moves is written to the log first. */
const PAGES_AT_ONCE_WHEN_FULL = 20

const INCREMENTAL = 2

/** The driver's own. */
const BUSY_MILLIS = 5000

interface Pages {
  readonly pages: number
  readonly free: number
  readonly bytes: number
  readonly vacuum: number
}

const bytesOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

/** The room that a database takes, and how it gives some back. */
export const make = (sql: SqlClient.SqlClient, path: string) => {
  const pages = Effect.map(
    sql<Pages>`SELECT page_count AS pages, freelist_count AS free, page_size AS bytes, auto_vacuum AS vacuum
      FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size(), pragma_auto_vacuum()`,
    ([row]) => row ?? { pages: 0, free: 0, bytes: 0, vacuum: 0 },
  )

  const size: Effect.Effect<StoreSize, SqlError> = Effect.map(pages, (found) => ({
    file_bytes: bytesOf(path) + bytesOf(`${path}-wal`),
    used_bytes: (found.pages - found.free) * found.bytes,
    free_bytes: found.free * found.bytes,
    can_shrink: found.vacuum === INCREMENTAL,
  }))

  /** The driver lets the pragma do one page a statement: many in one transaction cost no more. */
  const onePage = sql`PRAGMA incremental_vacuum(1)`

  /** Gives free pages back, meant for one transaction; false when none are left, or the database cannot. */
  const shrink = (isFull: boolean): Effect.Effect<boolean, SqlError> =>
    Effect.gen(function* () {
      const { free, vacuum } = yield* pages
      if (vacuum !== INCREMENTAL || free === 0) return false
      const most = isFull ? PAGES_AT_ONCE_WHEN_FULL : PAGES_AT_ONCE
      yield* Effect.forEach(Array.from({ length: Math.min(free, most) }), () => onePage, { discard: true })
      return free > most
    })

  const busyTimeout = (millis: number) => sql`PRAGMA busy_timeout = ${sql.literal(String(millis))}`

  /**
   * Folds the log into the file and cuts it off, as far as no reader is in the way; outside of any transaction. It waits for none:
   * the driver would do so on this thread.
   */
  const fold: Effect.Effect<void, SqlError> = Effect.acquireUseRelease(
    Effect.zipLeft(sql<{ readonly timeout: number }>`PRAGMA busy_timeout`, busyTimeout(0)),
    () => Effect.asVoid(sql`PRAGMA wal_checkpoint(TRUNCATE)`),
    ([before]) => Effect.ignore(busyTimeout(before?.timeout ?? BUSY_MILLIS)),
  )

  /** Writes the file anew; outside of any transaction. */
  const rewrite: Effect.Effect<void, SqlError> = sql`PRAGMA auto_vacuum = INCREMENTAL`.pipe(
    Effect.zipRight(sql`VACUUM`),
    Effect.zipRight(fold),
  )

  return { size, shrink, fold, rewrite }
}
