import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** What is limited: real money, calls, tokens, and time (which the launch itself watches). */
export const BudgetScope = Schema.Literal("cost", "calls", "tokens", "runtime")
export type BudgetScope = typeof BudgetScope.Type

/** A call was not made because it could break a limit. `message` says which and what to do. */
export class BudgetExceeded extends Schema.TaggedError<BudgetExceeded>()("BudgetExceeded", {
  scope: BudgetScope,
  /** Nano-dollars, calls, tokens or seconds, as `scope` says. */
  limit: Schema.NonNegative,
  spent: Schema.NonNegative,
  message: Schema.String,
}) {}

/** What a call may use at most, or did use. Money is real money in nano-dollars: simulated and replayed calls have 0. */
export interface Spending {
  readonly calls: number
  readonly tokens: number
  readonly nanoUsd: number
}

/** A share of a limit that has been used up for the first time. */
export interface BudgetAlert {
  readonly scope: BudgetScope
  readonly thresholdPercent: 50 | 80 | 100
  readonly spent: number
  readonly limit: number
  readonly spentNanoUsd: number
  readonly limitNanoUsd: number
  readonly message: string
}

export interface BudgetService {
  /**
   * Sets `estimate` aside before a call. Waits while only other reservations stand in the way; fails when what is spent
   * already leaves no room. May be interrupted while it waits.
   */
  readonly reserve: (estimate: Spending) => Effect.Effect<void, BudgetExceeded>
  /** Gives the estimate back and counts what was really used; the thresholds crossed by it, lowest first, each once a run. */
  readonly settle: (estimate: Spending, actual: Spending) => Effect.Effect<ReadonlyArray<BudgetAlert>>
  /** What has been settled so far. */
  readonly spent: Effect.Effect<Spending>
}

/**
 * Keeps the calls of a run within limits: reserve before a call, settle after it. It records nothing and makes no call;
 * the alerts that `settle` returns are for the caller to raise.
 */
export class Budget extends Context.Tag("runledger/services/Budget")<Budget, BudgetService>() {}
