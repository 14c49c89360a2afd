import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../src/domain/CanonicalJson.js"
import type { ClientReport, Operation, OperationResult } from "../src/domain/Operation.js"
import { PATCH_FIELDS, type RunCreate, type RunPatch } from "../src/domain/Run.js"
import * as RunUpdate from "../src/domain/RunUpdate.js"
import { Status } from "../src/domain/Status.js"
import { fromMillis } from "../src/domain/Timestamp.js"
import { assign, cells, fromCreate, type Row, STORED_COLUMNS } from "./RunStoreSqlRows.js"

type Update = Omit<Extract<Operation, { readonly op: "update" }>, "op">
type EventOperation = Extract<Operation, { readonly op: "event" }>

/** Rows of one statement: far below SQLite's 32,766 parameters, and few enough for its prepared form to stay small. */
const ROWS_A_STATEMENT = 50
const IDS_A_STATEMENT = 500

const chunks = <A>(items: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size))

const UPSERT_ASSIGNMENTS = STORED_COLUMNS.filter((name) => name !== "event_id")
  .map((name) => `${name} = excluded.${name}`)
  .join(", ")

const ROW_PLACEHOLDERS = `(${STORED_COLUMNS.map(() => "?").join(", ")})`

/** Written out by hand: building it from records takes longer than the database takes to run it. */
const upsertText = (rows: number): string =>
  `INSERT INTO runs (${STORED_COLUMNS.join(", ")}) VALUES ${Array.from({ length: rows }, () => ROW_PLACEHOLDERS).join(", ")}
  ON CONFLICT (event_id) DO UPDATE SET ${UPSERT_ASSIGNMENTS}`

interface Held {
  row: Row
  dirty: boolean
}

/** What is known and what is to be written while one batch is folded. */
interface Batch {
  readonly now: string
  readonly rows: Map<string, Held>
  readonly waiting: Map<string, ReadonlyArray<Update>>
  readonly settled: Set<string>
  readonly toWait: Array<Update>
  readonly newEvents: Set<string>
}

/** What became of one update. */
export interface Applied {
  readonly fields: ReadonlyArray<string>
  readonly ignored: string | null
}

const patchOf = (update: RunPatch): RunPatch =>
  Object.fromEntries(PATCH_FIELDS.filter((field) => update[field] !== undefined).map((field) => [field, update[field]]))

const isStatus = Schema.is(Status)

const standing = (row: Row): RunUpdate.Standing => {
  const status = row["status"]
  return { status: isStatus(status) ? status : "running", inferred: row["inferred"] === 1 }
}

const applyUpdate = (held: Held, update: Update, now: string, touch: boolean): Applied => {
  const before = standing(held.row)
  const ignored = RunUpdate.refusal(before, update)
  if (ignored !== null) return { fields: [], ignored }
  const patch = patchOf(update)
  const inferred = RunUpdate.inferredAfter(before, update) ? 1 : 0
  const next = assign({ ...held.row, inferred }, patch)
  const changed = STORED_COLUMNS.some((column) => (next[column] ?? null) !== (held.row[column] ?? null))
  if (changed || touch) {
    held.row = { ...next, updated_at: now }
    held.dirty = true
  }
  return { fields: changed || touch ? Object.keys(patch) : [], ignored: null }
}

const create = (batch: Batch, run: RunCreate): OperationResult => {
  if (batch.rows.has(run.event_id)) return { op: "create", event_id: run.event_id, status: "duplicate" }
  const held: Held = { row: fromCreate(run, batch.now), dirty: true }
  batch.rows.set(run.event_id, held)
  for (const update of batch.waiting.get(run.event_id) ?? []) applyUpdate(held, update, batch.now, false)
  if (batch.waiting.has(run.event_id)) batch.settled.add(run.event_id)
  batch.waiting.delete(run.event_id)
  return { op: "create", event_id: run.event_id, status: "created" }
}

const change = (batch: Batch, update: Update): OperationResult => {
  const result = { op: "update" as const, event_id: update.event_id }
  const held = batch.rows.get(update.event_id)
  if (held === undefined) {
    batch.waiting.set(update.event_id, [...(batch.waiting.get(update.event_id) ?? []), update])
    batch.toWait.push(update)
    return { ...result, status: "pending", detail: "waits for the create of this event_id" }
  }
  const applied = applyUpdate(held, update, batch.now, false)
  if (applied.ignored !== null) return { ...result, status: "ignored", detail: applied.ignored }
  return { ...result, status: applied.fields.length > 0 ? "updated" : "duplicate" }
}

const perform = (batch: Batch, operation: Operation): OperationResult => {
  if (operation.op === "create") return create(batch, operation)
  if (operation.op === "update") return change(batch, operation)
  const stored = batch.newEvents.delete(operation.event_id)
  return { op: "event", event_id: operation.event_id, status: stored ? "stored" : "duplicate" }
}

/**
 * The writing half of the store, each method meant for one transaction: it reads the rows that a batch touches, folds the
 * operations over them in order, and writes every changed row once.
 */
export const make = (sql: SqlClient.SqlClient) => {
  const loadRows = (eventIds: ReadonlyArray<string>) =>
    Effect.forEach(
      chunks(eventIds, IDS_A_STATEMENT),
      (ids) => sql<Row & { readonly event_id: string }>`SELECT * FROM runs WHERE ${sql.in("event_id", ids)}`,
    ).pipe(
      Effect.map((found) => new Map(found.flat().map((row): [string, Held] => [row.event_id, { row, dirty: false }]))),
    )

  const loadWaiting = (eventIds: ReadonlyArray<string>) =>
    Effect.forEach(
      chunks(eventIds, IDS_A_STATEMENT),
      (ids) => sql<{ readonly event_id: string; readonly update_json: string }>`
        SELECT event_id, update_json FROM pending_updates WHERE ${sql.in("event_id", ids)} ORDER BY id`,
    ).pipe(
      Effect.map((found) => {
        const waiting = new Map<string, ReadonlyArray<Update>>()
        for (const { event_id, update_json } of found.flat()) {
          const update: Update = JSON.parse(update_json)
          waiting.set(event_id, [...(waiting.get(event_id) ?? []), update])
        }
        return waiting
      }),
    )

  const insertEvents = (events: ReadonlyArray<EventOperation>) =>
    Effect.forEach(
      chunks(events, ROWS_A_STATEMENT),
      (some) =>
        sql<{ readonly event_id: string }>`
          INSERT INTO events ${sql.insert(
            some.map(({ event_id, event }) => ({
              event_id,
              run_id: event.run_id,
              type: event.type,
              ts: event.ts,
              event_json: JSON.stringify(event),
            })),
          )} ON CONFLICT (event_id) DO NOTHING RETURNING event_id`,
    ).pipe(Effect.map((stored) => new Set(stored.flat().map((row) => row.event_id))))

  const saveRows = (batch: Batch) =>
    Effect.forEach(
      chunks(
        [...batch.rows.values()].filter((held) => held.dirty),
        ROWS_A_STATEMENT,
      ),
      (some) =>
        sql.unsafe(
          upsertText(some.length),
          some.flatMap((held) => cells(held.row)),
        ),
      { discard: true },
    )

  const saveWaiting = (batch: Batch) =>
    Effect.forEach(
      chunks(
        batch.toWait
          .filter((update) => !batch.settled.has(update.event_id))
          .map((update) => ({
            event_id: update.event_id,
            update_hash: CanonicalJson.hash(update),
            update_json: JSON.stringify(update),
            received_at: batch.now,
          })),
        ROWS_A_STATEMENT,
      ),
      (rows) => sql`INSERT INTO pending_updates ${sql.insert(rows)} ON CONFLICT DO NOTHING`,
      { discard: true },
    )

  const forgetSettled = (batch: Batch) =>
    Effect.forEach(
      chunks([...batch.settled], IDS_A_STATEMENT),
      (ids) => sql`DELETE FROM pending_updates WHERE ${sql.in("event_id", ids)}`,
      { discard: true },
    )

  const saveReport = (client: ClientReport, now: string) =>
    client.backlog === undefined && client.dropped === undefined && client.dead_letters === undefined
      ? Effect.void
      : sql`INSERT INTO client_reports ${sql.insert({
          run_id: client.run_id ?? "",
          backlog: client.backlog ?? 0,
          dropped: client.dropped ?? 0,
          dead_letters: client.dead_letters ?? 0,
          log_head: client.log_head ?? null,
          received_at: now,
        })} ON CONFLICT (run_id) DO UPDATE SET backlog = excluded.backlog, dropped = excluded.dropped,
          dead_letters = excluded.dead_letters, log_head = excluded.log_head, received_at = excluded.received_at`

  const apply = (
    operations: ReadonlyArray<Operation>,
    client: ClientReport,
  ): Effect.Effect<ReadonlyArray<OperationResult>, SqlError> =>
    Effect.gen(function* () {
      const now = fromMillis(yield* Clock.currentTimeMillis)
      const changes = operations.filter((operation) => operation.op !== "event")
      const rows = yield* loadRows([...new Set(changes.map((operation) => operation.event_id))])
      const creates = changes.filter((operation) => operation.op === "create" && !rows.has(operation.event_id))
      const batch: Batch = {
        now,
        rows,
        waiting: yield* loadWaiting([...new Set(creates.map((operation) => operation.event_id))]),
        settled: new Set(),
        toWait: [],
        newEvents: yield* insertEvents(operations.filter((operation) => operation.op === "event")),
      }
      const results = operations.map((operation) => perform(batch, operation))
      yield* saveRows(batch)
      yield* saveWaiting(batch)
      yield* forgetSettled(batch)
      yield* saveReport(client, now)
      return results
    })

  /** Changes one row at the word of its client; none when there is no such row. */
  const update = (eventId: string, patch: RunPatch): Effect.Effect<Option.Option<Applied>, SqlError> =>
    Effect.gen(function* () {
      const now = fromMillis(yield* Clock.currentTimeMillis)
      const rows = yield* loadRows([eventId])
      const held = rows.get(eventId)
      if (held === undefined) return Option.none()
      const applied = applyUpdate(held, { ...patch, event_id: eventId, reopen: false, inferred: false }, now, true)
      const batch: Batch = { now, rows, waiting: new Map(), settled: new Set(), toWait: [], newEvents: new Set() }
      yield* saveRows(batch)
      return Option.some(applied)
    })

  const ping = Effect.gen(function* () {
    const at = fromMillis(yield* Clock.currentTimeMillis)
    yield* sql`INSERT INTO pings (id, at) VALUES (1, ${at}) ON CONFLICT (id) DO UPDATE SET at = excluded.at`
    const [read] = yield* sql<{ readonly at: string }>`SELECT at FROM pings WHERE id = 1`
    return read?.at === at
  })

  return { apply, update, ping }
}
