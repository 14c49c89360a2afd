import type { ReceivedOperation } from "../services/RunStore.js"
import type { Operation, OperationResult } from "../src/domain/Operation.js"
import { PATCH_FIELDS, type RunCreate, type RunPatch } from "../src/domain/Run.js"
import * as RunUpdate from "../src/domain/RunUpdate.js"
import { isStatus } from "../src/domain/Status.js"
import type { IngestPricing } from "./RunStoreSqlIngestPricing.js"
import { assign, type Cell, type Cells, cellsOf, fromCreate, placeOf, type Row } from "./RunStoreSqlRows.js"

export type Update = Omit<Extract<Operation, { readonly op: "update" }>, "op">
export type EventOperation = Extract<ReceivedOperation, { readonly op: "event" }>

/** A row in the hands of a batch. */
export interface Held {
  /** As it stands in the database; null when it is not there yet. */
  readonly before: Cells | null
  cells: Cells
  dirty: boolean
}

/** A row as it stands in the database. */
export const holdCells = (cells: Cells): Held => ({ before: cells, cells, dirty: false })

/** A row that was read with every column. */
export const hold = (row: Row): Held => holdCells(cellsOf(row))

/** What a batch brings of a run as a whole. */
export interface RunNews {
  events: number
  head: string | null
}

/** What is known and what is to be written while one batch is folded. */
export interface Batch {
  /** When the batch was received. */
  readonly now: string
  readonly rows: Map<string, Held>
  readonly waiting: Map<string, ReadonlyArray<Update>>
  readonly settled: Set<string>
  readonly toWait: Array<Update>
  /** The events that were not known before; each is taken out by the operation that brought it. */
  readonly newEvents: Set<string>
  /** Of runs whose events were let go: when the newest of those was recorded. What is no newer has been counted before. */
  readonly letGo: ReadonlyMap<string, string>
  /** The runs of which the batch is a sign of life, by run_id. */
  readonly runs: Map<string, RunNews>
  readonly priced: IngestPricing
}

/** What became of one update. */
export interface Applied {
  readonly fields: ReadonlyArray<string>
  readonly ignored: string | null
}

const STATUS = placeOf("status")
const INFERRED = placeOf("inferred")
const PARENT = placeOf("parent_run_id")
const UPDATED_AT = placeOf("updated_at")
const RECEIVED_AT = placeOf("received_at")
const SHA_256 = /^[0-9a-f]{64}$/

const asItCame = (_before: Cells | null, next: Array<Cell>): Array<Cell> => next

/** A batch before its first operation. */
export const make = (given: Pick<Batch, "now" | "rows"> & Partial<Batch>): Batch => ({
  waiting: new Map(),
  settled: new Set(),
  toWait: [],
  newEvents: new Set(),
  letGo: new Map(),
  runs: new Map(),
  priced: asItCame,
  ...given,
})

/** Notes that something was heard of a run. */
export const heard = (batch: Batch, runId: string): RunNews => {
  const known = batch.runs.get(runId)
  if (known !== undefined) return known
  const news: RunNews = { events: 0, head: null }
  batch.runs.set(runId, news)
  return news
}

/** A row's parent hears of it, and through the parent its siblings do. */
const heardOf = (batch: Batch, { cells }: Held): void => {
  const parent = cells[PARENT]
  if (typeof parent === "string") heard(batch, parent)
}

const patchOf = (update: RunPatch): RunPatch =>
  Object.fromEntries(PATCH_FIELDS.filter((field) => update[field] !== undefined).map((field) => [field, update[field]]))

const standing = (cells: Cells): RunUpdate.Standing => {
  const status = cells[STATUS]
  return { status: isStatus(status) ? status : "running", inferred: cells[INFERRED] === 1 }
}

/** Applies an update to a row; with `touch` the row counts as changed whatever the update bears. */
export const applyUpdate = (
  held: Held,
  update: Update,
  now: string,
  touch: boolean,
  priced: IngestPricing = asItCame,
): Applied => {
  const before = standing(held.cells)
  const ignored = RunUpdate.refusal(before, update)
  if (ignored !== null) return { fields: [], ignored }
  const patch = patchOf(update)
  const next = priced(held.cells, assign(held.cells, { ...RunUpdate.takenBack(before, update), ...patch }))
  next[INFERRED] = RunUpdate.inferredAfter(before, update) ? 1 : 0
  const changed = next.some((cell, place) => cell !== held.cells[place])
  if (changed || touch) {
    next[UPDATED_AT] = now
    held.cells = next
    held.dirty = true
  }
  return { fields: changed || touch ? Object.keys(patch) : [], ignored: null }
}

/** Notes when the client last spoke of a row that has not ended. */
const receivedAt = (held: Held, now: string): void => {
  if (held.cells[STATUS] !== "running" && !held.dirty) return
  const next = [...held.cells]
  next[RECEIVED_AT] = now
  held.cells = next
  held.dirty = true
}

/** What the client changes of a row by hand; always counts as a change. */
export const patched = (batch: Batch, held: Held, update: Update): Applied => {
  const applied = applyUpdate(held, update, batch.now, true, batch.priced)
  heardOf(batch, held)
  receivedAt(held, batch.now)
  return applied
}

const create = (batch: Batch, run: RunCreate): OperationResult => {
  const known = batch.rows.get(run.event_id)
  if (known !== undefined) {
    heardOf(batch, known)
    return { op: "create", event_id: run.event_id, status: "duplicate" }
  }
  const held: Held = { before: null, cells: batch.priced(null, fromCreate(run, batch.now)), dirty: true }
  batch.rows.set(run.event_id, held)
  heardOf(batch, held)
  for (const update of batch.waiting.get(run.event_id) ?? []) applyUpdate(held, update, batch.now, false, batch.priced)
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
  const applied = applyUpdate(held, update, batch.now, false, batch.priced)
  heardOf(batch, held)
  receivedAt(held, batch.now)
  if (applied.ignored !== null) return { ...result, status: "ignored", detail: applied.ignored }
  return { ...result, status: applied.fields.length > 0 ? "updated" : "duplicate" }
}

const isHash = (value: unknown): value is string => typeof value === "string" && SHA_256.test(value)

/** The hash by which the next event of a log names this one. */
const chainHash = (event: object): string | null =>
  "event_hash" in event && "prev_hash" in event && isHash(event.event_hash) && isHash(event.prev_hash)
    ? event.event_hash
    : null

const keep = (batch: Batch, { event_id, event }: EventOperation): OperationResult => {
  const isNew = batch.newEvents.delete(event_id)
  const news = heard(batch, event.run_id)
  if (isNew && event.ts > (batch.letGo.get(event.run_id) ?? "")) {
    news.events += 1
    news.head = chainHash(event) ?? news.head
  }
  return { op: "event", event_id, status: isNew ? "stored" : "duplicate" }
}

/** Folds one more operation into a batch. */
export const perform = (batch: Batch, operation: ReceivedOperation): OperationResult => {
  if (operation.op === "create") return create(batch, operation)
  return operation.op === "update" ? change(batch, operation) : keep(batch, operation)
}
