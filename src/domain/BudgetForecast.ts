import { endOf, startOf } from "./BudgetWindow.js"

/** What is known of a day or month so far. Money in nano-dollars, instants in epoch ms. */
export interface SoFar {
  /** `YYYY-MM-DD` or `YYYY-MM`. */
  readonly period: string
  readonly spentNanoUsd: number
  readonly limitNanoUsd: number | null
  /** Since when anything is counted at all. */
  readonly sinceMillis: number
  readonly nowMillis: number
}

/** Where a window is heading. */
export type Forecast =
  | { readonly _tag: "TooEarly"; readonly neededMinutes: number; readonly knownMinutes: number }
  | {
      readonly _tag: "Forecast"
      /** Spent by the end of the window, when it goes on as so far. */
      readonly expectedNanoUsd: number
      /** When the limit will be reached; null without a limit, or when the window ends before. */
      readonly limitAtMillis: number | null
    }
  | { readonly _tag: "Reached"; readonly expectedNanoUsd: number }

const MINUTE = 60_000

/** How long must be known of a window before anything is said of its end. */
export const neededMinutes = (period: string): number => (period.length === 7 ? 24 * 60 : 30)

/**
 * What was spent, divided by the share of the window in which it was spent (from the window's beginning, or from when counting
 * began), carried on at the same rate to the window's end. Too early while less than half an hour of a day, or a day of a month, is known.
 */
export const of = ({ limitNanoUsd, nowMillis, period, sinceMillis, spentNanoUsd }: SoFar): Forecast => {
  const [start, end] = [startOf(period), endOf(period)]
  const known = Math.min(nowMillis, end) - Math.max(start, sinceMillis)
  const needed = neededMinutes(period)
  if (known < needed * MINUTE) {
    return { _tag: "TooEarly", neededMinutes: needed, knownMinutes: Math.max(0, Math.floor(known / MINUTE)) }
  }
  const rate = spentNanoUsd / known
  const expectedNanoUsd = Math.round(spentNanoUsd + rate * Math.max(0, end - nowMillis))
  if (limitNanoUsd !== null && spentNanoUsd >= limitNanoUsd) return { _tag: "Reached", expectedNanoUsd }
  const limitAt =
    limitNanoUsd === null || rate === 0 ? Number.POSITIVE_INFINITY : nowMillis + (limitNanoUsd - spentNanoUsd) / rate
  return { _tag: "Forecast", expectedNanoUsd, limitAtMillis: limitAt < end ? Math.round(limitAt) : null }
}
