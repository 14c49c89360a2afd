import type { Forecast } from "./BudgetForecast.js"
import type { BudgetKind } from "./BudgetWindow.js"

/** One window of the ledger as it stands. Money is real money in nano-dollars. */
export interface BudgetRow {
  readonly kind: Exclude<BudgetKind, "launch">
  /** The worker or model; empty for a day or month. */
  readonly name: string
  /** `YYYY-MM-DD` of a day, else `YYYY-MM`; UTC. */
  readonly period: string
  /** As last configured; null when no launch ever had one. */
  readonly limitNanoUsd: number | null
  readonly spentNanoUsd: number
  /** Set aside for calls in flight, of living processes only. */
  readonly reservedNanoUsd: number
  readonly calls: number
  readonly tokens: number
  /** Calls of unknown price: no sum has their money. */
  readonly unpricedCalls: number
  /** Calls that were not made because of this limit. */
  readonly refusedCalls: number
  /** The thresholds that were raised for this window and limit, in percent. */
  readonly alerts: ReadonlyArray<number>
  /** Of day and month only. */
  readonly forecast: Forecast | null
}

/** What a runs folder's ledger of budgets says. */
export interface BudgetReport {
  readonly ledger: string
  readonly atMillis: number
  /** Since when it counts. */
  readonly sinceMillis: number
  readonly rows: ReadonlyArray<BudgetRow>
}

/** How much of the limit is spent, in percent with one decimal; null without a limit. */
export const percentOf = ({ limitNanoUsd, spentNanoUsd }: BudgetRow): number | null => {
  if (limitNanoUsd === null) return null
  return limitNanoUsd === 0 ? 100 : Math.round((spentNanoUsd / limitNanoUsd) * 1000) / 10
}
