import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { fromMillis, parseMillis } from "../src/domain/Timestamp.js"
import * as Batch from "./RunStoreSqlBatch.js"
import type { Row } from "./RunStoreSqlRows.js"
import type * as Writes from "./RunStoreSqlWrites.js"

/** Rows that one transaction ends: few enough for writers that wait. */
export const ROWS_AT_ONCE = 200

type StaleRow = Row & { readonly event_id: string; readonly start_time: string; readonly last_sign: string }

const wholeSeconds = (millis: number): Duration.Duration => Duration.seconds(Math.max(0, Math.floor(millis / 1000)))

const millisBetween = (from: string, to: string): number =>
  Math.max(0, (parseMillis(to) ?? 0) - (parseMillis(from) ?? 0))

const timeout = ({ event_id, start_time, last_sign }: StaleRow, now: string): Batch.Update => ({
  event_id,
  status: "timeout",
  inferred: true,
  reopen: false,
  end_time: last_sign,
  duration_ms: millisBetween(start_time, last_sign),
  error_summary: `No sign of life for ${Duration.format(wholeSeconds(millisBetween(last_sign, now)))}, since ${last_sign}: the server took it for ended.`,
})

/** Ends some rows without a sign of life since `before`; meant for one transaction. Fewer than {@link ROWS_AT_ONCE} were the last. */
export const make =
  (sql: SqlClient.SqlClient, writes: ReturnType<typeof Writes.make>) =>
  (before: string): Effect.Effect<number, SqlError> =>
    Effect.gen(function* () {
      const now = fromMillis(yield* Clock.currentTimeMillis)
      const found = yield* sql<StaleRow>`
        SELECT runs.*, max(runs.received_at, coalesce(own.received_at, ''), coalesce(parent.received_at, '')) AS last_sign
        FROM runs
        LEFT JOIN run_logs AS own ON own.run_id = runs.run_id
        LEFT JOIN run_logs AS parent ON parent.run_id = runs.parent_run_id
        WHERE runs.status = 'running' AND runs.received_at < ${before}
          AND coalesce(own.received_at, '') < ${before} AND coalesce(parent.received_at, '') < ${before}
        LIMIT ${ROWS_AT_ONCE}`
      const rows = found.map((row) => {
        const held = Batch.hold(row)
        Batch.applyUpdate(held, timeout(row, now), now, false)
        return [row.event_id, held] as const
      })
      yield* writes.saveRows(Batch.make({ now, rows: new Map(rows) }))
      return rows.length
    })
