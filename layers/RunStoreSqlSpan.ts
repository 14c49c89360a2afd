import { fromMillis, parseMillis } from "../src/domain/Timestamp.js"

/** Instants in milliseconds, the end excluded; without bounds where there are none. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** The parts of a span of time: whole days, whole hours, and what is finer than an hour. None is empty, none overlaps. */
export interface Parts {
  readonly days: ReadonlyArray<Range>
  readonly hours: ReadonlyArray<Range>
  readonly rest: ReadonlyArray<Range>
}

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** The first instant past the year 9999, which no stored one reaches. */
const NEVER = 253_402_300_800_000

const isThere = ({ from, to }: Range): boolean => from < Math.min(to, NEVER)

/** The whole units within a range, and what is left before and after them. */
const cut = (
  range: Range,
  unit: number,
): { readonly whole: ReadonlyArray<Range>; readonly left: ReadonlyArray<Range> } => {
  const from = Math.ceil(range.from / unit) * unit
  const to = Math.floor(range.to / unit) * unit
  if (from >= to) return { whole: [], left: [range].filter(isThere) }
  return {
    whole: [{ from, to }].filter(isThere),
    left: [
      { from: range.from, to: from },
      { from: to, to: range.to },
    ].filter(isThere),
  }
}

/** Cuts the time between two stored instants, both included, into {@link Parts}; with `hourly` without days. */
export const parts = (from: string | undefined, to: string | undefined, hourly: boolean): Parts => {
  const range: Range = {
    from: from === undefined ? Number.NEGATIVE_INFINITY : (parseMillis(from) ?? Number.NEGATIVE_INFINITY),
    to: to === undefined ? Number.POSITIVE_INFINITY : (parseMillis(to) ?? Number.POSITIVE_INFINITY) + 1,
  }
  const byHour = cut(range, HOUR)
  if (hourly) return { days: [], hours: byHour.whole, rest: byHour.left }
  const byDay = byHour.whole.map((whole) => cut(whole, DAY))
  return {
    days: byDay.flatMap(({ whole }) => whole),
    hours: byDay.flatMap(({ left }) => left),
    rest: byHour.left,
  }
}

/** A bound as it is stored, or nothing where there is none. */
export const bound = (millis: number): string | undefined =>
  Number.isFinite(millis) && millis < NEVER ? fromMillis(millis) : undefined
