import { describe, expect, it } from "vitest"
import * as BudgetLimits from "../../src/domain/BudgetLimits.js"

describe("the limits of a budget", () => {
  it("a limit that is no amount lets everything pass, or one without bound refuses", () => {
    const most = (maxCostUsd: number) => BudgetLimits.ofLaunch({ maxCostUsd }).map((limit) => limit.most)
    expect(most(Number.NaN)).toEqual([0])
    expect(most(-1)).toEqual([0])
    expect(most(Number.POSITIVE_INFINITY)).toEqual([])
    expect(most(1e300)).toEqual([Number.MAX_SAFE_INTEGER])
    expect(most(0.1 + 0.2)).toEqual([300_000_000])
    expect(BudgetLimits.ofLaunch({ maxCalls: 2.4 }).map((limit) => limit.most)).toEqual([2])
  })

  it("thresholds are raised out of order, twice, or are no whole percentages", () => {
    expect(BudgetLimits.thresholdsOf({})).toEqual([50, 80, 100])
    expect(BudgetLimits.thresholdsOf({ thresholds: [90, 12.5, 90, Number.NaN] })).toEqual([13, 90])
  })

  it("a call has to keep another limit than those of its day, month, worker and model", () => {
    const limits = {
      maxCostUsdPerDay: 1,
      maxCostUsdPerMonth: 2,
      perWorker: { A: 3, B: 4 },
      perModel: { m: 5, constructor: 6 },
    }
    const of = (worker: string | undefined, model: string) =>
      BudgetLimits.ofCalendar(limits, { worker, model }, 0).map(({ key, most }) => [key, most / 1e9])
    const both = [
      ["budgets.max_cost_usd_per_day", 1],
      ["budgets.max_cost_usd_per_month", 2],
    ]
    expect(of("A", "m")).toEqual([...both, ["budgets.per_worker.A", 3], ["budgets.per_model.m", 5]])
    expect(of(undefined, "n")).toEqual(both)
    expect(of("toString", "valueOf")).toEqual(both)
    expect(BudgetLimits.standing(limits)).toHaveLength(6)
  })
})
