import type { RepricedCall, RepriceFilter, Repricing } from "../src/domain/Repricing.js"
import type { Database, Query } from "./RunStoreSqlDatabase.js"
import { insertion, type Statements } from "./RunStoreSqlStatements.js"

/** A call before and after a repricing, as it is kept. */
export interface Entry {
  readonly event_id: string
  /** The cost members of its metrics, as JSON. */
  readonly before_json: string
  readonly after_json: string
  readonly before_updated_at: string | null
  readonly repriced_at: string
}

/** What a repricing came to so far. */
export interface Sums {
  readonly calls: number
  readonly newly_priced: number
  readonly old_cost_nanousd: number
  readonly new_cost_nanousd: number
}

type RepricingRow = Omit<Repricing, "filter"> & { readonly filter_json: string }
type CallRow = Pick<Entry, "event_id" | "before_json" | "after_json"> & { readonly undone: number }

const toRepricing = ({ filter_json, ...row }: RepricingRow): Repricing => ({ ...row, filter: JSON.parse(filter_json) })

const toCall = ({ before_json, after_json, undone, event_id }: CallRow): RepricedCall => ({
  event_id,
  before: JSON.parse(before_json),
  after: JSON.parse(after_json),
  undone: undone === 1,
})

/** What is written about repricings, in the transaction that changes their calls. */
export const writing = (statements: Statements) => {
  const { run, rows } = statements
  const insertCalls = insertion(statements, {
    table: "repriced_calls",
    columns: ["event_id", "repricing_id", "before_json", "after_json", "before_updated_at", "repriced_at", "undone"],
    after: "",
  })

  return {
    /** A new repricing, without a call yet; gives its number. */
    begin: (filter: RepriceFilter, priceTables: string, now: string): number => {
      const [row] = rows<{ readonly id: number }>(
        `INSERT INTO repricings (begun_at, filter_json, price_tables, calls, newly_priced, old_cost_nanousd,
            new_cost_nanousd, undone_calls)
          VALUES (?, ?, ?, 0, 0, 0, 0, 0) RETURNING id`,
        [now, JSON.stringify(filter), priceTables],
      )
      return row?.id ?? 0
    },
    keep: (id: number, entries: ReadonlyArray<Entry>, sums: Sums): void => {
      insertCalls(
        entries.map((entry) => [
          entry.event_id,
          id,
          entry.before_json,
          entry.after_json,
          entry.before_updated_at,
          entry.repriced_at,
          0,
        ]),
      )
      run(
        `UPDATE repricings SET calls = calls + ?, newly_priced = newly_priced + ?,
          old_cost_nanousd = old_cost_nanousd + ?, new_cost_nanousd = new_cost_nanousd + ? WHERE id = ?`,
        [sums.calls, sums.newly_priced, sums.old_cost_nanousd, sums.new_cost_nanousd, id],
      )
    },
    finish: (id: number, now: string): void => run("UPDATE repricings SET finished_at = ? WHERE id = ?", [now, id]),
    undone: (id: number, eventIds: ReadonlyArray<string>, now: string): void => {
      run(
        `UPDATE repriced_calls SET undone = 1
          WHERE repricing_id = ? AND event_id IN (SELECT value FROM json_each(?))`,
        [id, JSON.stringify(eventIds)],
      )
      run("UPDATE repricings SET undone_at = ?, undone_calls = undone_calls + ? WHERE id = ?", [
        now,
        eventIds.length,
        id,
      ])
    },
  }
}

const NEWEST_FIRST: Query = { text: "SELECT * FROM repricings ORDER BY id DESC", values: [] }

/** What is known of repricings. Synchronous. */
export const reading = (database: Database) => ({
  has: (id: number): boolean =>
    database.all({ text: "SELECT 1 FROM repricings WHERE id = ?", values: [id] }).length > 0,
  history: (): ReadonlyArray<Repricing> => database.all<RepricingRow>(NEWEST_FIRST).map(toRepricing),
  calls: (id: number, after: string, limit: number): ReadonlyArray<RepricedCall> =>
    database
      .all<CallRow>({
        text: `SELECT event_id, before_json, after_json, undone FROM repriced_calls
          WHERE repricing_id = ? AND event_id > ? ORDER BY event_id LIMIT ?`,
        values: [id, after, limit],
      })
      .map(toCall),
  /** Entries that were not undone, in the order of their event_id. */
  standing: (id: number, after: string, limit: number): ReadonlyArray<Entry> =>
    database.all<Entry>({
      text: `SELECT event_id, before_json, after_json, before_updated_at, repriced_at FROM repriced_calls
        WHERE repricing_id = ? AND event_id > ? AND undone = 0 ORDER BY event_id LIMIT ?`,
      values: [id, after, limit],
    }),
})
