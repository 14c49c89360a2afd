import { type BudgetAlert, BudgetExceeded } from "../services/Budget.js"
import { amount, type Limit, type Measure } from "../src/domain/BudgetLimits.js"
import { type About, type BudgetWindow, endOf, inWords } from "../src/domain/BudgetWindow.js"
import * as PlainLine from "../src/domain/PlainLine.js"
import { add, type Spending, type Tally } from "../src/domain/Spending.js"

/** Whether a call may be made now, later (when calls in flight have ended), or not at all. */
export type Verdict =
  | { readonly _tag: "Granted" }
  | { readonly _tag: "Blocked"; readonly by: BudgetWindow }
  | { readonly _tag: "Refused"; readonly by: BudgetWindow; readonly error: BudgetExceeded }

const dollars = (nanoUsd: number): string => `$${(nanoUsd / 1e9).toFixed(4)}`

const tokens = (many: number): string => `${many} ${many === 1 ? "token" : "tokens"}`
const calls = (many: number): string => `${many} ${many === 1 ? "call" : "calls"}`

/** Some of a limit, such as `$0.0500 of $0.1000` or `3 of 10 calls`. */
const share = (measure: Measure, much: number, most: number): string => {
  switch (measure) {
    case "cost":
      return `${dollars(much)} of ${dollars(most)}`
    case "calls":
      return `${much} of ${calls(most)}`
    case "tokens":
      return `${much} of ${tokens(most)}`
  }
}

/** What waiting, raising or asking for less can mend. */
const next = ({ key, window }: Limit): string => {
  if (window.kind === "launch") return `Raise ${key} in the run config and resume the run.`
  const over = new Date(endOf(window.period)).toISOString().slice(0, 10)
  return `Raise ${key} in the run config, or go on after ${over} 00:00 UTC, and resume the run; "runledger budget" shows what was spent.`
}

const budgetOf = ({ window }: Limit): string => (window.kind === "launch" ? "" : `, the budget of ${inWords(window)}`)

/** Of a limit that not even the first call fits into, however little is spent. */
const never = (limit: Limit, estimate: Spending): string => {
  const { key, measure, most } = limit
  if (measure === "calls" || most === 0)
    return `${key} is 0: no call can be made. Raise it in the run config and resume the run.`
  const [may, all] =
    measure === "cost"
      ? [`cost up to ${dollars(estimate.nanoUsd)}`, dollars(most)]
      : [`use up to ${tokens(estimate.tokens)}`, tokens(most)]
  return (
    `The next call alone may ${may}, more than all of ${all}${budgetOf(limit)}: waiting does not help. Raise ${key} in the run ` +
    "config, or lower the longest answer (llm.page_max_tokens and llm.max_tokens there, maxTokens in a program), and resume the run."
  )
}

const noRoom = (limit: Limit, spent: Spending, estimate: Spending): string => {
  const { key, measure, most } = limit
  switch (measure) {
    case "cost":
      return `The next call may cost up to ${dollars(estimate.nanoUsd)}, and ${share(measure, spent.nanoUsd, most)} is spent${budgetOf(limit)}. ${next(limit)}`
    case "calls":
      return `${key} allows ${calls(most)}, and ${spent.calls} ${spent.calls === 1 ? "is" : "are"} made. ${next(limit)}`
    case "tokens":
      return `The next call may use up to ${tokens(estimate.tokens)}, and ${share(measure, spent.tokens, most)} are used. ${next(limit)}`
  }
}

/** Whether one call alone is more than a limit. */
const isBeyond = ({ measure, most }: Limit, estimate: Spending): boolean => amount(measure, estimate) > most

const exceeded = (limit: Limit, spent: Spending, estimate: Spending): BudgetExceeded =>
  new BudgetExceeded({
    scope: limit.measure,
    budget: limit.window.kind,
    window: inWords(limit.window),
    limit: limit.most,
    spent: amount(limit.measure, spent),
    message: isBeyond(limit, estimate) ? never(limit, estimate) : noRoom(limit, spent, estimate),
  })

/** A model's name, which anybody may have written, as a message can hold it. */
export const shownModel = (model: string): string => PlainLine.of(model).slice(0, 120)

const unseen = ({ key, measure, most, window }: Limit, spent: Spending, model: string): BudgetExceeded =>
  new BudgetExceeded({
    scope: measure,
    budget: window.kind,
    window: inWords(window),
    limit: most,
    spent: amount(measure, spent),
    message:
      `No price is known for ${shownModel(model)}, so ${key} would not see the next call, and budgets.unpriced says to refuse it. ` +
      "Give the price in the file that RUNLEDGER_PRICES names, or set budgets.unpriced to allow.",
  })

/**
 * A call that uses nothing of what a limit limits passes it, whatever is spent; so does one of unknown price pass a limit in USD,
 * unless that is to refuse it.
 */
export const verdict = (
  limits: ReadonlyArray<Limit>,
  tallyOf: (window: BudgetWindow) => Tally,
  estimate: Spending,
  { model }: About,
): Verdict => {
  const blind = (estimate.unpricedCalls ?? 0) > 0 ? limits.find((limit) => limit.refusesUnpriced === true) : undefined
  if (blind !== undefined) {
    return { _tag: "Refused", by: blind.window, error: unseen(blind, tallyOf(blind.window).spent, model) }
  }
  const touched = limits.filter(({ measure }) => amount(measure, estimate) > 0)
  const hasNoRoom = ({ measure, most }: Limit, used: Spending) =>
    amount(measure, used) + amount(measure, estimate) > most
  // What no waiting mends is said first.
  for (const limit of touched.toSorted((one, other) => +isBeyond(other, estimate) - +isBeyond(one, estimate))) {
    const { spent } = tallyOf(limit.window)
    if (hasNoRoom(limit, spent)) {
      return { _tag: "Refused", by: limit.window, error: exceeded(limit, spent, estimate) }
    }
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
    message: `${percent} % of ${key}${of} is used: ${share(measure, amount(measure, spent), most)}.`,
  }
}
