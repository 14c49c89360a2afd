import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as STM from "effect/STM"
import * as TRef from "effect/TRef"
import {
  Budget,
  type BudgetAlert,
  BudgetExceeded,
  type BudgetScope,
  type BudgetService,
  type Spending,
} from "../services/Budget.js"

/** Limits of one run; an absent one does not bind. `maxCostUsd` counts real money only. */
export interface Limits {
  readonly maxCostUsd?: number | undefined
  readonly maxCalls?: number | undefined
  readonly maxTokens?: number | undefined
}

interface Limit {
  readonly scope: BudgetScope
  readonly limit: number
  readonly of: (spending: Spending) => number
  readonly show: (amount: number) => string
  readonly key: string
}

interface State {
  readonly spent: Spending
  readonly reserved: Spending
  readonly raised: ReadonlySet<string>
}

const nothing: Spending = { calls: 0, tokens: 0, nanoUsd: 0 }
const THRESHOLDS = [50, 80, 100] as const

const add = (left: Spending, right: Spending): Spending => ({
  calls: left.calls + right.calls,
  tokens: left.tokens + right.tokens,
  nanoUsd: left.nanoUsd + right.nanoUsd,
})

const subtract = (left: Spending, right: Spending): Spending => ({
  calls: Math.max(0, left.calls - right.calls),
  tokens: Math.max(0, left.tokens - right.tokens),
  nanoUsd: Math.max(0, left.nanoUsd - right.nanoUsd),
})

const dollars = (nanoUsd: number): string => `$${(nanoUsd / 1e9).toFixed(4)}`

const limitsOf = (limits: Limits): ReadonlyArray<Limit> => {
  const all: ReadonlyArray<Omit<Limit, "limit"> & { readonly limit: number | undefined }> = [
    {
      scope: "cost",
      key: "budgets.max_cost_usd",
      limit: limits.maxCostUsd === undefined ? undefined : Math.round(limits.maxCostUsd * 1e9),
      of: (spending) => spending.nanoUsd,
      show: dollars,
    },
    {
      scope: "calls",
      key: "budgets.max_calls",
      limit: limits.maxCalls,
      of: (spending) => spending.calls,
      show: (amount) => `${amount} calls`,
    },
    {
      scope: "tokens",
      key: "budgets.max_tokens",
      limit: limits.maxTokens,
      of: (spending) => spending.tokens,
      show: (amount) => `${amount} tokens`,
    },
  ]
  return all.flatMap((each) => (each.limit === undefined ? [] : [{ ...each, limit: each.limit }]))
}

const exceeded = (limit: Limit, spent: Spending, estimate: Spending): BudgetExceeded =>
  new BudgetExceeded({
    scope: limit.scope,
    limit: limit.limit,
    spent: limit.of(spent),
    message:
      `The next call may use ${limit.show(limit.of(estimate))} and ${limit.show(limit.of(spent))} of ` +
      `${limit.show(limit.limit)} are spent. Raise ${limit.key} in the run config and resume the run.`,
  })

const alertsOf = (limits: ReadonlyArray<Limit>, state: State): ReadonlyArray<BudgetAlert> => {
  const cost = limits.find((limit) => limit.scope === "cost")
  return limits.flatMap((limit) =>
    THRESHOLDS.filter(
      (percent) =>
        limit.limit > 0 &&
        limit.of(state.spent) * 100 >= limit.limit * percent &&
        !state.raised.has(`${limit.scope}:${percent}`),
    ).map((percent) => ({
      scope: limit.scope,
      thresholdPercent: percent,
      spent: limit.of(state.spent),
      limit: limit.limit,
      spentNanoUsd: state.spent.nanoUsd,
      limitNanoUsd: cost?.limit ?? 0,
      message: `${percent} % of ${limit.key} is used: ${limit.show(limit.of(state.spent))} of ${limit.show(limit.limit)}.`,
    })),
  )
}

const reserve =
  (limits: ReadonlyArray<Limit>, state: TRef.TRef<State>): BudgetService["reserve"] =>
  (estimate) =>
    STM.commit(
      STM.gen(function* () {
        const now = yield* TRef.get(state)
        const withoutRoom = (used: Spending) =>
          limits.find((limit) => limit.of(estimate) > 0 && limit.of(used) + limit.of(estimate) > limit.limit)
        const hopeless = withoutRoom(now.spent)
        if (hopeless !== undefined) return yield* STM.fail(exceeded(hopeless, now.spent, estimate))
        if (withoutRoom(add(now.spent, now.reserved)) !== undefined) return yield* STM.retry
        yield* TRef.set(state, { ...now, reserved: add(now.reserved, estimate) })
      }),
    )

const settle =
  (limits: ReadonlyArray<Limit>, state: TRef.TRef<State>): BudgetService["settle"] =>
  (estimate, actual) =>
    STM.commit(
      TRef.modify(state, (now) => {
        const after = { ...now, spent: add(now.spent, actual), reserved: subtract(now.reserved, estimate) }
        const alerts = alertsOf(limits, after)
        const raised = new Set([...after.raised, ...alerts.map((each) => `${each.scope}:${each.thresholdPercent}`)])
        return [alerts, { ...after, raised }]
      }),
    )

const make = (limits: Limits) =>
  Effect.map(
    STM.commit(TRef.make<State>({ spent: nothing, reserved: nothing, raised: new Set() })),
    (state): BudgetService => {
      const binding = limitsOf(limits)
      return {
        reserve: reserve(binding, state),
        settle: settle(binding, state),
        spent: Effect.map(STM.commit(TRef.get(state)), (now) => now.spent),
      }
    },
  )

/**
 * Limits of one run. At the limit a reservation fails at once; when only calls in flight stand in the way it waits for
 * them. Nothing is kept after the run.
 */
export const layer = (limits: Limits): Layer.Layer<Budget> => Layer.effect(Budget, make(limits))
