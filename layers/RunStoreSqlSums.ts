import { CALL_JOB_TYPE } from "../src/domain/CallMeasure.js"
import * as Rollup from "../src/domain/Rollup.js"
import type { RunFilter } from "../src/domain/Run.js"
import type { GroupBy } from "../src/domain/Stats.js"
import { type Query, WHILE_WANTED } from "./RunStoreSqlDatabase.js"
import * as Span from "./RunStoreSqlSpan.js"
import { all, type Condition, given, newestFirst, where } from "./RunStoreSqlWhere.js"

/** What is summed up: all that a roll-up counts but its rows. */
export const COUNTERS = Rollup.COUNTERS.filter((name) => name !== "rows")
export type Counter = (typeof COUNTERS)[number]

/** What roll-ups can tell apart, and when. */
const KEPT: ReadonlyArray<keyof RunFilter> = [
  "job_type",
  "status",
  "product",
  "model",
  "start_time_from",
  "start_time_to",
]
const TIMES: ReadonlyArray<keyof RunFilter> = ["start_time_from", "start_time_to"]

/** Whether roll-ups answer a filter: they do not tell runs, traces, agents and times of creation apart. */
export const areKept = (filter: RunFilter): boolean => given(filter).every((name) => KEPT.includes(name))

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

/** The groups by which roll-ups can be read: where they are the rows' own, and where they lie in the bucket. */
const KEPT_GROUPS: Readonly<Partial<Record<GroupBy, string>>> = {
  model: "model",
  provider: "provider",
  job_type: "job_type",
  status: "status",
  day: "substr(bucket, 1, 10)",
  hour: "bucket",
}

/** Whether roll-ups answer sums of a filter by a group. */
export const areKeptBy = (filter: RunFilter, groupBy: GroupBy): boolean =>
  areKept(filter) && KEPT_GROUPS[groupBy] !== undefined

const between = (column: string, { from, to }: Span.Range): Condition => {
  const [first, end] = [Span.bound(from), Span.bound(to)]
  return all([
    ...(first === undefined ? [] : [{ text: `${column} >= ?`, values: [first] }]),
    ...(end === undefined ? [] : [{ text: `${column} < ?`, values: [end] }]),
  ])
}

/** The roll-ups of one kind of bucket within a range. A day's bucket is the beginning of a day's first instant. */
const kept = (span: "day" | "hour", range: Span.Range, filter: RunFilter): Condition => {
  const within = between("bucket", range)
  return all([
    { text: `span = '${span}'`, values: [] },
    span === "day"
      ? { ...within, values: within.values.map((value) => String(value).slice(0, "2026-01-31".length)) }
      : within,
    where(
      filter,
      given(filter).filter((name) => !TIMES.includes(name)),
    ),
  ])
}

export interface Sources {
  /** Conditions over `rollups`. */
  readonly rollups: ReadonlyArray<Condition>
  /** Conditions over `runs`, each with the index to follow. */
  readonly rows: ReadonlyArray<Condition & { readonly index: string }>
}

/**
 * Where the rows of a filter are summed up, by group or as a whole: from roll-ups as far as they go, the rest row by row along
 * an index.
 */
export const sources = (filter: RunFilter, groupBy?: GroupBy): Sources => {
  if (groupBy === undefined ? !areKept(filter) : !areKeptBy(filter, groupBy)) {
    const byTime = given(filter).some((name) => TIMES.includes(name))
    const path = newestFirst(filter)
    const condition = where(filter, given(filter))
    return path.index === "runs_created" && byTime && filter.created_after === undefined
      ? { rollups: [], rows: [{ ...condition, index: "runs_started" }] }
      : { rollups: [], rows: [{ ...all([{ text: path.also, values: [] }, condition]), index: path.index }] }
  }
  const { days, hours, rest } = Span.parts(filter.start_time_from, filter.start_time_to, groupBy === "hour")
  const others = where(
    filter,
    given(filter).filter((name) => !TIMES.includes(name)),
  )
  return {
    rollups: [...days.map((range) => kept("day", range, filter)), ...hours.map((range) => kept("hour", range, filter))],
    rows: rest.map((range) => ({ ...all([between("start_time", range), others]), index: "runs_started" })),
  }
}

/** Sums of roll-ups by group, `grp` first and then {@link COUNTERS}; floats, so that no sum overflows. */
export const ofRollups = (groupBy: GroupBy, source: Condition): Query => ({
  text: `SELECT ${KEPT_GROUPS[groupBy]} AS grp, ${COUNTERS.map((name) => `total(${name})`).join(", ")}
    FROM rollups WHERE ${source.text} AND calls > 0 GROUP BY grp`,
  values: source.values,
})

/** The histograms of the same roll-ups: `grp`, latencies, times to the first token. */
export const histograms = (groupBy: GroupBy, source: Condition): Query => ({
  text: `SELECT ${KEPT_GROUPS[groupBy]} AS grp, latency, time_to_first_token FROM rollups
    WHERE ${source.text} AND calls > 0 AND latency IS NOT NULL`,
  values: source.values,
})

const IS_CALL = `job_type = '${CALL_JOB_TYPE}'`

const ofRow: Readonly<Record<Counter, string>> = {
  ...Object.fromEntries(Rollup.TOKENS.map((name) => [name, `total(CASE WHEN ${IS_CALL} THEN ${name} END)`])),
  calls: "count(*)",
  errors: "count(CASE WHEN status IN ('failure', 'timeout') THEN 1 END)",
  cost_nanousd: `total(CASE WHEN ${IS_CALL} AND cost_status = 'priced' THEN cost_nanousd END)`,
  simulated_cost_nanousd: `total(CASE WHEN ${IS_CALL} AND cost_status = 'simulated' THEN cost_nanousd END)`,
  unpriced_calls: `count(CASE WHEN ${IS_CALL} AND cost_status = 'unpriced' THEN 1 END)`,
  replayed_calls: `count(CASE WHEN ${IS_CALL} AND cost_status = 'replayed' THEN 1 END)`,
} as Record<Counter, string>

const measured = (column: "duration_ms" | "time_to_first_token_ms"): string =>
  `group_concat(CASE WHEN status <> 'running' THEN ${column} END)`

/**
 * The same sums, of rows, and behind them what was measured: latencies, times to the first token, each as numbers with commas
 * between. One look at each row: what they are grouped by is in no index together with what is summed up.
 */
export const ofRows = (groupBy: GroupBy, source: Condition & { readonly index: string }): Query => ({
  text: `SELECT ${GROUPS[groupBy]} AS grp, ${COUNTERS.map((name) => ofRow[name]).join(", ")},
      ${measured("duration_ms")}, ${measured("time_to_first_token_ms")}
    FROM runs INDEXED BY ${source.index} WHERE ${WHILE_WANTED} AND ${source.text} AND bears = 1 GROUP BY grp`,
  values: source.values,
})
