import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { RunStoreError } from "../services/RunStore.js"
import * as Bodies from "./RunStoreSqlBodies.js"
import * as Families from "./RunStoreSqlFamilies.js"
import * as Rows from "./RunStoreSqlFamilyRows.js"
import type * as Writes from "./RunStoreSqlWrites.js"

/** What was judged, and what may go of it however much has come since. */
export interface Judged {
  readonly members: ReadonlyArray<string>
  /** The newest row and the newest event that were seen. */
  readonly lastRow: number
  readonly lastEvent: number
  /** What has been heard of since then stays. */
  readonly quietSince: string
  /** Only rows created before go; null for any. */
  readonly before: string | null
}

/** What the removal works with. */
export interface Desk {
  readonly sql: SqlClient.SqlClient
  readonly writes: Pick<ReturnType<typeof Writes.make>, "saveRows" | "removeRows">
  readonly families: Pick<ReturnType<typeof Families.make>, "withEvents" | "rowsOf">
  /** One short transaction, and then whoever waits. */
  readonly step: <A>(work: Effect.Effect<A, SqlError>) => Effect.Effect<A, RunStoreError>
  /** Rows and events of one transaction. */
  readonly atOnce: () => number
}

/** When each run's newest event of some was recorded. */
const newest = (events: ReadonlyArray<{ readonly run_id: string; readonly ts: string }>) => {
  const found = new Map<string, string>()
  for (const { run_id, ts } of events) if (ts > (found.get(run_id) ?? "")) found.set(run_id, ts)
  return JSON.stringify([...found])
}

const NEVER = "~"

/**
 * Takes judged runs away, a short transaction at a time. Others write in between: each transaction asks again whether the runs
 * are still quiet, and takes nothing that was not there to be judged.
 */
export const make = ({ sql, writes, families, step, atOnce }: Desk) => {
  const empty = Bodies.make(sql, writes)

  /** Does a transaction's work unless its runs, or the first of the family, were heard of meanwhile; null then. */
  const whileQuiet = <A>(
    { members, quietSince }: Judged,
    some: ReadonlyArray<string>,
    work: Effect.Effect<A, SqlError>,
  ) =>
    Effect.gen(function* () {
      const asked = JSON.stringify([...new Set([...(Families.pieces(members)[0] ?? []), ...some])])
      const heard = yield* sql`SELECT 1 FROM run_logs
        WHERE run_id IN (SELECT value FROM json_each(${asked})) AND received_at >= ${quietSince} LIMIT 1`
      return heard.length > 0 ? null : yield* work
    })

  /** Up to which event they went stays known, so that one that is sent again does not count as another. */
  const removeSomeEvents = (members: string, lastEvent: number) =>
    Effect.gen(function* () {
      const removed = yield* sql<{ readonly run_id: string; readonly ts: string }>`DELETE FROM events
        WHERE id IN (SELECT id FROM events WHERE run_id IN (SELECT value FROM json_each(${members}))
          AND id <= ${lastEvent} LIMIT ${atOnce()})
        RETURNING run_id, ts`
      yield* sql`UPDATE run_logs SET let_go_to = max(coalesce(let_go_to, ''), gone.ts)
        FROM (SELECT value ->> 0 AS run_id, value ->> 1 AS ts FROM json_each(${newest(removed)})) AS gone
        WHERE run_logs.run_id = gone.run_id`
      return removed.length
    })

  /** Whether they stayed quiet until all were gone. */
  const removeEvents = (judged: Judged): Effect.Effect<boolean, RunStoreError> =>
    Effect.gen(function* () {
      for (const some of Families.pieces(judged.members)) {
        const those = yield* families.withEvents(some)
        let left = those.length
        while (left > 0) {
          const work = removeSomeEvents(JSON.stringify(those), judged.lastEvent)
          const removed = yield* step(whileQuiet(judged, those, work))
          if (removed === null) return false
          left = removed
        }
      }
      return true
    })

  /** What is known of runs besides their rows and events; it stays where one of these is left. */
  const forget = ({ members, quietSince }: Judged) =>
    Effect.forEach(
      Families.pieces(members),
      (some) => {
        const those = JSON.stringify(some)
        const isGone = (table: "client_reports" | "run_logs") =>
          sql`${sql(table)}.received_at < ${quietSince}
            AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.run_id = ${sql(table)}.run_id)
            AND NOT EXISTS (SELECT 1 FROM events WHERE events.run_id = ${sql(table)}.run_id)`
        return step(
          sql`DELETE FROM client_reports WHERE run_id IN (SELECT value FROM json_each(${those}))
            AND ${isGone("client_reports")}`.pipe(
            Effect.zipRight(sql`DELETE FROM run_logs WHERE run_id IN (SELECT value FROM json_each(${those}))
              AND ${isGone("run_logs")}`),
          ),
        )
      },
      { discard: true },
    )

  /** Of some rows those that are as they were when they were judged. */
  const stillDue = ({ lastRow, quietSince, before }: Judged, eventIds: ReadonlyArray<string>) =>
    Effect.map(
      sql<{ readonly event_id: string }>`SELECT event_id FROM runs
        WHERE event_id IN (SELECT value FROM json_each(${JSON.stringify(eventIds)})) AND status <> 'running'
          AND id <= ${lastRow} AND coalesce(received_at, '') < ${quietSince} AND created_at < ${before ?? NEVER}`,
      (rows) => rows.map(({ event_id }) => event_id),
    )

  /** From the furthest descendants on, so that what is left after a stop still has its parents. */
  const takeRows = (judged: Judged, phase: "bodies" | "rows"): Effect.Effect<boolean, RunStoreError> =>
    Effect.gen(function* () {
      const work = (eventIds: ReadonlyArray<string>): Effect.Effect<unknown, SqlError> =>
        phase === "bodies" ? empty(eventIds) : writes.removeRows(eventIds)
      const fromLast = judged.members.toReversed()
      let turn: Rows.Turn | null = Rows.BEGINNING
      while (turn !== null) {
        const page: Rows.Page<Rows.Named> = yield* families.rowsOf(fromLast, turn)
        for (const some of Families.pieces(page.rows, atOnce())) {
          const eventIds = some.map(({ event_id }) => event_id)
          const runIds = some.map(({ run_id }) => run_id)
          const taken = Effect.as(Effect.flatMap(stillDue(judged, eventIds), work), true)
          if ((yield* step(whileQuiet(judged, runIds, taken))) === null) return false
        }
        turn = page.next
      }
      return true
    })

  /** Takes the events and texts, or all, of a family; false when it came to life and the rest of it stays. */
  const take = (judged: Judged, phase: "bodies" | "rows"): Effect.Effect<boolean, RunStoreError> =>
    Effect.gen(function* () {
      if (!(yield* removeEvents(judged)) || !(yield* takeRows(judged, phase))) return false
      if (phase === "rows") yield* forget(judged)
      return true
    })

  return { take, removeEvents, forget }
}
