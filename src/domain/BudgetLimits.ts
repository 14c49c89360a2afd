import { type About, type BudgetWindow, calendar, dayOf, launch, monthOf } from "./BudgetWindow.js"
import type { Budgets } from "./RunConfig.js"
import type { Spending } from "./Spending.js"

/** What calls are kept within; an absent limit does not bind. Money is real money in USD. */
export interface BudgetLimits {
  /** Of one launch, or of one program: until the layer's scope closes. */
  readonly maxCostUsd?: number | undefined
  readonly maxCalls?: number | undefined
  readonly maxTokens?: number | undefined
  /** Of a UTC day and a UTC month. */
  readonly maxCostUsdPerDay?: number | undefined
  readonly maxCostUsdPerMonth?: number | undefined
  /** Of a worker or a model, by its name, in a UTC month. */
  readonly perWorker?: Readonly<Record<string, number>> | undefined
  readonly perModel?: Readonly<Record<string, number>> | undefined
  /** Percentages of a limit at which an alert is raised; 50, 80 and 100 when absent. */
  readonly thresholds?: ReadonlyArray<number> | undefined
  /** What becomes of calls of unknown price, which no limit in USD sees: made with a warning (when absent), or refused. */
  readonly unpriced?: "allow" | "refuse" | undefined
}

/** What of a window is limited. */
export type Measure = "cost" | "calls" | "tokens"

/** One limit of one window. */
export interface Limit {
  readonly window: BudgetWindow
  readonly measure: Measure
  /** Nano-dollars, calls or tokens. */
  readonly most: number
  /** The run config's name for it. */
  readonly key: string
  /** Whether a call is refused whose price is unknown. */
  readonly refusesUnpriced?: true
}

const DEFAULT_THRESHOLDS: ReadonlyArray<number> = [50, 80, 100]

/** The percentages at which alerts are raised: whole ones, lowest first, each once. */
export const thresholdsOf = ({ thresholds = DEFAULT_THRESHOLDS }: BudgetLimits): ReadonlyArray<number> =>
  [...new Set(thresholds.filter(Number.isFinite).map(Math.round))].sort((left, right) => left - right)

/** How much of it there is. */
export const amount = (measure: Measure, { calls, nanoUsd, tokens }: Spending): number =>
  measure === "cost" ? nanoUsd : measure === "calls" ? calls : tokens

/** A whole number that all sums can be compared with; what is no amount at all allows nothing. */
const whole = (amount: number): number => Math.max(0, Math.min(Number.MAX_SAFE_INTEGER, Math.round(amount) || 0))

const nano = (usd: number): number => whole(usd * 1e9)

const isSet = (most: number | undefined): most is number => most !== undefined && most !== Number.POSITIVE_INFINITY

const limit = (window: BudgetWindow, measure: Measure, key: string, most: number | undefined): ReadonlyArray<Limit> =>
  isSet(most) ? [{ window, measure, key, most: whole(most) }] : []

const ofMoney = (
  { unpriced }: BudgetLimits,
  window: BudgetWindow,
  key: string,
  usd: number | undefined,
): ReadonlyArray<Limit> =>
  isSet(usd)
    ? [{ window, measure: "cost", key, most: nano(usd), ...(unpriced === "refuse" ? { refusesUnpriced: true } : {}) }]
    : []

/** The limits of the launch itself. */
export const ofLaunch = (limits: BudgetLimits): ReadonlyArray<Limit> => [
  ...ofMoney(limits, launch, "budgets.max_cost_usd", limits.maxCostUsd),
  ...limit(launch, "calls", "budgets.max_calls", limits.maxCalls),
  ...limit(launch, "tokens", "budgets.max_tokens", limits.maxTokens),
]

const own = (limits: Readonly<Record<string, number>> | undefined, name: string): number | undefined =>
  limits !== undefined && Object.hasOwn(limits, name) ? limits[name] : undefined

/** The limit of a window of the calendar, when it has one. */
export const ofWindow = (limits: BudgetLimits, window: BudgetWindow): ReadonlyArray<Limit> => {
  switch (window.kind) {
    case "launch":
      return []
    case "day":
      return ofMoney(limits, window, "budgets.max_cost_usd_per_day", limits.maxCostUsdPerDay)
    case "month":
      return ofMoney(limits, window, "budgets.max_cost_usd_per_month", limits.maxCostUsdPerMonth)
    case "worker":
      return ofMoney(limits, window, `budgets.per_worker.${window.name}`, own(limits.perWorker, window.name))
    case "model":
      return ofMoney(limits, window, `budgets.per_model.${window.name}`, own(limits.perModel, window.name))
  }
}

/** The limits of day, month, worker and model that a call at an instant (epoch ms) has to keep. */
export const ofCalendar = (limits: BudgetLimits, about: About, millis: number): ReadonlyArray<Limit> =>
  calendar(about, millis).flatMap((window) => ofWindow(limits, window))

/** A limit that holds from day to day, apart from any one of them. */
export interface StandingLimit {
  readonly kind: "day" | "month" | "worker" | "model"
  readonly name: string
  readonly nanoUsd: number
}

/** All limits that outlast a launch. */
export const standing = (limits: BudgetLimits): ReadonlyArray<StandingLimit> =>
  [
    { kind: "day" as const, name: "", usd: limits.maxCostUsdPerDay },
    { kind: "month" as const, name: "", usd: limits.maxCostUsdPerMonth },
    ...Object.entries(limits.perWorker ?? {}).map(([name, usd]) => ({ kind: "worker" as const, name, usd })),
    ...Object.entries(limits.perModel ?? {}).map(([name, usd]) => ({ kind: "model" as const, name, usd })),
  ].flatMap(({ usd, ...limit }) => (isSet(usd) ? [{ ...limit, nanoUsd: nano(usd) }] : []))

/** The windows of an instant (epoch ms) in which those limits bind. */
export const windowsAt = (limits: BudgetLimits, millis: number): ReadonlyArray<BudgetWindow> =>
  standing(limits).map(({ kind, name }) => ({ kind, name, period: kind === "day" ? dayOf(millis) : monthOf(millis) }))

const given = (limits: Readonly<Record<string, number | undefined>> | undefined): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(limits ?? {}).flatMap(([name, usd]) => (usd === undefined ? [] : [[name, usd] as const])),
  )

/** What a run config says of budgets. */
export const ofConfig = (budgets: Budgets): BudgetLimits => ({
  maxCostUsd: budgets.max_cost_usd,
  maxCalls: budgets.max_calls,
  maxTokens: budgets.max_tokens,
  maxCostUsdPerDay: budgets.max_cost_usd_per_day,
  maxCostUsdPerMonth: budgets.max_cost_usd_per_month,
  perWorker: given(budgets.per_worker),
  perModel: given(budgets.per_model),
  thresholds: budgets.thresholds,
  unpriced: budgets.unpriced,
})
