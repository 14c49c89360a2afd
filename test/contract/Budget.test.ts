import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as BudgetLedger from "../../layers/BudgetLedger.js"
import * as BudgetPerRun from "../../layers/BudgetPerRun.js"
import * as BudgetUnlimited from "../../layers/BudgetUnlimited.js"
import { Budget, type Spending } from "../../services/Budget.js"
import type { BudgetLimits } from "../../src/domain/BudgetLimits.js"
import * as WarningLog from "../support/WarningLog.js"

const spend = (nanoUsd: number, tokens = 10): Spending => ({ calls: 1, tokens, nanoUsd })
const free: Spending = { calls: 1, tokens: 10, nanoUsd: 0, isFree: true }
const about = { worker: "W2.FactsBuilder", model: "claude-sonnet-4-5" }

/** A ledger that is given up on is a warning, and no ledger any more. */
const withoutWarnings = (layer: Layer.Layer<Budget>) =>
  Layer.unwrapEffect(
    Effect.sync(() => {
      const log = WarningLog.make()
      const check = Effect.addFinalizer(() => Effect.sync(() => expect(log.warnings()).toEqual([])))
      return Layer.mergeAll(layer, log.layer, Layer.scopedDiscard(check))
    }),
  )

const inLedger = (limits: BudgetLimits) =>
  Layer.unwrapScoped(
    Effect.map(
      Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()),
      (runsDir) => BudgetLedger.layer({ runsDir, ...limits }),
    ),
  ).pipe(Layer.provide(NodeFileSystem.layer), Layer.orDie, withoutWarnings)

const limited = [
  ["BudgetPerRun", BudgetPerRun.layer],
  ["BudgetLedger", inLedger],
] as const

const generous: BudgetLimits = { maxCostUsd: 1, maxCalls: 100, maxTokens: 10_000, maxCostUsdPerDay: 2 }

const layers = [
  ["BudgetPerRun", BudgetPerRun.layer(generous)],
  ["BudgetLedger", inLedger(generous)],
  ["BudgetLedger without limits", inLedger({})],
  ["BudgetUnlimited", BudgetUnlimited.layer],
] as const

/** Reserves and settles at once. */
const buy = (spending: Spending, whom: { worker?: string; model: string } = about) =>
  Effect.gen(function* () {
    const budget = yield* Budget
    return yield* budget.settle(yield* budget.reserve(spending, whom), spending)
  })

const refusal = (spending: Spending, whom: { worker?: string; model: string } = about) =>
  Effect.gen(function* () {
    const refused = yield* Effect.either(Effect.flatMap(Budget, (budget) => budget.reserve(spending, whom)))
    return Either.isLeft(refused) ? refused.left : undefined
  })

const percents = (alerts: ReadonlyArray<{ readonly thresholdPercent: number }>) =>
  alerts.map((each) => each.thresholdPercent)

describe.each(layers)("Budget: %s", (_name, layer) => {
  it.effect("counts what was really used, not what was set aside", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      const first = yield* budget.reserve(spend(500, 900), about)
      yield* budget.settle(first, spend(20, 30))
      const second = yield* budget.reserve(spend(1), about)
      yield* budget.settle(second, spend(0))
      expect(yield* budget.spent).toMatchObject({ calls: 2, tokens: 40, nanoUsd: 20 })
    }).pipe(Effect.provide(layer)),
  )

  it.effect("lets free calls pass, however dear their prompts would have been", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      for (let call = 0; call < 40; call += 1) {
        const reservation = yield* budget.reserve(free, about)
        expect(yield* budget.settle(reservation, free)).toEqual([])
      }
      expect(yield* budget.spent).toMatchObject({ calls: 40, nanoUsd: 0 })
    }).pipe(Effect.provide(layer)),
  )
})

describe.each(limited)("Budget with limits: %s", (_name, layer) => {
  it.effect("refuses a call that could break a limit, and says which and what to do", () =>
    Effect.gen(function* () {
      yield* buy(spend(6e8))
      const error = yield* refusal(spend(5e8))
      expect(error).toMatchObject({
        _tag: "BudgetExceeded",
        scope: "cost",
        budget: "launch",
        spent: 6e8,
        limit: 1e9,
      })
      expect(error?.message).toContain("budgets.max_cost_usd")
    }).pipe(Effect.provide(layer({ maxCostUsd: 1 }))),
  )

  it.effect.each([
    ["day", { maxCostUsdPerDay: 1 }, "budgets.max_cost_usd_per_day", "1970-01-01"],
    ["month", { maxCostUsdPerMonth: 1 }, "budgets.max_cost_usd_per_month", "1970-01"],
    ["worker", { perWorker: { "W2.FactsBuilder": 1 } }, "budgets.per_worker.W2.FactsBuilder", "W2.FactsBuilder"],
    ["model", { perModel: { "claude-sonnet-4-5": 1 } }, "budgets.per_model.claude-sonnet-4-5", "claude-sonnet-4-5"],
  ] as const)(
    "the %s's limit holds, and its refusal names it, its window and what to do",
    ([budget, limits, key, window]) =>
      Effect.gen(function* () {
        expect(percents(yield* buy(spend(6e8)))).toEqual([50])
        const error = yield* refusal(spend(5e8))
        expect(error).toMatchObject({ _tag: "BudgetExceeded", scope: "cost", budget, spent: 6e8, limit: 1e9 })
        expect(error?.window).toContain(window)
        expect(error?.message).toContain(key)
        expect(error?.message).toContain("go on after 1970-0")
        const alone = yield* refusal(spend(2e9))
        expect(alone?.message).toMatch(
          /alone may cost up to \$2\.0000, more than all of \$1\.0000.*waiting does not help/,
        )
        expect(alone?.message).toContain(`Raise ${key} in the run config, or lower the longest answer`)
        expect(alone?.message).not.toContain("go on after")
        expect(percents(yield* buy(spend(4e8)))).toEqual([80, 100])
      }).pipe(Effect.provide(layer(limits))),
  )

  it.effect("a limit of calls or tokens is refused in words that nobody says", () =>
    Effect.gen(function* () {
      yield* buy(spend(1, 60))
      expect((yield* refusal(spend(1, 60)))?.message).toBe(
        "The next call may use up to 60 tokens, and 60 of 100 tokens are used. Raise budgets.max_tokens in the run config and resume the run.",
      )
      const alerts = yield* buy(spend(1, 40))
      expect(alerts.map(({ message }) => message)).toContain("100 % of budgets.max_calls is used: 2 of 2 calls.")
      expect((yield* refusal(spend(1, 0)))?.message).toBe(
        "budgets.max_calls allows 2 calls, and 2 are made. Raise budgets.max_calls in the run config and resume the run.",
      )
    }).pipe(Effect.provide(layer({ maxCalls: 2, maxTokens: 100 }))),
  )

  it.effect("another worker and another model have their own budgets", () =>
    Effect.gen(function* () {
      yield* buy(spend(1e9))
      expect(yield* refusal(spend(1))).toMatchObject({ budget: "worker" })
      expect(yield* refusal(spend(1), { model: about.model })).toMatchObject({ budget: "model" })
      yield* buy(spend(5e9), { worker: "W5.SectionWriter", model: "claude-haiku-4-5" })
    }).pipe(Effect.provide(layer({ perWorker: { "W2.FactsBuilder": 1 }, perModel: { "claude-sonnet-4-5": 1 } }))),
  )

  it.effect("a new day and a new month begin at nothing, and a call counts in the day in which it was set aside", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      yield* TestClock.adjust(Duration.hours(24 * 30 + 23))
      yield* buy(spend(6e8))
      const long = yield* budget.reserve(spend(4e8), about)
      yield* TestClock.adjust("1 hours")
      yield* buy(spend(10e8))
      expect(percents(yield* budget.settle(long, spend(4e8)))).toEqual([80, 100, 50])
      expect(yield* refusal(spend(1))).toMatchObject({ budget: "day", window: "the day 1970-02-01 (UTC)", spent: 10e8 })
      yield* TestClock.adjust("24 hours")
      yield* buy(spend(9e8))
      expect(yield* refusal(spend(1e8))).toMatchObject({
        budget: "month",
        window: "the month 1970-02 (UTC)",
        spent: 19e8,
      })
    }).pipe(Effect.provide(layer({ maxCostUsdPerDay: 1, maxCostUsdPerMonth: 1.95 }))),
  )

  it.effect("a limit of no money refuses every call that may cost some, and no free one", () =>
    Effect.gen(function* () {
      expect(yield* refusal(spend(1))).toMatchObject({ scope: "cost", limit: 0 })
      yield* buy(spend(0))
      yield* buy(free)
    }).pipe(Effect.provide(layer({ maxCostUsd: 0, maxCostUsdPerDay: 0 }))),
  )

  it.effect.each([
    ["launch", { maxCostUsd: 1 }],
    ["month", { maxCostUsdPerMonth: 1 }],
  ] as const)(
    "%s: a call of unknown price slips under a limit that is to refuse it, or one without a limit in USD is refused",
    ([budget, limits]) => {
      const unpriced = { ...spend(0), unpricedCalls: 1 }
      const refusing = { unpriced: "refuse" } as const
      return Effect.gen(function* () {
        const error = yield* Effect.provide(refusal(unpriced), layer({ ...limits, ...refusing }))
        expect(error).toMatchObject({ _tag: "BudgetExceeded", scope: "cost", budget, spent: 0, limit: 1e9 })
        expect(error?.message).toMatch(/claude-sonnet-4-5.*budgets\.max_cost.*RUNLEDGER_PRICES.*budgets\.unpriced/)
        yield* Effect.provide(buy(spend(5e8)), layer({ ...limits, ...refusing }))
        yield* Effect.provide(buy(unpriced), layer({ maxCalls: 1, ...refusing }))
      })
    },
  )

  it.effect("simulated and replayed calls are counted in a day's or model's budget", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      // Asked of a provider as it seemed, and answered from evidence.
      const reservation = yield* budget.reserve(spend(9e8), about)
      expect(yield* budget.settle(reservation, { ...free, nanoUsd: 0 })).toEqual([])
      yield* buy(spend(9e8))
    }).pipe(Effect.provide(layer({ maxCostUsdPerDay: 1 }))),
  )

  it.effect.each([
    ["launch", { maxCostUsd: 1 }],
    ["day", { maxCostUsdPerDay: 1 }],
  ] as const)("%s: waits while only calls in flight stand in the way, and can be interrupted there", ([, limits]) =>
    Effect.gen(function* () {
      const budget = yield* Budget
      const first = yield* budget.reserve(spend(9e8), about)
      const waiting = yield* Effect.fork(budget.reserve(spend(5e8), about))
      const given = yield* Effect.fork(budget.reserve(spend(5e8), about))
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(given)
      yield* budget.settle(first, spend(1e8))
      yield* Fiber.join(waiting)
      expect((yield* budget.spent).nanoUsd).toBe(1e8)
    }).pipe(Effect.provide(layer(limits))),
  )

  it.effect("a call that waits is refused as soon as what is spent leaves it no room", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      const first = yield* budget.reserve(spend(9e8), about)
      const waiting = yield* Effect.fork(Effect.either(budget.reserve(spend(5e8), about)))
      yield* Effect.yieldNow()
      yield* budget.settle(first, spend(9e8))
      expect(Either.isLeft(yield* Fiber.join(waiting))).toBe(true)
    }).pipe(Effect.provide(layer({ maxCostUsdPerDay: 1 }))),
  )

  it.effect("raises each threshold once, lowest first, and those that were asked for", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      const settle = (calls: number) =>
        Effect.flatMap(budget.reserve({ calls: 0, tokens: 0, nanoUsd: 0 }, about), (reservation) =>
          Effect.map(budget.settle(reservation, { calls, tokens: 0, nanoUsd: 0 }), percents),
        )
      expect(yield* settle(4)).toEqual([])
      expect(yield* settle(4)).toEqual([25, 50, 75].slice(1))
      expect(yield* settle(1)).toEqual([90])
      expect(yield* settle(5)).toEqual([])
    }).pipe(Effect.provide(layer({ maxCalls: 10, thresholds: [90, 50, 75, 50] }))),
  )

  it.effect(
    "64 calls at once against a budget of 10 overshoot it by more than what they use beyond their estimates",
    () =>
      Effect.gen(function* () {
        const budget = yield* Budget
        let inFlight = 0
        let most = 0
        const call = (index: number) =>
          Effect.acquireUseRelease(
            budget.reserve(spend(1e8), about),
            () =>
              Effect.gen(function* () {
                inFlight += 1
                most = Math.max(most, inFlight)
                for (let turn = 0; turn < index % 7; turn += 1) yield* Effect.yieldNow()
                inFlight -= 1
              }),
            (reservation) => budget.settle(reservation, spend(1e8)),
          )
        const ended = yield* Effect.forEach(
          Array.from({ length: 64 }, (_, index) => index),
          (index) => Effect.either(call(index)),
          {
            concurrency: "unbounded",
          },
        )
        expect(ended.filter(Either.isRight)).toHaveLength(10)
        expect((yield* budget.spent).nanoUsd).toBe(1e9)
        expect(most).toBeLessThanOrEqual(10)
      }).pipe(Effect.provide(layer({ maxCostUsd: 1, maxCostUsdPerDay: 1 }))),
  )
})
