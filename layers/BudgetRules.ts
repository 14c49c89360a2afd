import { type BudgetAlert, BudgetExceeded } from "../services/Budget.js"
import { amount, type Limit, type Measure } from "../src/domain/BudgetLimits.js"
import { type BudgetWindow, endOf, inWords } from "../src/domain/BudgetWindow.js"
import { add, type Spending, type Tally } from "../src/domain/Spending.js"

/** Whether a call may be made now, later (when calls in flight have ended), or not at all. */
export type Verdict =
  | { readonly _tag: "Granted" }
  | { readonly _tag: "Blocked"; readonly by: BudgetWindow }
  | { readonly _tag: "Refused"; readonly error: BudgetExceeded }

const dollars = (nanoUsd: number): string => `$${(nanoUsd / 1e9).toFixed(4)}`

const shown = (measure: Measure, much: number): string => (measure === "cost" ? dollars(much) : `${much} ${measure}`)

const next = ({ key, window }: Limit): string => {
  if (window.kind === "launch") return `Raise ${key} in the run config and resume the run.`
  const over = new Date(endOf(window.period)).toISOString().slice(0, 10)
  return `Raise ${key} in the run config, or go on after ${over} 00:00 UTC, and resume the run; "runledger budget" shows what was spent.`
}

const exceeded = (limit: Limit, spent: Spending, estimate: Spending): BudgetExceeded => {
  const { measure, most, window } = limit
  const of = window.kind === "launch" ? "" : `, the budget of ${inWords(window)},`
  return new BudgetExceeded({
    scope: measure,
    budget: window.kind,
    window: inWords(window),
    limit: most,
    spent: amount(measure, spent),
    message:
      `The next call may use ${shown(measure, amount(measure, estimate))} and ${shown(measure, amount(measure, spent))} of ` +
      `${shown(measure, most)}${of} are spent. ${next(limit)}`,
  })
}

/** A call that uses nothing of what a limit limits passes it, whatever is spent. */
export const verdict = (
  limits: ReadonlyArray<Limit>,
  tallyOf: (window: BudgetWindow) => Tally,
  estimate: Spending,
): Verdict => {
  const touched = limits.filter(({ measure }) => amount(measure, estimate) > 0)
  const hasNoRoom = ({ measure, most }: Limit, used: Spending) =>
    amount(measure, used) + amount(measure, estimate) > most
  for (const limit of touched) {
    const { spent } = tallyOf(limit.window)
    if (hasNoRoom(limit, spent)) return { _tag: "Refused", error: exceeded(limit, spent, estimate) }
  }
  for (const limit of touched) {
    const { reserved, spent } = tallyOf(limit.window)
    if (hasNoRoom(limit, add(spent, reserved))) return { _tag: "Blocked", by: limit.window }
  }
  return { _tag: "Granted" }
}

/** Shares of limits that are used up; which of them are new is for the caller to know. */
export interface Crossing {
  readonly limit: Limit
  readonly percent: number
}

const isCrossed = (used: number, most: number, percent: number): boolean => most > 0 && used * 100 >= most * percent

/** Every threshold that stands crossed, limit by limit, lowest first. */
export const crossings = (
  limits: ReadonlyArray<Limit>,
  thresholds: ReadonlyArray<number>,
  spentOf: (window: BudgetWindow) => Spending,
): ReadonlyArray<Crossing> =>
  limits.flatMap((limit) => {
    const used = amount(limit.measure, spentOf(limit.window))
    return thresholds.filter((percent) => isCrossed(used, limit.most, percent)).map((percent) => ({ limit, percent }))
  })

/** The alert of a crossing. `limits` are all limits of its window's kind: the alert tells of its money, too. */
export const alert = ({ limit, percent }: Crossing, limits: ReadonlyArray<Limit>, spent: Spending): BudgetAlert => {
  const { key, measure, most, window } = limit
  const money = limits.find((one) => one.measure === "cost" && one.window === window)
  const of = window.kind === "launch" ? "" : ` for ${inWords(window)}`
  return {
    scope: measure,
    budget: window.kind,
    window: inWords(window),
    thresholdPercent: percent,
    spent: amount(measure, spent),
    limit: most,
    spentNanoUsd: spent.nanoUsd,
    limitNanoUsd: money?.most ?? 0,
    message: `${percent} % of ${key}${of} is used: ${shown(measure, amount(measure, spent))} of ${shown(measure, most)}.`,
  }
}
