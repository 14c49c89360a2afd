import { NOTHING, type Pruned } from "../src/domain/Pruning.js"
import type { Database } from "./RunStoreSqlDatabase.js"

/** Rows of a page, and questions asked for it: runs may have one row each, or all rows may be of one run. */
const PAGE_ROWS = 500
const PAGE_RUNS = 500

/** What a row and its places in the indexes take besides its texts, about. */
const ROW_BYTES = 700

const BODIES = ["input_summary", "output_summary", "error_details", "context_json", "exact_json"]
const TEXTS = [...BODIES, "error_summary", "metrics_json"]

const bytesOf = (columns: ReadonlyArray<string>): string =>
  columns.map((column) => `coalesce(octet_length(${column}), 0)`).join(" + ")

/** Where a walk over the rows of several runs stands: at a run, after one of its rows. */
export interface Turn {
  readonly run: number
  readonly created_at: string
  readonly id: number
}

export const BEGINNING: Turn = { run: 0, created_at: "", id: 0 }

/** Some rows, and where the next page begins; null at the end. */
export interface Page<Row> {
  readonly rows: ReadonlyArray<Row>
  readonly next: Turn | null
}

/** What is measured of a row. */
export interface Measured {
  readonly id: number
  readonly created_at: string
  readonly received_at: string | null
  readonly job_type: string
  readonly status: string
  readonly bytes: number
  readonly bodies: number
  readonly cost: number | null
  readonly cost_status: string | null
}

const MEASURES = `id, created_at, received_at, job_type, status, ${bytesOf(TEXTS)} AS bytes, ${bytesOf(BODIES)} AS bodies,
  CASE WHEN bears = 1 THEN cost_nanousd END AS cost, cost_status`

/** Which row it is. */
export interface Named {
  readonly id: number
  readonly created_at: string
  readonly event_id: string
  readonly run_id: string
}

/** What a row holds. */
export const held = ({ job_type, bytes, cost, cost_status }: Measured, callJobType: string): Pruned => {
  const isCall = job_type === callJobType
  const spent = (status: string): number => (isCall && cost_status === status ? (cost ?? 0) : 0)
  return {
    ...NOTHING,
    rows: 1,
    calls: isCall ? 1 : 0,
    bytes: bytes + ROW_BYTES,
    cost_nanousd: spent("priced"),
    simulated_cost_nanousd: spent("simulated"),
  }
}

/** Walks over the rows of runs, run by run, page by page: a page takes milliseconds, whatever the runs are like. */
export const make = (database: Database) => {
  const walk = <Row extends { readonly id: number; readonly created_at: string }>(columns: string) => {
    const text = `SELECT ${columns} FROM runs INDEXED BY runs_run
      WHERE run_id = ? AND created_at >= ? AND (created_at, id) > (?, ?) ORDER BY created_at, id LIMIT ?`
    return (members: ReadonlyArray<string>, at: Turn): Page<Row> => {
      const rows: Array<Row> = []
      let turn = at
      for (let asked = 0; asked < PAGE_RUNS; asked += 1) {
        const runId = members[turn.run]
        if (runId === undefined) return { rows, next: null }
        const most = PAGE_ROWS - rows.length
        const found = database.all<Row>({
          text,
          values: [runId, turn.created_at, turn.created_at, turn.id, most],
        })
        rows.push(...found)
        const last = found.at(-1)
        if (last !== undefined && found.length === most) {
          return { rows, next: { run: turn.run, created_at: last.created_at, id: last.id } }
        }
        turn = { ...BEGINNING, run: turn.run + 1 }
      }
      return { rows, next: turn }
    }
  }

  return {
    page: walk<Measured>(MEASURES),
    names: walk<Named>("id, created_at, event_id, run_id"),
  }
}
