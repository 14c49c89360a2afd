import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ReceivedOperation } from "../services/RunStore.js"
import * as CanonicalJson from "../src/domain/CanonicalJson.js"
import type { ClientReport, OperationResult } from "../src/domain/Operation.js"
import type { RunPatch } from "../src/domain/Run.js"
import { fromMillis } from "../src/domain/Timestamp.js"
import * as Batch from "./RunStoreSqlBatch.js"
import { cellsOf, type Row, STORED_COLUMNS } from "./RunStoreSqlRows.js"
import { insertion } from "./RunStoreSqlStatements.js"

const UPSERT_ASSIGNMENTS = STORED_COLUMNS.filter((name) => name !== "event_id")
  .map((name) => `${name} = excluded.${name}`)
  .join(", ")

/** The event ids of a batch as one parameter, so that the statement stays the same whatever their number. */
const AMONG = "event_id IN (SELECT value FROM json_each(?))"

const unique = (operations: ReadonlyArray<ReceivedOperation>): ReadonlyArray<string> => [
  ...new Set(operations.map((operation) => operation.event_id)),
]

/**
 * The writing half of the store, each method meant for one transaction: it reads the rows that a batch touches, folds the
 * operations over them in order, and writes every changed row once.
 */
export const make = (sql: SqlClient.SqlClient) => {
  const insertRows = insertion(sql, {
    table: "runs",
    columns: STORED_COLUMNS,
    after: `ON CONFLICT (event_id) DO UPDATE SET ${UPSERT_ASSIGNMENTS}`,
  })

  const insertEvents = insertion(sql, {
    table: "events",
    columns: ["event_id", "run_id", "type", "ts", "event_json"],
    after: "ON CONFLICT (event_id) DO NOTHING",
  })

  const insertWaiting = insertion(sql, {
    table: "pending_updates",
    columns: ["event_id", "update_hash", "update_json", "received_at"],
    after: "ON CONFLICT DO NOTHING",
  })

  const insertNews = insertion(sql, {
    table: "run_logs",
    columns: ["run_id", "received_at", "events", "log_head"],
    after: `ON CONFLICT (run_id) DO UPDATE SET received_at = max(received_at, excluded.received_at),
      events = events + excluded.events, log_head = coalesce(excluded.log_head, log_head)`,
  })

  const loadRows = (eventIds: ReadonlyArray<string>) =>
    eventIds.length === 0
      ? Effect.succeed(new Map<string, Batch.Held>())
      : Effect.map(
          sql.unsafe<Row & { readonly event_id: string }>(`SELECT * FROM runs WHERE ${AMONG}`, [
            JSON.stringify(eventIds),
          ]),
          (found) =>
            new Map(found.map((row): [string, Batch.Held] => [row.event_id, { cells: cellsOf(row), dirty: false }])),
        )

  const loadWaiting = (eventIds: ReadonlyArray<string>) =>
    Effect.map(
      sql.unsafe<{ readonly event_id: string; readonly update_json: string }>(
        `SELECT event_id, update_json FROM pending_updates WHERE ${AMONG} ORDER BY id`,
        [JSON.stringify(eventIds)],
      ),
      (found) => {
        const waiting = new Map<string, ReadonlyArray<Batch.Update>>()
        for (const { event_id, update_json } of found) {
          const update: Batch.Update = JSON.parse(update_json)
          waiting.set(event_id, [...(waiting.get(event_id) ?? []), update])
        }
        return waiting
      },
    )

  /** Adds the events that are not known yet, and gives the ids of these: new rows are numbered from the last one on. */
  const keepEvents = (events: ReadonlyArray<Batch.EventOperation>) =>
    Effect.gen(function* () {
      if (events.length === 0) return new Set<string>()
      const [last] = yield* sql<{ readonly id: number | null }>`SELECT max(id) AS id FROM events`
      yield* insertEvents(
        events.map(({ event_id, event, text }) => [
          event_id,
          event.run_id,
          event.type,
          event.ts,
          text ?? JSON.stringify(event),
        ]),
      )
      const added = yield* sql<{ readonly event_id: string }>`SELECT event_id FROM events WHERE id > ${last?.id ?? 0}`
      return new Set(added.map((row) => row.event_id))
    })

  const saveRows = (batch: Batch.Batch) =>
    insertRows(
      Array.from(batch.rows.values())
        .filter((held) => held.dirty)
        .map((held) => held.cells),
    )

  const saveWaiting = (batch: Batch.Batch) =>
    insertWaiting(
      batch.toWait
        .filter((update) => !batch.settled.has(update.event_id))
        .map((update) => [update.event_id, CanonicalJson.hash(update), JSON.stringify(update), batch.now]),
    )

  const forgetSettled = (batch: Batch.Batch) =>
    batch.settled.size === 0
      ? Effect.void
      : sql.unsafe(`DELETE FROM pending_updates WHERE ${AMONG}`, [JSON.stringify([...batch.settled])])

  const saveNews = (batch: Batch.Batch) =>
    insertNews(Array.from(batch.runs, ([runId, { events, head }]) => [runId, batch.now, events, head]))

  /** What the client does not say stays as it was said before. */
  const saveReport = ({ backlog, dropped, dead_letters, log_head, run_id }: ClientReport, now: string) =>
    [backlog, dropped, dead_letters, run_id ?? undefined].every((said) => said === undefined)
      ? Effect.void
      : sql`INSERT INTO client_reports (run_id, backlog, dropped, dead_letters, log_head, received_at)
          VALUES (${run_id ?? ""}, ${backlog ?? 0}, ${dropped ?? 0}, ${dead_letters ?? 0}, ${log_head ?? null}, ${now})
          ON CONFLICT (run_id) DO UPDATE SET backlog = coalesce(${backlog ?? null}, backlog),
            dropped = coalesce(${dropped ?? null}, dropped), dead_letters = coalesce(${dead_letters ?? null}, dead_letters),
            log_head = coalesce(excluded.log_head, log_head), received_at = excluded.received_at`

  const apply = (
    operations: ReadonlyArray<ReceivedOperation>,
    client: ClientReport,
  ): Effect.Effect<ReadonlyArray<OperationResult>, SqlError> =>
    Effect.gen(function* () {
      const now = fromMillis(yield* Clock.currentTimeMillis)
      const rows = yield* loadRows(unique(operations.filter((operation) => operation.op !== "event")))
      const creates = unique(
        operations.filter((operation) => operation.op === "create" && !rows.has(operation.event_id)),
      )
      const batch = Batch.make({
        now,
        rows,
        waiting: creates.length === 0 ? new Map() : yield* loadWaiting(creates),
        newEvents: yield* keepEvents(operations.filter((operation) => operation.op === "event")),
      })
      if (typeof client.run_id === "string") Batch.heard(batch, client.run_id)
      const results = operations.map((operation) => Batch.perform(batch, operation))
      yield* saveRows(batch)
      yield* saveWaiting(batch)
      yield* forgetSettled(batch)
      yield* saveNews(batch)
      yield* saveReport(client, now)
      return results
    })

  /** Changes one row at the word of its client; none when there is no such row. */
  const update = (eventId: string, patch: RunPatch): Effect.Effect<Option.Option<Batch.Applied>, SqlError> =>
    Effect.gen(function* () {
      const now = fromMillis(yield* Clock.currentTimeMillis)
      const rows = yield* loadRows([eventId])
      const held = rows.get(eventId)
      if (held === undefined) return Option.none()
      const batch = Batch.make({ now, rows })
      const applied = Batch.patched(batch, held, { ...patch, event_id: eventId, reopen: false, inferred: false })
      yield* saveRows(batch)
      yield* saveNews(batch)
      return Option.some(applied)
    })

  const ping = Effect.gen(function* () {
    const at = fromMillis(yield* Clock.currentTimeMillis)
    yield* sql`INSERT INTO pings (id, at) VALUES (1, ${at}) ON CONFLICT (id) DO UPDATE SET at = excluded.at`
    const [read] = yield* sql<{ readonly at: string }>`SELECT at FROM pings WHERE id = 1`
    return read?.at === at
  })

  return { apply, update, ping, saveRows }
}
