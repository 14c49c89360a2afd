import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Associated } from "../services/RunStore.js"
import type { CommitAssociation } from "../src/domain/CommitAssociation.js"
import { fromMillis } from "../src/domain/Timestamp.js"
import * as Batch from "./RunStoreSqlBatch.js"
import { assign, type Row, type RunFields, withCells } from "./RunStoreSqlRows.js"
import type * as Writes from "./RunStoreSqlWrites.js"

/** Rows in memory at a time, however many descendants a run has. */
const ROWS_AT_ONCE = 500

type FoundRow = Row & { readonly event_id: string; readonly run_id: string }

const fieldsOf = (commit: CommitAssociation): RunFields => ({
  git_commit_hash: commit.commit_hash,
  git_commit_source: commit.commit_source,
  ...(commit.commit_author === null ? {} : { git_commit_author: commit.commit_author }),
  ...(commit.commit_timestamp === null ? {} : { git_commit_timestamp: commit.commit_timestamp }),
})

/**
 * Gives a row, and with `propagate` every row below it, to a commit; meant for one transaction. A row that has it already is
 * not changed. It is no sign of life: whoever names the commit is not the client of the run.
 */
export const make = (sql: SqlClient.SqlClient, writes: Pick<ReturnType<typeof Writes.make>, "saveRows">) => {
  const associateRows = (rows: ReadonlyArray<FoundRow>, fields: RunFields, now: string) => {
    const batch = Batch.make({ now, rows: new Map<string, Batch.Held>() })
    for (const row of rows) {
      const held = Batch.hold(row)
      const after = assign(held.cells, fields)
      if (after.every((cell, place) => cell === held.cells[place])) continue
      batch.rows.set(row.event_id, { ...held, cells: withCells(after, { updated_at: now }), dirty: true })
    }
    return writes.saveRows(batch)
  }

  const among = (ids: ReadonlyArray<number>) =>
    sql<FoundRow>`SELECT * FROM runs WHERE id IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`

  /** Whom a run started, whom those started and so on; a run that is its own ancestor is met once. */
  const below = (runId: string) =>
    sql<{ readonly id: number }>`WITH RECURSIVE family (member) AS (
        SELECT ${runId}
        UNION
        SELECT runs.run_id FROM runs JOIN family ON runs.parent_run_id = family.member
      )
      SELECT runs.id FROM runs JOIN family ON runs.parent_run_id = family.member`.pipe(
      Effect.map((rows) => rows.map((row) => row.id)),
    )

  return (
    eventId: string,
    commit: CommitAssociation,
    propagate: boolean,
  ): Effect.Effect<Option.Option<Associated>, SqlError> =>
    Effect.gen(function* () {
      const [row] = yield* sql<FoundRow & { readonly id: number }>`SELECT * FROM runs WHERE event_id = ${eventId}`
      if (row === undefined) return Option.none()
      const now = fromMillis(yield* Clock.currentTimeMillis)
      const fields = fieldsOf(commit)
      yield* associateRows([row], fields, now)
      const others = propagate ? (yield* below(row.run_id)).filter((id) => id !== row.id) : []
      for (let from = 0; from < others.length; from += ROWS_AT_ONCE) {
        yield* associateRows(yield* among(others.slice(from, from + ROWS_AT_ONCE)), fields, now)
      }
      return Option.some({ runId: row.run_id, rows: 1 + others.length })
    })
}
