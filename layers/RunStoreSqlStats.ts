import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { CALL_JOB_TYPE } from "../src/domain/CallMeasure.js"
import { toUsd } from "../src/domain/Cost.js"
import type { RunFilter } from "../src/domain/Run.js"
import type { GroupBy, StatsGroup } from "../src/domain/Stats.js"
import { where } from "./RunStoreSqlQueries.js"
import { TOKEN_COLUMNS } from "./RunStoreSqlRows.js"

const GROUPS: Readonly<Record<GroupBy, string>> = {
  model: "model",
  provider: "provider",
  agent_name: "agent_name",
  job_type: "job_type",
  status: "status",
  run: "coalesce(parent_run_id, run_id)",
  day: "substr(start_time, 1, 10)",
  hour: "substr(start_time, 1, 13) || ':00:00.000Z'",
}

/** A call that another call ran inside of bears nothing: the inner one does. */
const LEAF = `NOT EXISTS (
    SELECT 1 FROM runs AS inner_call WHERE inner_call.parent_span_id = runs.span_id
      AND inner_call.job_type = 'llm_call' AND inner_call.trace_id IS runs.trace_id AND inner_call.id <> runs.id
  ) AND NOT EXISTS (
    SELECT 1 FROM runs AS inner_call WHERE inner_call.parent_run_id = runs.run_id
      AND inner_call.job_type = 'llm_call' AND inner_call.id <> runs.id
  )`

interface Sums {
  readonly grp: string | null
  readonly calls: number
  readonly errors: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly total_tokens: number
  readonly cache_read_tokens: number
  readonly cache_write_5m_tokens: number
  readonly cache_write_1h_tokens: number
  readonly reasoning_tokens: number
  readonly cost_nanousd: number
  readonly simulated_cost_nanousd: number
  readonly unpriced_calls: number
  readonly replayed_calls: number
}

interface Quantiles {
  readonly grp: string | null
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
}

const NO_QUANTILES = { p50: null, p95: null, p99: null }

const whole = (sum: number): number => Math.min(sum, Number.MAX_SAFE_INTEGER)

const byGroup = (rows: ReadonlyArray<Quantiles>): ReadonlyMap<string | null, Omit<Quantiles, "grp">> =>
  new Map(rows.map(({ grp, p50, p95, p99 }) => [grp, { p50, p95, p99 }]))

const SUM_COLUMNS = TOKEN_COLUMNS.map(
  (column) => `total(CASE WHEN job_type = '${CALL_JOB_TYPE}' THEN ${column} END) AS ${column}`,
).join(", ")

const costOf = (status: string): string =>
  `total(CASE WHEN job_type = '${CALL_JOB_TYPE}' AND cost_status = '${status}' THEN cost_nanousd END)`

const callsOf = (status: string): string =>
  `count(CASE WHEN job_type = '${CALL_JOB_TYPE}' AND cost_status = '${status}' THEN 1 END)`

/**
 * Rolls calls up. Without a word on `job_type` only calls are looked at, so that the groups add up to what was called; asked
 * for another job type, or by job type, rows of that type count as `calls` too, while tokens and cost stay the calls' own.
 * Sums are floats of integers: exact to 2^53, and never an overflow error whatever a client reported.
 */
export const make =
  (sql: SqlClient.SqlClient) =>
  (groupBy: GroupBy, filter: RunFilter): Effect.Effect<ReadonlyArray<StatsGroup>, SqlError> => {
    const group = sql.literal(GROUPS[groupBy])
    const every = filter.job_type !== undefined || groupBy === "job_type"
    const population = sql.literal(
      every ? `(job_type <> '${CALL_JOB_TYPE}' OR (${LEAF}))` : `job_type = '${CALL_JOB_TYPE}' AND ${LEAF}`,
    )
    const matching = sql`${where(sql, filter)} AND ${population}`

    const sums = sql<Sums>`SELECT ${group} AS grp, count(*) AS calls,
        count(CASE WHEN status IN ('failure', 'timeout') THEN 1 END) AS errors,
        ${sql.literal(SUM_COLUMNS)},
        ${sql.literal(costOf("priced"))} AS cost_nanousd,
        ${sql.literal(costOf("simulated"))} AS simulated_cost_nanousd,
        ${sql.literal(callsOf("unpriced"))} AS unpriced_calls,
        ${sql.literal(callsOf("replayed"))} AS replayed_calls
      FROM runs WHERE ${matching} GROUP BY grp ORDER BY grp IS NULL, grp`

    const quantiles = (column: "duration_ms" | "time_to_first_token_ms") =>
      sql<Quantiles>`WITH ranked AS (
          SELECT ${group} AS grp, ${sql(column)} AS measured,
            row_number() OVER (PARTITION BY ${group} ORDER BY ${sql(column)}) AS place,
            count(*) OVER (PARTITION BY ${group}) AS size
          FROM runs WHERE ${matching} AND status <> 'running' AND ${sql(column)} IS NOT NULL
        )
        SELECT grp,
          max(CASE WHEN place = (size * 50 + 99) / 100 THEN measured END) AS p50,
          max(CASE WHEN place = (size * 95 + 99) / 100 THEN measured END) AS p95,
          max(CASE WHEN place = (size * 99 + 99) / 100 THEN measured END) AS p99
        FROM ranked GROUP BY grp`

    return Effect.gen(function* () {
      const groups = yield* sums
      const latency = byGroup(yield* quantiles("duration_ms"))
      const firstToken = byGroup(yield* quantiles("time_to_first_token_ms"))
      return groups.map(({ grp, ...row }): StatsGroup => {
        const cost = whole(row.cost_nanousd)
        const simulated = whole(row.simulated_cost_nanousd)
        return {
          group: grp,
          calls: row.calls,
          errors: row.errors,
          input_tokens: whole(row.input_tokens),
          output_tokens: whole(row.output_tokens),
          total_tokens: whole(row.total_tokens),
          cache_read_tokens: whole(row.cache_read_tokens),
          cache_write_5m_tokens: whole(row.cache_write_5m_tokens),
          cache_write_1h_tokens: whole(row.cache_write_1h_tokens),
          reasoning_tokens: whole(row.reasoning_tokens),
          cost_nanousd: cost,
          cost_usd: toUsd(cost),
          simulated_cost_nanousd: simulated,
          simulated_cost_usd: toUsd(simulated),
          unpriced_calls: row.unpriced_calls,
          replayed_calls: row.replayed_calls,
          latency_ms: latency.get(grp) ?? NO_QUANTILES,
          time_to_first_token_ms: firstToken.get(grp) ?? NO_QUANTILES,
        }
      })
    })
  }
