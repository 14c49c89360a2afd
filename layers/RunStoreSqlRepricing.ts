import { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RunStoreError } from "../services/RunStore.js"
import type { RepriceOptions, StoreRepricing, UndoOptions } from "../services/StoreRepricing.js"
import { CALL_JOB_TYPE } from "../src/domain/CallMeasure.js"
import * as CallPricing from "../src/domain/CallPricing.js"
import * as Repricing from "../src/domain/Repricing.js"
import { fromMillis } from "../src/domain/Timestamp.js"
import * as NextTurn from "./NextTurn.js"
import type { Connection } from "./RunStoreSqlConnection.js"
import type { Database, Query } from "./RunStoreSqlDatabase.js"
import * as PricedCall from "./RunStoreSqlPricedCall.js"
import * as RepricedCalls from "./RunStoreSqlRepricedCalls.js"
import { assign, type Cells, cellsOfValues, placeOf, STORED_COLUMNS, withCells } from "./RunStoreSqlRows.js"
import type * as Writes from "./RunStoreSqlWrites.js"

/** Rows that one look goes over, and calls that one transaction changes: some tens of milliseconds for whoever waits. */
const LOOKED_AT_ONCE = 200
const CHANGED_AT_ONCE = 100

/** What repricing works with. */
export interface Desk {
  readonly sql: Pick<Connection, "statements">
  /** A connection of its own for looking. */
  readonly database: Database
  readonly writes: ReturnType<typeof Writes.make>["now"]
  /** One transaction in the writers' queue. */
  readonly transact: <A, E>(operation: string, work: Effect.Effect<A, E>) => Effect.Effect<A, RunStoreError>
  readonly look: <A>(look: () => A) => Effect.Effect<A, RunStoreError>
}

const OPERATION = "change what calls cost"

const EVENT_ID = placeOf("event_id")
const BEARS = placeOf("bears")
const UPDATED_AT = placeOf("updated_at")

const NEEDED = new Set(["event_id", "start_time", "bears", ...PricedCall.COLUMNS])

/** What judging a row takes; all else, which no look reads, is null. */
const LOOKED = STORED_COLUMNS.map((column) => (NEEDED.has(column) ? column : "NULL")).join(", ")

/** A row that was looked at; `metrics` is null when it stays as it is. */
interface Looked {
  readonly eventId: string
  readonly judged: Repricing.Judged
  readonly call: CallPricing.PricedCall
  readonly metrics: Readonly<Record<string, unknown>> | null
}

const wanted = ({ model, provider, run_id, start_time_from, start_time_to, scope }: Repricing.RepriceFilter) => {
  const conditions: ReadonlyArray<readonly [text: string, ...values: ReadonlyArray<string | undefined>]> = [
    ["model = ?", model],
    ["provider = ?", provider],
    ["(parent_run_id = ? OR run_id = ?)", run_id, run_id],
    ["start_time >= ?", start_time_from],
    ["start_time <= ?", start_time_to],
  ]
  const given = conditions.filter(([, value]) => value !== undefined)
  return {
    text: [
      `job_type = '${CALL_JOB_TYPE}'`,
      scope === "all" ? "cost_status IN ('unpriced', 'priced')" : "cost_status = 'unpriced'",
      ...given.map(([text]) => text),
    ].join(" AND "),
    values: given.flatMap(([, ...values]) => values.filter((value) => value !== undefined)),
  }
}

const numberOf = (value: unknown): number | null => (typeof value === "number" ? value : null)

const judge = (cells: Cells, { filter, priceOf }: RepriceOptions, today: number, id: number): Looked | null => {
  const call = PricedCall.of(cells)
  const eventId = PricedCall.textOf(cells[EVENT_ID])
  if (call === null || eventId === null) return null
  const before = CallPricing.pricedNanoUsd(call.metrics)
  // Of a call that was looked at, the client may have told the price since.
  if (filter.scope === "unpriced" && before !== null) return null
  const at = filter.prices === "of_today" ? today : PricedCall.startOf(cells)
  const outcome = CallPricing.repriced(call, priceOf, at, id)
  if (outcome.kind === "same") return null
  const metrics = outcome.kind === "changed" ? outcome.metrics : null
  const judged: Repricing.Judged = {
    model: call.model,
    provider: call.provider,
    bears: cells[BEARS] === 1,
    oldNanoUsd: before,
    newNanoUsd: metrics === null ? null : numberOf(metrics["cost_nanousd"]),
    reason: outcome.kind === "unknown" ? outcome.reason : undefined,
  }
  return { eventId, judged, call, metrics }
}

const attempt = <A>(work: () => A): Effect.Effect<A, SqlError> =>
  Effect.try({ try: work, catch: (cause) => new SqlError({ cause, message: "The calls could not be changed" }) })

/** Changes what calls cost, a step at a time; see `StoreRepricing`. */
export const make = ({ sql, database, writes, transact, look }: Desk): StoreRepricing => {
  const audit = RepricedCalls.writing(sql.statements)
  const kept = RepricedCalls.reading(database)

  const ends = (): Repricing.RepricePlace => {
    const [row] = database.all<{ readonly first: number | null; readonly last: number | null }>({
      text: "SELECT min(id) AS first, max(id) AS last FROM runs",
      values: [],
    })
    return { after: (row?.first ?? 1) - 1, last: row?.last ?? 0, repricing_id: null }
  }

  const candidates = (filter: Repricing.RepriceFilter, after: number, to: number): ReadonlyArray<Cells> => {
    const { text, values } = wanted(filter)
    const query: Query = {
      text: `SELECT ${LOOKED} FROM runs WHERE id > ? AND id <= ? AND ${text} ORDER BY id`,
      values: [after, to, ...values],
    }
    return database.values(query).map(cellsOfValues)
  }

  /** Judges the calls once more as they stand in the transaction, and writes those that change. */
  const change = (eventIds: ReadonlyArray<string>, options: RepriceOptions, known: number | null, millis: number) => {
    const now = fromMillis(millis)
    const rows = writes.loadRows(eventIds)
    const id = known ?? audit.begin(options.filter, options.priceTables, now)
    const entries: Array<RepricedCalls.Entry> = []
    const changed: Array<Repricing.Judged> = []
    for (const held of rows.values()) {
      const looked = judge(held.cells, options, millis, id)
      if (looked === null || looked.metrics === null) continue
      const { eventId, judged, call, metrics } = looked
      entries.push({
        event_id: eventId,
        before_json: JSON.stringify(CallPricing.costMembers(call.metrics)),
        after_json: JSON.stringify(CallPricing.costMembers(metrics)),
        before_updated_at: PricedCall.textOf(held.cells[UPDATED_AT]),
        repriced_at: now,
      })
      changed.push(judged)
      held.cells = withCells(assign(held.cells, { metrics_json: metrics }), { updated_at: now })
      held.dirty = true
    }
    const repriced = Repricing.counted(changed)
    writes.saveRows({ rows })
    audit.keep(id, entries, repriced)
    return { id, repriced }
  }

  const changeAll = (found: ReadonlyArray<string>, options: RepriceOptions, known: number | null) =>
    Effect.gen(function* () {
      let id = known
      let repriced = Repricing.NOTHING
      for (let from = 0; from < found.length; from += CHANGED_AT_ONCE) {
        const some = found.slice(from, from + CHANGED_AT_ONCE)
        const now = yield* Clock.currentTimeMillis
        const done = yield* transact(
          OPERATION,
          attempt(() => change(some, options, id, now)),
        )
        id = done.id
        repriced = Repricing.add(repriced, done.repriced)
        yield* NextTurn.nextTurn
      }
      return { id, repriced }
    })

  const finish = (id: number) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) =>
      transact(
        OPERATION,
        attempt(() => audit.finish(id, fromMillis(now))),
      ),
    )

  const reprice = (options: RepriceOptions): Effect.Effect<Repricing.RepriceStep, RunStoreError> =>
    Effect.gen(function* () {
      const place = options.place ?? (yield* look(ends))
      const to = Math.min(place.last, place.after + LOOKED_AT_ONCE)
      const now = yield* Clock.currentTimeMillis
      const looked = yield* look(() =>
        candidates(options.filter, place.after, to).flatMap((cells) => judge(cells, options, now, 0) ?? []),
      )
      const due = looked.filter(({ metrics }) => metrics !== null)
      const stay = Repricing.counted(looked.flatMap(({ metrics, judged }) => (metrics === null ? [judged] : [])))
      const done = options.dryRun
        ? { id: null, repriced: Repricing.counted(due.map(({ judged }) => judged)) }
        : yield* changeAll(
            due.map(({ eventId }) => eventId),
            options,
            place.repricing_id,
          )
      const isLast = to >= place.last
      if (isLast && done.id !== null) yield* finish(done.id)
      yield* NextTurn.nextTurn
      return {
        repriced: Repricing.add(done.repriced, stay),
        repricing_id: done.id,
        next: isLast ? null : { after: to, last: place.last, repricing_id: done.id },
      }
    })

  /** Gives back what stands as the repricing left it. */
  const giveBack = (id: number, entries: ReadonlyArray<RepricedCalls.Entry>, now: string): number => {
    const rows = writes.loadRows(entries.map(({ event_id }) => event_id))
    const by = CallPricing.byRepricing(id)
    const restored = entries.flatMap(({ event_id, before_json, before_updated_at, repriced_at }) => {
      const held = rows.get(event_id)
      const call = held === undefined ? null : PricedCall.of(held.cells)
      if (held === undefined || call === null || CallPricing.pricedBy(call.metrics) !== by) return []
      const cells = assign(held.cells, { metrics_json: CallPricing.restored(call.metrics, JSON.parse(before_json)) })
      const isUntouched = held.cells[UPDATED_AT] === repriced_at
      held.cells = withCells(cells, { updated_at: isUntouched ? before_updated_at : now })
      held.dirty = true
      return [event_id]
    })
    writes.saveRows({ rows })
    if (restored.length > 0) audit.undone(id, restored, now)
    return restored.length
  }

  /** How many of some calls stand as the repricing left them. */
  const standing = (id: number, entries: ReadonlyArray<RepricedCalls.Entry>): number => {
    const [row] = database.all<{ readonly calls: number }>({
      text: `SELECT count(*) AS calls FROM runs WHERE event_id IN (SELECT value FROM json_each(?))
        AND metrics_json ->> '$.priced_by' = ?`,
      values: [JSON.stringify(entries.map(({ event_id }) => event_id)), CallPricing.byRepricing(id)],
    })
    return row?.calls ?? 0
  }

  const undo = ({ repricingId: id, dryRun, after }: UndoOptions): ReturnType<StoreRepricing["undo"]> =>
    Effect.gen(function* () {
      if (!(yield* look(() => kept.has(id)))) return Option.none()
      const entries = yield* look(() => kept.standing(id, after ?? "", CHANGED_AT_ONCE))
      const now = fromMillis(yield* Clock.currentTimeMillis)
      const restored = dryRun
        ? yield* look(() => standing(id, entries))
        : yield* transact(
            OPERATION,
            attempt(() => giveBack(id, entries, now)),
          )
      yield* NextTurn.nextTurn
      return Option.some({
        restored,
        changed_since: entries.length - restored,
        next: entries.length < CHANGED_AT_ONCE ? null : (entries.at(-1)?.event_id ?? null),
      })
    })

  return {
    reprice,
    undo,
    history: look(kept.history),
    calls: (id, { after, limit }) =>
      look(() => (kept.has(id) ? Option.some(kept.calls(id, after ?? "", limit)) : Option.none())),
  }
}
