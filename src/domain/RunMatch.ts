import type { RunFilter, RunRecord } from "./Run.js"

const inContext = (run: RunRecord, key: string): unknown => run.context_json?.[key]

/** Whether a run is among those that a filter asks for: the rule that every reader of runs keeps. */
export const matches =
  (filter: RunFilter) =>
  (run: RunRecord): boolean =>
    (filter.run_id === undefined || run.run_id === filter.run_id) &&
    (filter.parent_run_id === undefined || run.parent_run_id === filter.parent_run_id) &&
    (filter.trace_id === undefined || inContext(run, "trace_id") === filter.trace_id) &&
    (filter.agent_name === undefined || run.agent_name === filter.agent_name) &&
    (filter.job_type === undefined || run.job_type === filter.job_type) &&
    (filter.status === undefined || run.status === filter.status) &&
    (filter.product === undefined || run.product === filter.product) &&
    (filter.model === undefined || inContext(run, "model") === filter.model) &&
    (filter.created_after === undefined || run.created_at > filter.created_after) &&
    (filter.created_before === undefined || run.created_at < filter.created_before) &&
    (filter.start_time_from === undefined || run.start_time >= filter.start_time_from) &&
    (filter.start_time_to === undefined || run.start_time <= filter.start_time_to)

type Place = Pick<RunRecord, "created_at" | "id">

/** Newest first, by `created_at` and then `id`: a total order. */
export const newestFirst = (left: Place, right: Place): number => {
  if (left.created_at !== right.created_at) return left.created_at < right.created_at ? 1 : -1
  return right.id - left.id
}
