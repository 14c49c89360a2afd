import { isError } from "../domain/CallMeasure.js"
import type { CallRow } from "./CallRow.js"

/** What costs are grouped by. */
export type Key = "model" | "day" | "worker" | "commit"

/** Calls that share a model, day, worker or commit. `cost_usd` is real money only, null when some of it is unknown. */
export interface CostGroup {
  readonly group: string
  readonly calls: number
  readonly errors: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly total_tokens: number
  readonly cost_nanousd: number
  readonly cost_usd: number | null
  readonly simulated_cost_nanousd: number
  readonly simulated_cost_usd: number
  readonly unpriced_calls: number
  readonly replayed_calls: number
}

const empty = (group: string): CostGroup => ({
  group,
  calls: 0,
  errors: 0,
  input_tokens: 0,
  output_tokens: 0,
  total_tokens: 0,
  cost_nanousd: 0,
  cost_usd: 0,
  simulated_cost_nanousd: 0,
  simulated_cost_usd: 0,
  unpriced_calls: 0,
  replayed_calls: 0,
})

const add = (group: CostGroup, call: CallRow): CostGroup => {
  const nano = call.costNanoUsd ?? 0
  const cost = group.cost_nanousd + (call.costStatus === "priced" ? nano : 0)
  const simulated = group.simulated_cost_nanousd + (call.costStatus === "simulated" ? nano : 0)
  const unpricedCalls = group.unpriced_calls + (call.costStatus === "unpriced" ? 1 : 0)
  return {
    group: group.group,
    calls: group.calls + 1,
    errors: group.errors + (isError(call.status) ? 1 : 0),
    input_tokens: group.input_tokens + call.inputTokens,
    output_tokens: group.output_tokens + call.outputTokens,
    total_tokens: group.total_tokens + call.totalTokens,
    cost_nanousd: cost,
    cost_usd: unpricedCalls > 0 ? null : cost / 1e9,
    simulated_cost_nanousd: simulated,
    simulated_cost_usd: simulated / 1e9,
    unpriced_calls: unpricedCalls,
    replayed_calls: group.replayed_calls + (call.costStatus === "replayed" ? 1 : 0),
  }
}

const keyOf = (call: CallRow, by: Key): string => {
  switch (by) {
    case "model":
      return call.model ?? "(unknown model)"
    case "day":
      return call.startTime.slice(0, 10)
    case "worker":
      return call.worker ?? "(no worker)"
    case "commit":
      return call.commit ?? "(no commit)"
  }
}

/** Groups under their keys while calls stream by; the number of groups is all it holds. */
export type Groups = ReadonlyMap<string, CostGroup>

/** The groups with one more call. */
export const step =
  (by: Key) =>
  (groups: Map<string, CostGroup>, call: CallRow): Map<string, CostGroup> => {
    const key = keyOf(call, by)
    return groups.set(key, add(groups.get(key) ?? empty(key), call))
  }

/** All calls of some groups together. */
export const total = (groups: Iterable<CostGroup>): CostGroup => {
  let sum = empty("total")
  for (const group of groups) {
    const unpriced = sum.unpriced_calls + group.unpriced_calls
    sum = {
      group: "total",
      calls: sum.calls + group.calls,
      errors: sum.errors + group.errors,
      input_tokens: sum.input_tokens + group.input_tokens,
      output_tokens: sum.output_tokens + group.output_tokens,
      total_tokens: sum.total_tokens + group.total_tokens,
      cost_nanousd: sum.cost_nanousd + group.cost_nanousd,
      cost_usd: unpriced > 0 ? null : (sum.cost_nanousd + group.cost_nanousd) / 1e9,
      simulated_cost_nanousd: sum.simulated_cost_nanousd + group.simulated_cost_nanousd,
      simulated_cost_usd: (sum.simulated_cost_nanousd + group.simulated_cost_nanousd) / 1e9,
      unpriced_calls: unpriced,
      replayed_calls: sum.replayed_calls + group.replayed_calls,
    }
  }
  return sum
}

/** Dearest first; days newest first. */
export const sorted = (groups: Groups, by: Key): ReadonlyArray<CostGroup> =>
  [...groups.values()].sort((left, right) =>
    by === "day"
      ? right.group.localeCompare(left.group)
      : right.cost_nanousd - left.cost_nanousd ||
        right.simulated_cost_nanousd - left.simulated_cost_nanousd ||
        right.total_tokens - left.total_tokens ||
        left.group.localeCompare(right.group),
  )
