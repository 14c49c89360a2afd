/**
 * What a call may use at most, or did use. Money is real money in nano-dollars: simulated, replayed and unpriced calls have 0 of
 * it. Of an estimate and of an actual use alike.
 */
export interface Spending {
  readonly calls: number
  readonly tokens: number
  readonly nanoUsd: number
  /** Calls of which nobody knows the price: a limit in USD does not see them. */
  readonly unpricedCalls?: number | undefined
  /** Simulated or replayed: counts for the calls and tokens of a launch, and nowhere else. */
  readonly isFree?: boolean | undefined
}

/** No call at all. */
export const none: Spending = { calls: 0, tokens: 0, nanoUsd: 0 }

/** The sum of two. */
export const add = (left: Spending, right: Spending): Spending => ({
  calls: left.calls + right.calls,
  tokens: left.tokens + right.tokens,
  nanoUsd: left.nanoUsd + right.nanoUsd,
  unpricedCalls: (left.unpricedCalls ?? 0) + (right.unpricedCalls ?? 0),
})

/** What is left of the first without the second; never below nothing. */
export const subtract = (left: Spending, right: Spending): Spending => ({
  calls: Math.max(0, left.calls - right.calls),
  tokens: Math.max(0, left.tokens - right.tokens),
  nanoUsd: Math.max(0, left.nanoUsd - right.nanoUsd),
  unpricedCalls: Math.max(0, (left.unpricedCalls ?? 0) - (right.unpricedCalls ?? 0)),
})

/** What is spent for good, and what calls in flight have set aside. */
export interface Tally {
  readonly spent: Spending
  readonly reserved: Spending
}

export const emptyTally: Tally = { spent: none, reserved: none }
