import type * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Histogram from "../../src/domain/Histogram.js"

/** A call that another one ran inside of, asked of the rows themselves. */
const ENCLOSES = `(job_type = 'llm_call' AND (EXISTS (
    SELECT 1 FROM runs AS inner_call WHERE inner_call.parent_span_id = runs.span_id
      AND inner_call.job_type = 'llm_call' AND inner_call.trace_id IS runs.trace_id AND inner_call.id <> runs.id
  ) OR EXISTS (
    SELECT 1 FROM runs AS inner_call WHERE inner_call.parent_run_id = runs.run_id
      AND inner_call.job_type = 'llm_call' AND inner_call.id <> runs.id
  )))`

const COUNTED = `(CASE WHEN ${ENCLOSES} THEN 0 ELSE 1 END)`

const TOKENS = [
  "input_tokens",
  "output_tokens",
  "total_tokens",
  "cache_read_tokens",
  "cache_write_5m_tokens",
  "cache_write_1h_tokens",
  "reasoning_tokens",
]

const ofCalls = (condition: string, value: string): string =>
  `min(total(CASE WHEN job_type = 'llm_call' AND counted = 1 AND ${condition} THEN ${value} END), 9007199254740992)`

const BUCKETS = {
  hour: "substr(start_time, 1, 13) || ':00:00.000Z'",
  day: "substr(start_time, 1, 10)",
} as const

const groups = (span: "hour" | "day"): string => `
  SELECT '${span}' AS span, ${BUCKETS[span]} AS bucket, job_type, model, provider, status, product,
    count(*) AS rows, sum(counted) AS calls,
    count(CASE WHEN counted = 1 AND status IN ('failure', 'timeout') THEN 1 END) AS errors,
    ${TOKENS.map((name) => `${ofCalls("1", name)} AS ${name}`).join(", ")},
    ${ofCalls("cost_status = 'priced'", "cost_nanousd")} AS cost_nanousd,
    ${ofCalls("cost_status = 'simulated'", "cost_nanousd")} AS simulated_cost_nanousd,
    ${ofCalls("cost_status = 'unpriced'", "1")} AS unpriced_calls,
    ${ofCalls("cost_status = 'replayed'", "1")} AS replayed_calls,
    json_group_array(duration_ms) FILTER (WHERE counted = 1 AND status <> 'running') AS latency,
    json_group_array(time_to_first_token_ms) FILTER (WHERE counted = 1 AND status <> 'running' AND time_to_first_token_ms IS NOT NULL) AS time_to_first_token
  FROM (SELECT *, ${COUNTED} AS counted FROM runs) GROUP BY 2, 3, 4, 5, 6, 7`

type Sums = Readonly<Record<string, unknown>>

const named = (rows: ReadonlyArray<Sums>): ReadonlyArray<Sums> =>
  rows.toSorted((left, right) => {
    const [a, b] = [JSON.stringify(left), JSON.stringify(right)]
    return a < b ? -1 : a > b ? 1 : 0
  })

const histogramOf = (values: unknown): ReadonlyArray<readonly [number, number]> => {
  const histogram = Histogram.make()
  if (typeof values === "string") for (const value of JSON.parse(values)) Histogram.add(histogram, value)
  return [...histogram].sort(([left], [right]) => left - right)
}

const decoded = (bytes: unknown): ReadonlyArray<readonly [number, number]> =>
  bytes instanceof Uint8Array ? [...Histogram.decode(bytes)] : []

/** What a store keeps beside its rows, in a form to compare. */
export const kept = (sql: SqlClient.SqlClient) =>
  Effect.gen(function* () {
    const rollups = yield* sql.unsafe<Sums>("SELECT * FROM rollups")
    return {
      rollups: named(
        rollups.map(({ series: _series, latency, time_to_first_token, ...row }) => ({
          ...row,
          latency: decoded(latency),
          time_to_first_token: decoded(time_to_first_token),
        })),
      ),
      agents: yield* sql.unsafe("SELECT agent_name, rows FROM agents ORDER BY agent_name"),
      jobTypes: yield* sql.unsafe("SELECT job_type, rows FROM job_types ORDER BY job_type"),
      bare: yield* sql.unsafe("SELECT event_id FROM runs WHERE bears = 0 ORDER BY event_id"),
    }
  })

/** The same, counted from the rows alone. */
export const scanned = (sql: SqlClient.SqlClient) =>
  Effect.gen(function* () {
    const rollups = [...(yield* sql.unsafe<Sums>(groups("hour"))), ...(yield* sql.unsafe<Sums>(groups("day")))]
    return {
      rollups: named(
        rollups.map((row) => ({
          ...row,
          latency: histogramOf(row["latency"]),
          time_to_first_token: histogramOf(row["time_to_first_token"]),
        })),
      ),
      agents: yield* sql.unsafe("SELECT agent_name, count(*) AS rows FROM runs GROUP BY 1 ORDER BY 1"),
      jobTypes: yield* sql.unsafe("SELECT job_type, count(*) AS rows FROM runs GROUP BY 1 ORDER BY 1"),
      bare: yield* sql.unsafe(`SELECT event_id FROM runs WHERE ${ENCLOSES} ORDER BY event_id`),
    }
  })
