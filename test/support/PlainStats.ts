import { CALL_JOB_TYPE, isError, measure } from "../../src/domain/CallMeasure.js"
import type { RunFilter, RunRecord } from "../../src/domain/Run.js"
import { matches } from "../../src/domain/RunMatch.js"
import { add, NOTHING, ofCall, type RunTotals } from "../../src/domain/RunTotals.js"
import type { GroupBy } from "../../src/domain/Stats.js"

interface Quantiles {
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
}

/** What `stats` must tell of one group: the sums to the unit, the percentiles within 5 %. */
export interface PlainGroup {
  readonly exact: RunTotals & { readonly group: string | null }
  readonly latency_ms: Quantiles
  readonly time_to_first_token_ms: Quantiles
}

const contextOf = (row: RunRecord, name: string): string | null => {
  const value = row.context_json?.[name]
  return typeof value === "string" && value !== "" ? value : null
}

const GROUPS: Readonly<Record<GroupBy, (row: RunRecord) => string | null>> = {
  model: (row) => contextOf(row, "model"),
  provider: (row) => contextOf(row, "provider"),
  agent_name: (row) => row.agent_name,
  job_type: (row) => row.job_type,
  status: (row) => row.status,
  run: (row) => row.parent_run_id ?? row.run_id,
  day: (row) => row.start_time.slice(0, 10),
  hour: (row) => `${row.start_time.slice(0, 13)}:00:00.000Z`,
}

const isCall = (row: RunRecord): boolean => row.job_type === CALL_JOB_TYPE

/** Whether another call ran inside of a call, by its span or by its run. */
const wraps = (all: ReadonlyArray<RunRecord>, row: RunRecord): boolean =>
  all.some(
    (inner) =>
      inner !== row &&
      isCall(inner) &&
      (inner.parent_run_id === row.run_id ||
        (contextOf(row, "span_id") !== null &&
          contextOf(inner, "parent_span_id") === contextOf(row, "span_id") &&
          contextOf(inner, "trace_id") === contextOf(row, "trace_id"))),
  )

const quantiles = (values: ReadonlyArray<number | null>): Quantiles => {
  const sorted = values.filter((value) => value !== null).sort((left, right) => left - right)
  const at = (percent: number): number | null => sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? null
  return { p50: at(50), p95: at(95), p99: at(99) }
}

const totalsOf = (row: RunRecord): RunTotals =>
  isCall(row)
    ? ofCall(measure(row.metrics_json), row.status)
    : { ...NOTHING, calls: 1, errors: isError(row.status) ? 1 : 0 }

/** The sums of a filter by group, from nothing but a look at every row. */
export const plainStats = (
  all: ReadonlyArray<RunRecord>,
  groupBy: GroupBy,
  filter: RunFilter,
): ReadonlyArray<PlainGroup> => {
  const every = filter.job_type !== undefined || groupBy === "job_type"
  const bearing = all.filter(matches(filter)).filter((row) => (isCall(row) ? !wraps(all, row) : every))
  const names = [...new Set(bearing.map(GROUPS[groupBy]))].sort((left, right) => {
    if (left === null || right === null) return left === null ? 1 : -1
    return left < right ? -1 : 1
  })
  return names.map((group) => {
    const rows = bearing.filter((row) => GROUPS[groupBy](row) === group)
    const ended = rows.filter((row) => row.status !== "running")
    return {
      exact: { group, ...rows.map(totalsOf).reduce(add, NOTHING) },
      latency_ms: quantiles(ended.map((row) => row.duration_ms)),
      time_to_first_token_ms: quantiles(ended.map((row) => measure(row.metrics_json).time_to_first_token_ms)),
    }
  })
}
