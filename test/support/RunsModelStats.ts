import { isObject, type Json, own, plain } from "./RunsModelFields.js"

/** A row as a server gave it, or as a model expects it. */
type Row = Json

/** A query of the list or of the stats: a filter by name. */
export type Query = Readonly<Record<string, string>>

const MOST = Number.MAX_SAFE_INTEGER

/** What columns hold of a row's `context_json`. */
const context = (row: Row, name: string): string | null => {
  const json = row["context_json"]
  const value = isObject(json) ? own(json, name) : undefined
  return typeof value === "string" && value !== "" ? plain(value) : null
}

const metric = (row: Row, ...names: ReadonlyArray<string>): number | null => {
  const json = row["metrics_json"]
  for (const name of isObject(json) ? names : []) {
    const value = isObject(json) ? own(json, name) : undefined
    if (typeof value === "number" && value >= 0 && value <= MOST) return value
  }
  return null
}

const whole = (value: number | null): number | null => (value === null ? null : Math.floor(value))

const WORDS = ["priced", "unpriced", "simulated", "replayed"]

interface Measure {
  readonly tokens: Readonly<Record<string, number | null>>
  readonly cost: number
  readonly status: string | null
}

const measure = (row: Row): Measure => {
  const input = whole(metric(row, "input_tokens", "prompt_tokens"))
  const output = whole(metric(row, "output_tokens", "completion_tokens"))
  const parts = input === null && output === null ? null : (input ?? 0) + (output ?? 0)
  const total = whole(metric(row, "total_tokens")) ?? parts
  const usd = metric(row, "api_cost_usd")
  const derived = usd === null ? null : Math.round(usd * 1e9)
  const cost = whole(metric(row, "cost_nanousd")) ?? (derived !== null && derived <= MOST ? derived : null)
  const json = row["metrics_json"]
  const told = isObject(json) ? own(json, "cost_status") : undefined
  const unnamed = cost !== null ? "priced" : total !== null ? "unpriced" : null
  const status = WORDS.includes(String(told)) ? String(told) : unnamed
  return {
    tokens: {
      input_tokens: input,
      output_tokens: output,
      total_tokens: total,
      ...Object.fromEntries(
        ["cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "reasoning_tokens"].map((name) => [
          name,
          whole(metric(row, name)),
        ]),
      ),
    },
    cost: cost ?? 0,
    status: status === "priced" && cost === null ? "unpriced" : status,
  }
}

/** The calls inside of which another call ran: those bear nothing. */
export const outerCalls = (rows: ReadonlyArray<Row>): ReadonlySet<Row> => {
  const calls = rows.filter((row) => row["job_type"] === "llm_call")
  const key = (row: Row, span: string | null): string => JSON.stringify([context(row, "trace_id"), span])
  const byParentRun = new Map<unknown, Array<Row>>()
  const byParentSpan = new Map<unknown, Array<Row>>()
  const put = (map: Map<unknown, Array<Row>>, at: unknown, row: Row): void => {
    const there = map.get(at)
    if (there === undefined) map.set(at, [row])
    else there.push(row)
  }
  for (const row of calls) {
    if (row["parent_run_id"] !== null) put(byParentRun, row["parent_run_id"], row)
    const parent = context(row, "parent_span_id")
    if (parent !== null) put(byParentSpan, key(row, parent), row)
  }
  return new Set(
    calls.filter((row) => {
      const span = context(row, "span_id")
      const inside = [
        ...(byParentRun.get(row["run_id"]) ?? []),
        ...(span === null ? [] : (byParentSpan.get(key(row, span)) ?? [])),
      ]
      return inside.some((other) => other !== row)
    }),
  )
}

const GROUPS: Readonly<Record<string, (row: Row) => unknown>> = {
  model: (row) => context(row, "model"),
  provider: (row) => context(row, "provider"),
  agent_name: (row) => row["agent_name"],
  job_type: (row) => row["job_type"],
  status: (row) => row["status"],
  run: (row) => row["parent_run_id"] ?? row["run_id"],
  day: (row) => String(row["start_time"]).slice(0, 10),
  hour: (row) => `${String(row["start_time"]).slice(0, 13)}:00:00.000Z`,
}

/** What stats may be grouped by. */
export const GROUP_NAMES: ReadonlyArray<string> = Object.keys(GROUPS)

const SAME = ["run_id", "parent_run_id", "agent_name", "job_type", "status", "product"]

/** Whether a row is one that a query asks for. */
export const matches = (row: Row, query: Query): boolean =>
  Object.entries(query).every(([name, value]) => {
    const start = String(row["start_time"])
    const made = String(row["created_at"])
    if (SAME.includes(name)) return row[name] === value
    if (name === "trace_id" || name === "model") return context(row, name) === value
    if (name === "start_time_from") return start >= value
    if (name === "start_time_to") return start <= value
    if (name === "created_after") return made > value
    return name === "created_before" ? made < value : true
  })

const sum = (values: ReadonlyArray<number | null>): number =>
  Math.min(
    values.reduce<number>((all, value) => all + (value ?? 0), 0),
    MOST,
  )

const ranks = (values: ReadonlyArray<number>): Readonly<Record<string, number | null>> => {
  const sorted = [...values].sort((left, right) => left - right)
  const at = (share: number): number | null => sorted[Math.ceil((sorted.length * share) / 100) - 1] ?? null
  return { p50: at(50), p95: at(95), p99: at(99) }
}

/** The calls of a query that bear their own cost. */
export const leaves = (rows: ReadonlyArray<Row>, query: Query): ReadonlyArray<Row> => {
  const outer = outerCalls(rows)
  return rows.filter((row) => row["job_type"] === "llm_call" && !outer.has(row) && matches(row, query))
}

/** What the stats of some rows must say, by group. Percentiles are exact here. */
export const stats = (rows: ReadonlyArray<Row>, groupBy: string, query: Query): ReadonlyMap<unknown, Json> => {
  const outer = outerCalls(rows)
  const every = query["job_type"] !== undefined || groupBy === "job_type"
  const groups = new Map<unknown, Array<Row>>()
  for (const row of rows) {
    if (outer.has(row) || !(every || row["job_type"] === "llm_call") || !matches(row, query)) continue
    const group = GROUPS[groupBy]?.(row) ?? null
    const members = groups.get(group)
    if (members === undefined) groups.set(group, [row])
    else members.push(row)
  }
  return new Map(Array.from(groups, ([group, members]) => [group, summary(members)]))
}

const summary = (rows: ReadonlyArray<Row>): Json => {
  const calls = rows.filter((row) => row["job_type"] === "llm_call").map(measure)
  const ended = rows.filter((row) => row["status"] !== "running")
  const costOf = (status: string) => sum(calls.filter((call) => call.status === status).map(({ cost }) => cost))
  const countOf = (status: string) => calls.filter((call) => call.status === status).length
  const names = Object.keys(measure({}).tokens)
  return {
    calls: rows.length,
    errors: rows.filter((row) => row["status"] === "failure" || row["status"] === "timeout").length,
    ...Object.fromEntries(names.map((name) => [name, sum(calls.map(({ tokens }) => tokens[name] ?? null))])),
    cost_nanousd: costOf("priced"),
    simulated_cost_nanousd: costOf("simulated"),
    unpriced_calls: countOf("unpriced"),
    replayed_calls: countOf("replayed"),
    latency_ms: ranks(ended.map((row) => Number(row["duration_ms"]))),
    time_to_first_token_ms: ranks(
      ended.flatMap((row) => {
        const first = metric(row, "time_to_first_token_ms")
        return first === null ? [] : [first]
      }),
    ),
  }
}

/** Whether a percentile is as exact as is promised: within 5 %, and within half a unit where it is rounded. */
export const isNear = (told: unknown, exact: unknown): boolean => {
  if (exact === null || told === null) return exact === told
  return Math.abs(Number(told) - Number(exact)) <= Number(exact) * 0.05 + 0.5
}
