import * as Timestamp from "../domain/Timestamp.js"

/** A stretch of UTC time, counted from 1970, so that days begin at midnight. Its end is no part of it. */
export interface Period {
  /** `2026-01-31` for whole days, `2026-01-31T13:00Z` for shorter ones: its beginning. */
  readonly name: string
  readonly startMillis: number
  readonly endMillis: number
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const DAY = 24 * 60 * MINUTE
const YEAR = 366 * DAY

const nameOf = (startMillis: number, lengthMillis: number): string => {
  const start = Timestamp.fromMillis(startMillis)
  if (lengthMillis % DAY === 0) return start.slice(0, 10)
  return lengthMillis % MINUTE === 0 ? `${start.slice(0, 16)}Z` : `${start.slice(0, 19)}Z`
}

/** The period in which an instant lies; its length, in milliseconds, is taken as whole seconds between one and a year. */
export const at = (nowMillis: number, lengthMillis: number): Period => {
  const length = Math.min(YEAR, Math.max(SECOND, Math.round(lengthMillis / SECOND) * SECOND))
  const startMillis = Math.floor(nowMillis / length) * length
  return { name: nameOf(startMillis, length), startMillis, endMillis: startMillis + length }
}

/** False once a period is over, and for a wall clock that jumped back by more than its length: it was opened in error then. */
export const holds = ({ startMillis, endMillis }: Period, nowMillis: number): boolean =>
  nowMillis < endMillis && nowMillis >= 2 * startMillis - endMillis
