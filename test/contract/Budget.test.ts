import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as BudgetPerRun from "../../layers/BudgetPerRun.js"
import * as BudgetUnlimited from "../../layers/BudgetUnlimited.js"
import { Budget, type Spending } from "../../services/Budget.js"

const spend = (nanoUsd: number, tokens = 10): Spending => ({ calls: 1, tokens, nanoUsd })

const layers = [
  ["BudgetPerRun", BudgetPerRun.layer({ maxCostUsd: 1, maxCalls: 100, maxTokens: 10_000 })],
  ["BudgetUnlimited", BudgetUnlimited.layer],
] as const

describe.each(layers)("Budget: %s", (_name, layer) => {
  it.effect("counts what was really used, not what was set aside", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      yield* budget.reserve(spend(500, 900))
      yield* budget.settle(spend(500, 900), spend(20, 30))
      yield* budget.reserve(spend(1))
      yield* budget.settle(spend(1), spend(0))
      expect(yield* budget.spent).toEqual({ calls: 2, tokens: 40, nanoUsd: 20 })
    }).pipe(Effect.provide(layer)),
  )

  it.effect("lets free calls pass, however dear their prompts would have been", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      for (let call = 0; call < 50; call += 1) {
        yield* budget.reserve(spend(0))
        expect(yield* budget.settle(spend(0), { calls: 0, tokens: 0, nanoUsd: 0 })).toEqual([])
      }
    }).pipe(Effect.provide(layer)),
  )
})

describe("BudgetPerRun", () => {
  it.effect("refuses a call that could break a limit, and says which and what to do", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      yield* budget.reserve(spend(6e8))
      yield* budget.settle(spend(6e8), spend(6e8))
      const refused = yield* Effect.either(budget.reserve(spend(5e8)))
      expect(Either.isLeft(refused) && refused.left).toMatchObject({
        _tag: "BudgetExceeded",
        scope: "cost",
        spent: 6e8,
        limit: 1e9,
      })
      expect(Either.isLeft(refused) && refused.left.message).toContain("budgets.max_cost_usd")
    }).pipe(Effect.provide(BudgetPerRun.layer({ maxCostUsd: 1 }))),
  )

  it.effect("a limit of no money refuses every call that may cost some", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      expect(Either.isLeft(yield* Effect.either(budget.reserve(spend(1))))).toBe(true)
      yield* budget.reserve(spend(0))
    }).pipe(Effect.provide(BudgetPerRun.layer({ maxCostUsd: 0 }))),
  )

  it.effect("waits while only calls in flight stand in the way, and can be interrupted there", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      yield* budget.reserve(spend(9e8))
      const waiting = yield* Effect.fork(budget.reserve(spend(5e8)))
      const given = yield* Effect.fork(budget.reserve(spend(5e8)))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(given)
      yield* budget.settle(spend(9e8), spend(1e8))
      yield* Fiber.join(waiting)
      expect((yield* budget.spent).nanoUsd).toBe(1e8)
    }).pipe(Effect.provide(BudgetPerRun.layer({ maxCostUsd: 1 }))),
  )

  it.effect("raises each threshold once, lowest first", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      const settle = (calls: number) =>
        budget.settle({ calls: 0, tokens: 0, nanoUsd: 0 }, { calls, tokens: 0, nanoUsd: 0 })
      const raised = (alerts: ReadonlyArray<{ readonly thresholdPercent: number }>) =>
        alerts.map((each) => each.thresholdPercent)
      expect(raised(yield* settle(4))).toEqual([])
      expect(raised(yield* settle(4))).toEqual([50, 80])
      expect(raised(yield* settle(1))).toEqual([])
      expect(raised(yield* settle(5))).toEqual([100])
      expect(raised(yield* settle(5))).toEqual([])
    }).pipe(Effect.provide(BudgetPerRun.layer({ maxCalls: 10 }))),
  )
})
