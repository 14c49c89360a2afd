import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Price } from "./Cost.js"

const SECONDS_A_DAY = 86_400

/** Hours of the day in which a price holds, UTC seconds after midnight, `from` included; over midnight when `to` < `from`. */
export interface DailyWindow {
  readonly from: number
  readonly to: number
}

/** A price and when it holds. No start: since ever. */
export interface DatedPrice {
  readonly startMillis: number | null
  readonly window: DailyWindow | null
  readonly price: Price
  /** Where the rates were read, and on which day (`YYYY-MM-DD`); absent where nobody wrote it down. */
  readonly source?: string | undefined
  readonly readOn?: string | undefined
}

/** One model of one provider. Of its prices the last one that holds at an instant counts. */
export interface PricedModel {
  readonly provider: string
  readonly id: string
  /** Other whole names of the same model. */
  readonly aliases: ReadonlyArray<string>
  readonly prices: ReadonlyArray<DatedPrice>
}

/** Who states a price: the user's file, the dated overlay of this program, or the kept data set. */
export type PriceOrigin = "user" | "overlay" | "genai-prices"

/** One price of one model, for people: a row of the table with its provenance. */
export interface ListedPrice extends DatedPrice {
  readonly origin: PriceOrigin
  readonly provider: string
  readonly model: string
  readonly aliases: ReadonlyArray<string>
}

/** Models as rows, one a price. */
export const listed = (origin: PriceOrigin, models: ReadonlyArray<PricedModel>): ReadonlyArray<ListedPrice> =>
  models.flatMap(({ aliases, id, prices, provider }) =>
    prices.map((dated) => ({ ...dated, origin, provider, model: id, aliases })),
  )

/** Prices by provider and name. */
export type PriceTable = ReadonlyMap<string, ReadonlyArray<DatedPrice>>

/** A calendar day, `YYYY-MM-DD`, that exists. */
export const CalendarDay = Schema.String.pipe(
  Schema.pattern(/^\d{4}-\d{2}-\d{2}$/),
  Schema.filter((day) => !Number.isNaN(startOfDay(day)) || `${day} is not a day of the calendar`),
)

/** The first instant of a day in UTC, epoch ms; NaN when there is no such day. */
export const startOfDay = (day: string): number => {
  const millis = Date.parse(`${day}T00:00:00Z`)
  return Number.isNaN(millis) || new Date(millis).toISOString().slice(0, 10) !== day ? Number.NaN : millis
}

const key = (provider: string, name: string): string => `${provider}\u0000${name}`

/**
 * Compiles models into a table. Ids go before aliases; an alias that two models claim belongs to neither; among the same ids
 * the first wins.
 */
export const make = (models: ReadonlyArray<PricedModel>): PriceTable => {
  const table = new Map<string, ReadonlyArray<DatedPrice>>()
  for (const model of models) {
    const name = key(model.provider, model.id)
    if (!table.has(name)) table.set(name, model.prices)
  }
  const claims = new Map<string, ReadonlyArray<PricedModel>>()
  for (const model of models) {
    for (const alias of new Set(model.aliases)) {
      const name = key(model.provider, alias)
      if (!table.has(name)) claims.set(name, [...(claims.get(name) ?? []), model])
    }
  }
  for (const [name, [claimant, ...others]] of claims) {
    if (claimant !== undefined && others.every((other) => other.id === claimant.id)) table.set(name, claimant.prices)
  }
  return table
}

/**
 * The next instant after `atMillis` at which {@link find} may give another answer for these names; `Infinity` when none will
 * come, and `atMillis` itself when it depends on the hour of the day.
 */
export const settledUntil = (table: PriceTable, provider: string, name: string, atMillis: number): number => {
  const prices = table.get(key(provider, name)) ?? table.get(key(provider, withoutDate(name))) ?? []
  return prices.reduce((until, { startMillis, window }) => {
    if (window !== null) return atMillis
    return startMillis !== null && startMillis > atMillis ? Math.min(until, startMillis) : until
  }, Number.POSITIVE_INFINITY)
}

const holds = (dated: DatedPrice, atMillis: number): boolean => {
  if (dated.startMillis !== null && atMillis < dated.startMillis) return false
  if (dated.window === null) return true
  const second = (((atMillis / 1000) % SECONDS_A_DAY) + SECONDS_A_DAY) % SECONDS_A_DAY
  const { from, to } = dated.window
  return to < from ? second >= from || second < to : second >= from && second < to
}

const DATE_SUFFIX = /[-@](\d{8}|\d{4}-\d{2}-\d{2})$/

/** A name without its date suffix (`-20250929`, `@20250929`, `-2025-09-29`); itself when it has none. */
export const withoutDate = (name: string): string => name.replace(DATE_SUFFIX, "")

/**
 * The price of a model at an instant (epoch ms): by the exact id or alias, else by the name without its date suffix, never
 * by a common beginning. None when no such model is known or none of its prices holds yet.
 */
export const find = (table: PriceTable, provider: string, name: string, atMillis: number): Option.Option<Price> => {
  const prices = table.get(key(provider, name)) ?? table.get(key(provider, withoutDate(name)))
  if (prices === undefined) return Option.none()
  for (let index = prices.length - 1; index >= 0; index--) {
    const dated = prices[index]
    if (dated !== undefined && holds(dated, atMillis)) return Option.some(dated.price)
  }
  return Option.none()
}
