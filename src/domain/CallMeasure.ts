import * as Schema from "effect/Schema"
import { CostStatus } from "./Cost.js"
import type { Status } from "./Status.js"

type Json = Readonly<Record<string, unknown>>

/** What a row's `metrics_json` says of one call. Null where it says nothing; counts are tokens, cost is nano-dollars. */
export interface CallMeasure {
  readonly input_tokens: number | null
  readonly output_tokens: number | null
  readonly total_tokens: number | null
  readonly cache_read_tokens: number | null
  readonly cache_write_5m_tokens: number | null
  readonly cache_write_1h_tokens: number | null
  readonly reasoning_tokens: number | null
  readonly cost_nanousd: number | null
  readonly cost_status: CostStatus | null
  readonly time_to_first_token_ms: number | null
}

/** Whether a value is a cost status. */
export const isCostStatus = Schema.is(CostStatus)

const measured = (record: Json, ...keys: ReadonlyArray<string>): number | null => {
  for (const key of keys) {
    const value = Object.hasOwn(record, key) ? record[key] : undefined
    if (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value
  }
  return null
}

const counted = (record: Json, ...keys: ReadonlyArray<string>): number | null => {
  const value = measured(record, ...keys)
  return value === null ? null : Math.floor(value)
}

const nanoUsd = (metrics: Json): number | null => {
  const exact = counted(metrics, "cost_nanousd")
  if (exact !== null) return exact
  const usd = measured(metrics, "api_cost_usd")
  const nano = usd === null ? null : Math.round(usd * 1e9)
  return nano !== null && Number.isSafeInteger(nano) ? nano : null
}

const sum = (left: number | null, right: number | null): number | null =>
  left === null && right === null ? null : (left ?? 0) + (right ?? 0)

/**
 * Reads a call's measure from its `metrics_json`, in both token dialects. A cost without a `cost_status` was priced by the
 * client; tokens without a cost are unpriced, never free.
 */
export const measure = (metrics: Json | null): CallMeasure => {
  const record = metrics ?? {}
  const input = counted(record, "input_tokens", "prompt_tokens")
  const output = counted(record, "output_tokens", "completion_tokens")
  const total = counted(record, "total_tokens") ?? sum(input, output)
  const cost = nanoUsd(record)
  const told = Object.hasOwn(record, "cost_status") ? record["cost_status"] : undefined
  const unnamed = cost !== null ? "priced" : total !== null ? "unpriced" : null
  const status = isCostStatus(told) ? told : unnamed
  return {
    input_tokens: input,
    output_tokens: output,
    total_tokens: total,
    cache_read_tokens: counted(record, "cache_read_tokens"),
    cache_write_5m_tokens: counted(record, "cache_write_5m_tokens"),
    cache_write_1h_tokens: counted(record, "cache_write_1h_tokens"),
    reasoning_tokens: counted(record, "reasoning_tokens"),
    cost_nanousd: status === "unpriced" ? null : cost,
    cost_status: status === "priced" && cost === null ? "unpriced" : status,
    time_to_first_token_ms: measured(record, "time_to_first_token_ms"),
  }
}

/** Only rows of this job type bear tokens and cost. */
export const CALL_JOB_TYPE = "llm_call"

/** The statuses that count as an error. A cancelled call is not one: somebody wanted it so. */
export const isError = (status: Status): boolean => status === "failure" || status === "timeout"
