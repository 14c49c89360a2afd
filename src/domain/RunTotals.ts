import * as Schema from "effect/Schema"
import { type CallMeasure, isError } from "./CallMeasure.js"
import { toUsd } from "./Cost.js"
import type { Status } from "./Status.js"

const Count = Schema.NonNegativeInt

/**
 * What the calls of a subtree used and cost, the node's own call included. `cost_nanousd` is real money only: simulated
 * money stands apart, unpriced calls are counted and never 0. `errors` counts failed and timed-out calls.
 */
export const RunTotals = Schema.Struct({
  calls: Count,
  errors: Count,
  input_tokens: Count,
  output_tokens: Count,
  total_tokens: Count,
  cache_read_tokens: Count,
  cache_write_5m_tokens: Count,
  cache_write_1h_tokens: Count,
  reasoning_tokens: Count,
  cost_nanousd: Count,
  cost_usd: Schema.NonNegative,
  simulated_cost_nanousd: Count,
  simulated_cost_usd: Schema.NonNegative,
  unpriced_calls: Count,
  replayed_calls: Count,
}).annotations({ identifier: "RunTotals" })
export type RunTotals = typeof RunTotals.Type

/** The totals of nothing. */
export const NOTHING: RunTotals = {
  calls: 0,
  errors: 0,
  input_tokens: 0,
  output_tokens: 0,
  total_tokens: 0,
  cache_read_tokens: 0,
  cache_write_5m_tokens: 0,
  cache_write_1h_tokens: 0,
  reasoning_tokens: 0,
  cost_nanousd: 0,
  cost_usd: 0,
  simulated_cost_nanousd: 0,
  simulated_cost_usd: 0,
  unpriced_calls: 0,
  replayed_calls: 0,
}

const plus = (left: number, right: number): number => Math.min(left + right, Number.MAX_SAFE_INTEGER)

/** The totals of two parts; a sum that a double no longer holds exactly stays at the largest that it does. */
export const add = (left: RunTotals, right: RunTotals): RunTotals => {
  const cost = plus(left.cost_nanousd, right.cost_nanousd)
  const simulated = plus(left.simulated_cost_nanousd, right.simulated_cost_nanousd)
  return {
    calls: plus(left.calls, right.calls),
    errors: plus(left.errors, right.errors),
    input_tokens: plus(left.input_tokens, right.input_tokens),
    output_tokens: plus(left.output_tokens, right.output_tokens),
    total_tokens: plus(left.total_tokens, right.total_tokens),
    cache_read_tokens: plus(left.cache_read_tokens, right.cache_read_tokens),
    cache_write_5m_tokens: plus(left.cache_write_5m_tokens, right.cache_write_5m_tokens),
    cache_write_1h_tokens: plus(left.cache_write_1h_tokens, right.cache_write_1h_tokens),
    reasoning_tokens: plus(left.reasoning_tokens, right.reasoning_tokens),
    cost_nanousd: cost,
    cost_usd: toUsd(cost),
    simulated_cost_nanousd: simulated,
    simulated_cost_usd: toUsd(simulated),
    unpriced_calls: plus(left.unpriced_calls, right.unpriced_calls),
    replayed_calls: plus(left.replayed_calls, right.replayed_calls),
  }
}

/** The totals of one call that bears its own cost. */
export const ofCall = (call: CallMeasure, status: Status): RunTotals => {
  const cost = call.cost_status === "priced" ? (call.cost_nanousd ?? 0) : 0
  const simulated = call.cost_status === "simulated" ? (call.cost_nanousd ?? 0) : 0
  return {
    calls: 1,
    errors: isError(status) ? 1 : 0,
    input_tokens: call.input_tokens ?? 0,
    output_tokens: call.output_tokens ?? 0,
    total_tokens: call.total_tokens ?? 0,
    cache_read_tokens: call.cache_read_tokens ?? 0,
    cache_write_5m_tokens: call.cache_write_5m_tokens ?? 0,
    cache_write_1h_tokens: call.cache_write_1h_tokens ?? 0,
    reasoning_tokens: call.reasoning_tokens ?? 0,
    cost_nanousd: cost,
    cost_usd: toUsd(cost),
    simulated_cost_nanousd: simulated,
    simulated_cost_usd: toUsd(simulated),
    unpriced_calls: call.cost_status === "unpriced" ? 1 : 0,
    replayed_calls: call.cost_status === "replayed" ? 1 : 0,
  }
}
