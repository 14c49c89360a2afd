import { CALL_JOB_TYPE, isError } from "./CallMeasure.js"
import * as Histogram from "./Histogram.js"
import type { Status } from "./Status.js"

/** Tokens of a call by class, with their totals. */
export const TOKENS = [
  "input_tokens",
  "output_tokens",
  "total_tokens",
  "cache_read_tokens",
  "cache_write_5m_tokens",
  "cache_write_1h_tokens",
  "reasoning_tokens",
] as const

/** What a roll-up counts, in the order of {@link Rollup.counters}. */
export const COUNTERS = [
  "rows",
  "calls",
  "errors",
  ...TOKENS,
  "cost_nanousd",
  "simulated_cost_nanousd",
  "unpriced_calls",
  "replayed_calls",
] as const

/** What of a row goes into a roll-up. Tokens in the order of {@link TOKENS}. */
export interface Counted {
  readonly jobType: string
  readonly status: Status
  /** False for a call that another one ran inside of: the inner one bears tokens, cost and latency. */
  readonly bears: boolean
  readonly durationMs: number
  readonly timeToFirstTokenMs: number | null
  readonly tokens: ReadonlyArray<number | null>
  readonly costNanoUsd: number | null
  readonly costStatus: string | null
}

/** Sums over rows, or the difference between two such sums. */
export interface Rollup {
  /** In the order of {@link COUNTERS}. */
  readonly counters: Array<number>
  readonly latency: Histogram.Histogram
  readonly timeToFirstToken: Histogram.Histogram
  /** False once a sum went beyond what is exact: what is folded after that cannot be taken back. */
  isExact: boolean
}

/** What a sum of 2^53 or more is kept as. */
export const BEYOND_EXACT = Number.MAX_SAFE_INTEGER + 1

const ROWS = COUNTERS.indexOf("rows")
const CALLS = COUNTERS.indexOf("calls")
const ERRORS = COUNTERS.indexOf("errors")
const FIRST_TOKEN_CLASS = COUNTERS.indexOf("input_tokens")
const COST = COUNTERS.indexOf("cost_nanousd")
const SIMULATED_COST = COUNTERS.indexOf("simulated_cost_nanousd")
const UNPRICED = COUNTERS.indexOf("unpriced_calls")
const REPLAYED = COUNTERS.indexOf("replayed_calls")

export const make = (): Rollup => ({
  counters: COUNTERS.map(() => 0),
  latency: Histogram.make(),
  timeToFirstToken: Histogram.make(),
  isExact: true,
})

const addTo = (rollup: Rollup, place: number, amount: number): void => {
  const sum = (rollup.counters[place] ?? 0) + amount
  if (Math.abs(sum) < BEYOND_EXACT) rollup.counters[place] = sum
  else {
    rollup.counters[place] = BEYOND_EXACT * Math.sign(sum)
    rollup.isExact = false
  }
}

const countCall = (rollup: Rollup, row: Counted, sign: 1 | -1): void => {
  for (const [index, tokens] of row.tokens.entries()) {
    if (tokens !== null) addTo(rollup, FIRST_TOKEN_CLASS + index, sign * tokens)
  }
  if (row.costStatus === "priced") addTo(rollup, COST, sign * (row.costNanoUsd ?? 0))
  else if (row.costStatus === "simulated") addTo(rollup, SIMULATED_COST, sign * (row.costNanoUsd ?? 0))
  else if (row.costStatus === "unpriced") addTo(rollup, UNPRICED, sign)
  else if (row.costStatus === "replayed") addTo(rollup, REPLAYED, sign)
}

/** Counts a row, or with -1 takes it out again. A row that bears nothing is only one of the rows; one that runs has no latency. */
export const count = (rollup: Rollup, row: Counted, sign: 1 | -1): void => {
  addTo(rollup, ROWS, sign)
  if (!row.bears) return
  addTo(rollup, CALLS, sign)
  if (isError(row.status)) addTo(rollup, ERRORS, sign)
  if (row.jobType === CALL_JOB_TYPE) countCall(rollup, row, sign)
  if (row.status === "running") return
  Histogram.add(rollup.latency, row.durationMs, sign)
  if (row.timeToFirstTokenMs !== null) Histogram.add(rollup.timeToFirstToken, row.timeToFirstTokenMs, sign)
}

/**
 * Adds a difference to sums. False when that cannot be done exactly: something is to come off a sum beyond 2^53, or the
 * difference itself went beyond it. Then the sums must be counted anew from the rows.
 */
export const merge = (sums: Rollup, difference: Rollup): boolean => {
  if (!difference.isExact) return false
  const { counters } = difference
  if (counters.some((amount, place) => amount < 0 && (sums.counters[place] ?? 0) >= BEYOND_EXACT)) return false
  for (const [place, amount] of counters.entries()) addTo(sums, place, amount)
  Histogram.merge(sums.latency, difference.latency)
  Histogram.merge(sums.timeToFirstToken, difference.timeToFirstToken)
  return true
}

/** Whether no row is counted any more. */
export const isEmpty = (rollup: Rollup): boolean => rollup.counters[ROWS] === 0
