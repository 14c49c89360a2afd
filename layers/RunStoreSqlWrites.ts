import { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ReceivedOperation } from "../services/RunStore.js"
import type { PriceOf } from "../src/domain/CallPricing.js"
import * as CanonicalJson from "../src/domain/CanonicalJson.js"
import type { ClientReport, OperationResult } from "../src/domain/Operation.js"
import type { RunPatch } from "../src/domain/Run.js"
import { fromMillis } from "../src/domain/Timestamp.js"
import * as Batch from "./RunStoreSqlBatch.js"
import type { Connection } from "./RunStoreSqlConnection.js"
import * as IngestPricing from "./RunStoreSqlIngestPricing.js"
import * as InnerCalls from "./RunStoreSqlInnerCalls.js"
import * as Rollups from "./RunStoreSqlRollups.js"
import { type Cell, type Cells, cellsOfValues, placeOf, STORED_COLUMNS, STORED_SELECTION } from "./RunStoreSqlRows.js"
import { insertion, type Statements } from "./RunStoreSqlStatements.js"

const EVENT_ID = placeOf("event_id")
const REVISION = placeOf("revision")

/** An update of one row. SQLite rewrites every index of which a column is named, changed or not: only what changed is. */
const update = ({ run }: Statements, before: Cells, after: Cells): void => {
  const names: Array<string> = []
  const values: Array<Cell> = []
  for (const [place, cell] of after.entries()) {
    if (cell === before[place]) continue
    names.push(`${STORED_COLUMNS[place]} = ?`)
    values.push(cell)
  }
  values.push(after[EVENT_ID] ?? null)
  run(`UPDATE runs SET ${names.join(", ")} WHERE event_id = ?`, values)
}

/** The event ids of a batch as one parameter, so that the statement stays the same whatever their number. */
const AMONG = "event_id IN (SELECT value FROM json_each(?))"

const REPORT = `INSERT INTO client_reports (run_id, backlog, dropped, dead_letters, log_head, received_at)
  VALUES (?, coalesce(?, 0), coalesce(?, 0), coalesce(?, 0), ?, ?)
  ON CONFLICT (run_id) DO UPDATE SET backlog = coalesce(?, backlog), dropped = coalesce(?, dropped),
    dead_letters = coalesce(?, dead_letters), log_head = coalesce(excluded.log_head, log_head),
    received_at = excluded.received_at`

const unique = (operations: ReadonlyArray<{ readonly event_id: string }>): ReadonlyArray<string> => [
  ...new Set(operations.map((operation) => operation.event_id)),
]

/** One request's part of a batch that several may share. */
export interface Share<A> {
  /** What is to be looked up for it. */
  readonly operations: ReadonlyArray<ReceivedOperation | { readonly op: "patch"; readonly event_id: string }>
  readonly client: ClientReport
  /** Folds it into the batch, in its turn; again when the batch could not be written. */
  readonly fold: (batch: Batch.Batch) => A
}

/** Operations in order, with one result each. */
export const applying = (
  operations: ReadonlyArray<ReceivedOperation>,
  client: ClientReport,
): Share<ReadonlyArray<OperationResult>> => ({
  operations,
  client,
  fold: (batch) => operations.map((operation) => Batch.perform(batch, operation)),
})

/** A change of one row at the word of its client; none when there is no such row. */
export const patching = (eventId: string, patch: RunPatch): Share<Option.Option<Batch.Applied>> => ({
  operations: [{ op: "patch", event_id: eventId }],
  client: {},
  fold: (batch) =>
    Option.map(Option.fromNullable(batch.rows.get(eventId)), (held) =>
      Batch.patched(batch, held, { ...patch, event_id: eventId, reopen: false, inferred: false }),
    ),
})

/** Work of the statements, which throw, as an effect. */
const attempt = <A>(work: () => A): Effect.Effect<A, SqlError> =>
  Effect.try({ try: work, catch: (cause) => new SqlError({ cause, message: "The rows could not be written" }) })

/**
 * The writing half of the store, each method meant for one transaction: it reads the rows that a batch touches, folds the
 * operations over them in order, and writes every changed row once. Nothing else runs between its first statement and its last.
 */
export const make = (sql: Connection, priceOf?: PriceOf) => {
  const { statements } = sql
  const priced = IngestPricing.make(priceOf)
  const { run, rows: rowsOf, values: valuesOf } = statements
  const innerCalls = InnerCalls.make(statements)
  const keepSums = Rollups.make(statements)

  const insertRows = insertion(statements, { table: "runs", columns: STORED_COLUMNS, after: "" })

  const insertEvents = insertion(statements, {
    table: "events",
    columns: ["event_id", "run_id", "type", "ts", "event_json"],
    after: "ON CONFLICT (event_id) DO NOTHING",
  })

  const insertWaiting = insertion(statements, {
    table: "pending_updates",
    columns: ["event_id", "update_hash", "update_json", "received_at"],
    after: "ON CONFLICT DO NOTHING",
  })

  const insertNews = insertion(statements, {
    table: "run_logs",
    columns: ["run_id", "received_at", "events", "log_head"],
    after: `ON CONFLICT (run_id) DO UPDATE SET received_at = max(received_at, excluded.received_at),
      events = events + excluded.events, log_head = coalesce(excluded.log_head, log_head)`,
  })

  const loadRows = (eventIds: ReadonlyArray<string>): Map<string, Batch.Held> => {
    const rows = new Map<string, Batch.Held>()
    if (eventIds.length === 0) return rows
    for (const values of valuesOf(`SELECT ${STORED_SELECTION} FROM runs WHERE ${AMONG}`, [JSON.stringify(eventIds)])) {
      const cells = cellsOfValues(values)
      const eventId = cells[EVENT_ID]
      if (typeof eventId === "string") rows.set(eventId, Batch.holdCells(cells))
    }
    return rows
  }

  const loadWaiting = (eventIds: ReadonlyArray<string>): Map<string, ReadonlyArray<Batch.Update>> => {
    const waiting = new Map<string, ReadonlyArray<Batch.Update>>()
    if (eventIds.length === 0) return waiting
    const found = rowsOf<{ readonly event_id: string; readonly update_json: string }>(
      `SELECT event_id, update_json FROM pending_updates WHERE ${AMONG} ORDER BY id`,
      [JSON.stringify(eventIds)],
    )
    for (const { event_id, update_json } of found) {
      const update: Batch.Update = JSON.parse(update_json)
      waiting.set(event_id, [...(waiting.get(event_id) ?? []), update])
    }
    return waiting
  }

  /** Adds the events that are not known yet, and gives the ids of these: new rows are numbered from the last one on. */
  const keepEvents = (events: ReadonlyArray<Batch.EventOperation>): Set<string> => {
    if (events.length === 0) return new Set()
    const [last] = rowsOf<{ readonly id: number | null }>("SELECT max(id) AS id FROM events", [])
    insertEvents(
      events.map(({ event_id, event, text }) => [
        event_id,
        event.run_id,
        event.type,
        event.ts,
        text ?? JSON.stringify(event),
      ]),
    )
    const added = valuesOf("SELECT event_id FROM events WHERE id > ?", [last?.id ?? 0])
    return new Set(added.map(([eventId]) => String(eventId)))
  }

  /** Up to when the events of some runs were let go. */
  const loadLetGo = (events: ReadonlyArray<Batch.EventOperation>): ReadonlyMap<string, string> => {
    if (events.length === 0) return new Map()
    const found = rowsOf<{ readonly run_id: string; readonly let_go_to: string }>(
      `SELECT run_id, let_go_to FROM run_logs
        WHERE run_id IN (SELECT value FROM json_each(?)) AND let_go_to IS NOT NULL`,
      [JSON.stringify([...new Set(events.map(({ event }) => event.run_id))])],
    )
    return new Map(found.map(({ run_id, let_go_to }) => [run_id, let_go_to]))
  }

  /** The last of so many new numbers of changes. */
  const revise = (changes: number): number => {
    const text = "UPDATE revisions SET last = last + ? WHERE id = 1 RETURNING last"
    const [row] = rowsOf<{ readonly last: number }>(text, [changes])
    return row?.last ?? changes
  }

  /** The one door for rows that are new or changed: numbers each change, and keeps what is known of all rows beside them. */
  const saveRows = ({ rows }: Pick<Batch.Batch, "rows">): void => {
    innerCalls.settle(rows)
    const dirty = [...rows.values()].filter((held) => held.dirty)
    if (dirty.length === 0) return
    const first = revise(dirty.length) - dirty.length + 1
    const changes = dirty.map((held, index) => {
      const after = [...held.cells]
      after[REVISION] = first + index
      held.cells = after
      return { before: held.before, after }
    })
    insertRows(changes.flatMap(({ before, after }) => (before === null ? [after] : [])))
    for (const { before, after } of changes) if (before !== null) update(statements, before, after)
    keepSums(changes)
  }

  /** The one door for rows that go: takes them out of everything that counts them. Says how many there were. */
  const removeRows = (eventIds: ReadonlyArray<string>): number => {
    const removed = loadRows(eventIds)
    if (removed.size === 0) return 0
    const uncovered = new Map<string, Batch.Held>()
    innerCalls.settle(uncovered, removed)
    revise(removed.size)
    const names = JSON.stringify([...removed.keys()])
    run(`DELETE FROM runs WHERE ${AMONG}`, [names])
    run(`DELETE FROM repriced_calls WHERE ${AMONG}`, [names])
    keepSums([...removed.values()].map(({ before }) => ({ before, after: null })))
    saveRows({ rows: uncovered })
    return removed.size
  }

  const saveWaiting = (batch: Batch.Batch) =>
    insertWaiting(
      batch.toWait
        .filter((update) => !batch.settled.has(update.event_id))
        .map((update) => [update.event_id, CanonicalJson.hash(update), JSON.stringify(update), batch.now]),
    )

  const forgetSettled = ({ settled }: Batch.Batch): void => {
    if (settled.size > 0) run(`DELETE FROM pending_updates WHERE ${AMONG}`, [JSON.stringify([...settled])])
  }

  const saveNews = (batch: Batch.Batch) =>
    insertNews(Array.from(batch.runs, ([runId, { events, head }]) => [runId, batch.now, events, head]))

  /** What the client does not say stays as it was said before. */
  const saveReport = ({ backlog, dropped, dead_letters, log_head, run_id }: ClientReport, now: string): void => {
    if ([backlog, dropped, dead_letters, run_id ?? undefined].every((said) => said === undefined)) return
    const counts = [backlog ?? null, dropped ?? null, dead_letters ?? null]
    run(REPORT, [run_id ?? "", ...counts, log_head ?? null, now, ...counts])
  }

  /** Applies the shares in their order as if they were one batch; what each came to is known once this has succeeded. */
  const together = (shares: ReadonlyArray<Share<void>>, now: string): void => {
    const operations = shares.flatMap((share) => share.operations)
    const rows = loadRows(unique(operations.filter(({ op }) => op !== "event")))
    const events = operations.filter((operation) => operation.op === "event")
    const creates = unique(operations.filter(({ op, event_id }) => op === "create" && !rows.has(event_id)))
    const batch = Batch.make({
      now,
      rows,
      waiting: loadWaiting(creates),
      newEvents: keepEvents(events),
      letGo: loadLetGo(events),
      priced,
    })
    for (const { client, fold } of shares) {
      if (typeof client.run_id === "string") Batch.heard(batch, client.run_id)
      fold(batch)
    }
    saveRows(batch)
    saveWaiting(batch)
    forgetSettled(batch)
    saveNews(batch)
    for (const { client } of shares) saveReport(client, now)
  }

  const ping = Effect.gen(function* () {
    const at = fromMillis(yield* Clock.currentTimeMillis)
    yield* sql`INSERT INTO pings (id, at) VALUES (1, ${at}) ON CONFLICT (id) DO UPDATE SET at = excluded.at`
    const [read] = yield* sql<{ readonly at: string }>`SELECT at FROM pings WHERE id = 1`
    return read?.at === at
  })

  return {
    /** {@link together} as a transaction of its own. */
    commitTogether: (shares: ReadonlyArray<Share<void>>): Effect.Effect<void, SqlError> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        attempt(() => statements.transaction(() => together(shares, fromMillis(now)))),
      ),
    ping,
    /** Rows by event_id, and the door for those that changed: statements that throw, for work that is one step of its own. */
    now: { loadRows, saveRows },
    saveRows: (batch: Pick<Batch.Batch, "rows">): Effect.Effect<void, SqlError> => attempt(() => saveRows(batch)),
    removeRows: (eventIds: ReadonlyArray<string>): Effect.Effect<number, SqlError> =>
      attempt(() => removeRows(eventIds)),
  }
}
