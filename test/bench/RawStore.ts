import { createHash } from "node:crypto"
import Database from "better-sqlite3"
import * as RawInnerCalls from "./RawInnerCalls.js"
import { type Cell, type Held, type Json, make as makeRows, type Parameter } from "./RawRows.js"
import * as RawSums from "./RawSums.js"

const AMONG = "event_id IN (SELECT value FROM json_each(?))"

interface News {
  events: number
  head: string | null
}

interface Result {
  readonly op: unknown
  readonly event_id: unknown
  readonly status: string
}

/**
 * Writes what the product writes, the way somebody would by hand: the same tables (the file is a copy of a fresh database of
 * ours), one prepared statement a row, no validation, one transaction a request.
 */
export const open = (file: string) => {
  const database = new Database(file)
  for (const pragma of ["journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4000", "cache_size = -32768"])
    database.pragma(pragma)
  const columns = database
    .prepare<[], { readonly name: string }>("SELECT name FROM pragma_table_info('runs') ORDER BY cid")
    .all()
    .map(({ name }) => name)
  const rows = makeRows(columns)
  const written = columns.filter((column) => column !== "id")
  const [ID, EVENT_ID, STATUS, PARENT] = [
    rows.place("id"),
    rows.place("event_id"),
    rows.place("status"),
    rows.place("parent_run_id"),
  ]
  const [REVISION, UPDATED, RECEIVED] = [rows.place("revision"), rows.place("updated_at"), rows.place("received_at")]
  const writtenPlaces = written.map(rows.place)

  const begin = database.prepare("BEGIN IMMEDIATE")
  const commit = database.prepare("COMMIT")
  const rollback = database.prepare("ROLLBACK")
  const insertRow = database.prepare(
    `INSERT INTO runs (${written.join(", ")}) VALUES (${written.map(() => "?").join(", ")})`,
  )
  const rowsById = database.prepare<[string], ReadonlyArray<Cell>>(`SELECT * FROM runs WHERE ${AMONG}`).raw(true)
  const waitingById = database.prepare<[string], { readonly event_id: string; readonly update_json: string }>(
    `SELECT event_id, update_json FROM pending_updates WHERE ${AMONG} ORDER BY id`,
  )
  const settle = database.prepare("DELETE FROM pending_updates WHERE event_id = ?")
  const wait = database.prepare(
    "INSERT INTO pending_updates (event_id, update_hash, update_json, received_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
  )
  const insertEvent = database.prepare(
    "INSERT INTO events (event_id, run_id, type, ts, event_json) VALUES (?, ?, ?, ?, ?) ON CONFLICT (event_id) DO NOTHING RETURNING id",
  )
  const saveNews = database.prepare(
    `INSERT INTO run_logs (run_id, received_at, events, log_head) VALUES (?, ?, ?, ?)
     ON CONFLICT (run_id) DO UPDATE SET received_at = max(received_at, excluded.received_at),
       events = events + excluded.events, log_head = coalesce(excluded.log_head, log_head)`,
  )
  const saveReport = database.prepare(
    `INSERT INTO client_reports (run_id, backlog, dropped, dead_letters, log_head, received_at) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (run_id) DO UPDATE SET backlog = excluded.backlog, dropped = excluded.dropped,
       dead_letters = excluded.dead_letters, log_head = coalesce(excluded.log_head, log_head), received_at = excluded.received_at`,
  )
  const nextRevision = database.prepare<[number], { readonly last: number }>(
    "UPDATE revisions SET last = last + ? WHERE id = 1 RETURNING last",
  )
  const updates = new Map<string, Database.Statement>()

  const hold = (row: ReadonlyArray<Cell>): Held => ({ before: row, cells: [...row], dirty: false })
  const settleCalls = RawInnerCalls.make(database, rows, hold)
  const sumUp = RawSums.make(database, rows)

  const updateRow = ({ before, cells }: Held): void => {
    const changed = writtenPlaces.filter((place) => cells[place] !== before?.[place])
    const key = changed.join()
    let statement = updates.get(key)
    if (statement === undefined) {
      statement = database.prepare(
        `UPDATE runs SET ${changed.map((place) => `${columns[place]} = ?`).join(", ")} WHERE id = ?`,
      )
      updates.set(key, statement)
    }
    statement.run(...changed.map((place) => cells[place] ?? null), cells[ID] ?? null)
  }

  const saveRows = (held: Map<string, Held>): void => {
    settleCalls(held)
    const changed = [...held.values()].filter((one) => one.dirty)
    if (changed.length === 0) return
    let revision = (nextRevision.get(changed.length)?.last ?? Number.NaN) - changed.length
    for (const one of changed) {
      revision += 1
      one.cells[REVISION] = revision
      if (one.before === null) insertRow.run(...writtenPlaces.map((place) => one.cells[place] ?? null))
      else updateRow(one)
    }
    sumUp(changed)
  }

  const saved = (news: ReadonlyMap<string, News>, now: string): void => {
    for (const [runId, { events, head }] of news) saveNews.run(runId, now, events, head)
  }

  const fold = (now: string, ids: ReadonlyArray<string>, creates: ReadonlyArray<string>) => {
    const held = new Map<string, Held>()
    for (const row of rowsById.all(JSON.stringify(ids))) held.set(String(row[EVENT_ID]), hold(row))
    const waiting = new Map<string, Array<Json>>()
    const pending = creates.length === 0 ? [] : waitingById.all(JSON.stringify(creates))
    for (const { event_id, update_json } of pending)
      waiting.set(event_id, [...(waiting.get(event_id) ?? []), JSON.parse(update_json)])
    const news = new Map<string, News>()
    const heard = (runId: unknown): News | undefined => {
      if (typeof runId !== "string") return undefined
      const known = news.get(runId) ?? { events: 0, head: null }
      news.set(runId, known)
      return known
    }
    const change = (one: Held, update: Json): boolean => {
      if (one.cells[STATUS] !== "running" && update["status"] === "running") return false
      const cells = [...one.cells]
      rows.update(one.cells, update)
      if (cells.every((value, place) => value === one.cells[place])) return false
      one.cells[UPDATED] = now
      one.cells[RECEIVED] = now
      one.dirty = true
      return true
    }
    const create = (run: Json): string => {
      const id = String(run["event_id"])
      const known = held.get(id)
      heard(known === undefined ? run["parent_run_id"] : known.cells[PARENT])
      if (known !== undefined) return "duplicate"
      const made: Held = { before: null, cells: rows.create(run, now), dirty: true }
      held.set(id, made)
      for (const update of waiting.get(id) ?? []) change(made, update)
      if (waiting.has(id)) settle.run(id)
      return "created"
    }
    const update = (given: Json): string => {
      const one = held.get(String(given["event_id"]))
      if (one === undefined) {
        const text = JSON.stringify(given)
        wait.run(String(given["event_id"]), createHash("sha256").update(text).digest("hex"), text, now)
        return "pending"
      }
      heard(one.cells[PARENT])
      return change(one, given) ? "updated" : "duplicate"
    }
    const event = (given: Json): string => {
      const body = given["event"] as Json
      const [runId, type, ts] = [String(body["run_id"]), String(body["type"]), String(body["ts"])]
      const isNew = insertEvent.get(String(given["event_id"]), runId, type, ts, JSON.stringify(body)) !== undefined
      const known = heard(runId)
      if (!isNew || known === undefined) return "duplicate"
      known.events += 1
      if (typeof body["event_hash"] === "string") known.head = body["event_hash"]
      return "stored"
    }
    return { held, news, create, update, event, heard }
  }

  const transact = <A>(work: () => A): A => {
    begin.run()
    try {
      const done = work()
      commit.run()
      return done
    } catch (cause) {
      rollback.run()
      throw cause
    }
  }

  const idOf = (value: Json): string => String(value["event_id"])

  /** Inserts runs; a known event_id changes nothing. */
  const insert = (runs: ReadonlyArray<Json>): ReadonlyArray<string> =>
    transact(() => {
      const now = new Date().toISOString()
      const ids = runs.map(idOf)
      const batch = fold(now, ids, ids)
      const results = runs.map(batch.create)
      saveRows(batch.held)
      saved(batch.news, now)
      return results
    })

  /** Applies creates, updates and events in order. */
  const apply = (operations: ReadonlyArray<Json>, client: Json): ReadonlyArray<Result> =>
    transact(() => {
      const now = new Date().toISOString()
      const creates = operations.filter(({ op }) => op === "create").map(idOf)
      const batch = fold(now, operations.filter(({ op }) => op !== "event").map(idOf), creates)
      batch.heard(client["run_id"])
      const results = operations.map((operation): Result => {
        const { op, event_id } = operation
        const status =
          op === "create" ? batch.create(operation) : op === "update" ? batch.update(operation) : batch.event(operation)
        return { op, event_id, status }
      })
      saveRows(batch.held)
      saved(batch.news, now)
      if (Object.keys(client).length > 0) report(client, now)
      return results
    })

  const report = (client: Json, now: string): void => {
    const count = (name: string): Parameter => Number(client[name] ?? 0)
    const head = client["log_head"]
    saveReport.run(
      String(client["run_id"] ?? ""),
      count("backlog"),
      count("dropped"),
      count("dead_letters"),
      typeof head === "string" ? head : null,
      now,
    )
  }

  return { insert, apply, close: () => database.close() }
}
