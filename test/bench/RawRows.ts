/** What a column holds. */
export type Cell = string | number | null
export type Parameter = Cell | Uint8Array

export type Json = Readonly<Record<string, unknown>>

const COUNTS: ReadonlySet<string> = new Set([
  "items_discovered",
  "items_succeeded",
  "items_failed",
  "items_skipped",
  "duration_ms",
  "api_retry_count",
])
export const TOKENS: ReadonlyArray<string> = [
  "input_tokens",
  "output_tokens",
  "total_tokens",
  "cache_read_tokens",
  "cache_write_5m_tokens",
  "cache_write_1h_tokens",
  "reasoning_tokens",
]
const OF_METRICS: ReadonlyArray<string> = [...TOKENS, "cost_nanousd", "cost_status", "time_to_first_token_ms"]
const OF_CONTEXT: ReadonlyArray<string> = ["trace_id", "span_id", "parent_span_id", "model", "provider"]

const cell = (value: unknown): Cell => (typeof value === "string" || typeof value === "number" ? value : null)

const memberOf = (value: unknown, name: string): Cell =>
  typeof value === "object" && value !== null ? cell((value as Json)[name]) : null

type Fill = (run: Json, now: string) => Cell

const jsonText = (value: unknown): Cell => (value === undefined || value === null ? null : JSON.stringify(value))

const SPECIAL: Readonly<Record<string, Fill>> = {
  schema_version: () => 1,
  inferred: () => 0,
  bears: () => 1,
  revision: () => 0,
  updated_at: () => null,
  exact_json: () => null,
  received_at: (_run, now) => now,
  created_at: (run, now) => cell(run["created_at"]) ?? now,
  status: (run) => cell(run["status"]) ?? "running",
  api_posted: (run) => (run["api_posted"] === true ? 1 : 0),
  metrics_json: (run) => jsonText(run["metrics_json"]),
  context_json: (run) => jsonText(run["context_json"]),
}

const fillOf = (column: string): Fill => {
  if (COUNTS.has(column)) return (run) => cell(run[column]) ?? 0
  if (OF_METRICS.includes(column)) return (run) => memberOf(run["metrics_json"], column)
  if (OF_CONTEXT.includes(column)) return (run) => memberOf(run["context_json"], column)
  return SPECIAL[column] ?? ((run) => cell(run[column]))
}

/** How the columns of a database are filled, by the order in which it has them. */
export const make = (columns: ReadonlyArray<string>) => {
  const fills = columns.map(fillOf)
  const places = new Map(columns.map((column, index) => [column, index]))
  const place = (column: string): number => {
    const found = places.get(column)
    if (found === undefined) throw new Error(`the table runs has no column ${column}`)
    return found
  }
  const derived = (from: string, names: ReadonlyArray<string>) => ({
    from,
    places: names.map((name) => [name, place(name)] as const),
  })
  const sources = [derived("metrics_json", OF_METRICS), derived("context_json", OF_CONTEXT)]

  /** A run's values in the order of the columns. */
  const create = (run: Json, now: string): Array<Cell> => fills.map((fill) => fill(run, now))

  /** Puts the fields of an update into a row. */
  const update = (cells: Array<Cell>, fields: Json): void => {
    for (const name of Object.keys(fields)) {
      const at = places.get(name)
      if (at === undefined || name === "event_id" || name === "inferred") continue
      const value = fields[name]
      cells[at] = typeof value === "object" ? jsonText(value) : cell(value)
    }
    for (const source of sources) {
      const value = fields[source.from]
      if (value !== undefined) for (const [name, at] of source.places) cells[at] = memberOf(value, name)
    }
  }

  return { create, update, place }
}

export type Rows = ReturnType<typeof make>

/** A row in the hands of a request; `before` is null when the database does not have it yet. */
export interface Held {
  readonly before: ReadonlyArray<Cell> | null
  readonly cells: Array<Cell>
  dirty: boolean
}

export const CALL = "llm_call"
