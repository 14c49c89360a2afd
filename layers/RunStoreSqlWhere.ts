import type { RunFilter } from "../src/domain/Run.js"
import type { Cell } from "./RunStoreSqlRows.js"

/** A part of a statement, and what stands for its question marks. */
export interface Condition {
  readonly text: string
  readonly values: ReadonlyArray<Cell>
}

/** The condition of each filter over the columns of `runs`. */
const CONDITIONS: Readonly<Record<keyof RunFilter, string>> = {
  run_id: "run_id = ?",
  parent_run_id: "parent_run_id = ?",
  trace_id: "trace_id = ?",
  agent_name: "agent_name = ?",
  job_type: "job_type = ?",
  status: "status = ?",
  product: "product = ?",
  model: "model = ?",
  created_after: "created_at > ?",
  created_before: "created_at < ?",
  start_time_from: "start_time >= ?",
  start_time_to: "start_time <= ?",
}

export const FILTERS = Object.keys(CONDITIONS) as ReadonlyArray<keyof RunFilter>

/** The filters that are asked for. */
export const given = (filter: RunFilter): ReadonlyArray<keyof RunFilter> =>
  FILTERS.filter((name) => filter[name] !== undefined)

/** All of some conditions; of none, what is always true. */
export const all = (conditions: ReadonlyArray<Condition>): Condition => ({
  text: conditions.length === 0 ? "1 = 1" : conditions.map(({ text }) => text).join(" AND "),
  values: conditions.flatMap(({ values }) => values),
})

/** The condition of some of a filter's members. */
export const where = (filter: RunFilter, names: ReadonlyArray<keyof RunFilter>): Condition =>
  all(names.map((name) => ({ text: CONDITIONS[name], values: [filter[name] ?? null] })))

/** Which rows are looked at, along which index. */
export interface Path {
  readonly index: string
  /** The filters that the index answers: a walk along it meets no row that they refuse. */
  readonly answered: ReadonlyArray<keyof RunFilter>
  /** What the index holds rows of, where it does not hold all: the planner must be told. */
  readonly also: string
}

const CREATED = ["created_after", "created_before"] as const

/** The indexes that begin with one column and go on with `created_at, id`, the most selective first. */
const BY_COLUMN: ReadonlyArray<readonly [keyof RunFilter, string]> = [
  ["run_id", "runs_run"],
  ["trace_id", "runs_trace"],
  ["parent_run_id", "runs_parent"],
  ["status", "runs_status"],
  ["agent_name", "runs_agent"],
  ["product", "runs_product"],
  ["model", "runs_model"],
  ["job_type", "runs_job"],
]

/** Most runs end well, so the index of statuses leaves these out, and a query must say that it does not ask for them. */
const COMMON_STATUS = "success"

/** The index along which the rows of a filter are met newest first: the planner keeps no statistics and would guess. */
export const newestFirst = (filter: RunFilter): Path => {
  const found = BY_COLUMN.find(
    ([name]) => filter[name] !== undefined && !(name === "status" && filter.status === COMMON_STATUS),
  )
  if (found === undefined) return { index: "runs_created", answered: CREATED, also: "1 = 1" }
  const [name, index] = found
  return {
    index,
    answered: [name, ...CREATED],
    also: name === "status" ? `status <> '${COMMON_STATUS}'` : `${name} IS NOT NULL`,
  }
}

/** Whether an index alone tells which rows match. */
export const isAnswered = (filter: RunFilter, path: Path): boolean =>
  given(filter).every((name) => path.answered.includes(name))
