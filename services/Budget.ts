import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type About, BudgetKind } from "../src/domain/BudgetWindow.js"
import type { Spending } from "../src/domain/Spending.js"

export type { About, BudgetKind, BudgetWindow } from "../src/domain/BudgetWindow.js"
export type { Spending } from "../src/domain/Spending.js"

/** What is limited: real money, calls, tokens, and time (which the launch itself watches). */
export const BudgetScope = Schema.Literal("cost", "calls", "tokens", "runtime")
export type BudgetScope = typeof BudgetScope.Type

/** A call was not made because it could break a limit. `message` says which and what to do. */
export class BudgetExceeded extends Schema.TaggedError<BudgetExceeded>()("BudgetExceeded", {
  scope: BudgetScope,
  /** Over what the limit holds; {@link window} says which day, month, worker or model. */
  budget: BudgetKind,
  window: Schema.String,
  /** Nano-dollars, calls, tokens or seconds, as `scope` says. */
  limit: Schema.NonNegative,
  spent: Schema.NonNegative,
  message: Schema.String,
}) {}

/** A share of a limit that has been used up for the first time. */
export interface BudgetAlert {
  readonly scope: BudgetScope
  readonly budget: BudgetKind
  /** Which day, month, worker or model, in words. */
  readonly window: string
  readonly thresholdPercent: number
  readonly spent: number
  readonly limit: number
  readonly spentNanoUsd: number
  readonly limitNanoUsd: number
  readonly message: string
}

/** What has been set aside for one call, to be given back by `settle`. */
export interface Reservation {
  readonly estimate: Spending
  readonly about: About
  /** Epoch ms: a call counts for the day on which it was set aside, however long it takes. */
  readonly atMillis: number
  /** The number under which others see it; null when nobody else does. */
  readonly number: number | null
}

export interface BudgetService {
  /**
   * Sets `estimate` aside before a call. Waits while only other reservations stand in the way; fails when what is spent
   * already leaves no room, or when its price is unknown and such calls are refused. Only the waiting can be interrupted: what was set aside is always returned.
   */
  readonly reserve: (estimate: Spending, about: About) => Effect.Effect<Reservation, BudgetExceeded>
  /**
   * Gives a reservation back, once, and counts what was really used; the thresholds crossed by it, lowest first, each once a
   * window and limit.
   */
  readonly settle: (reservation: Reservation, actual: Spending) => Effect.Effect<ReadonlyArray<BudgetAlert>>
  /** What has been settled so far by this launch or program. */
  readonly spent: Effect.Effect<Spending>
}

/**
 * Keeps calls within limits: reserve before a call, settle after it. It records nothing and makes no call; the alerts that
 * `settle` returns are for the caller to raise. Calls in flight can overshoot a limit only by what they use beyond their
 * estimates.
 */
export class Budget extends Context.Tag("runledger/services/Budget")<Budget, BudgetService>() {}
