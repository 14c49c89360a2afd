import * as Schema from "effect/Schema"
import type { Price, Rates } from "./Cost.js"
import { CalendarDay, type PricedModel, startOfDay } from "./PriceTable.js"

/** USD per million tokens with at most six decimals, so that a token costs whole pico-dollars. */
export const UsdPerMillion = Schema.NonNegative.pipe(
  Schema.finite(),
  Schema.filter(
    (usd) =>
      Math.abs(usd * 1e6 - Math.round(usd * 1e6)) < 1e-3 || "a rate has at most six decimals (USD per million tokens)",
  ),
)

const rateFields = {
  input: UsdPerMillion,
  output: UsdPerMillion,
  /** Absent: the input rate, as if nothing were cached. Multipliers differ between models, so none is assumed. */
  cache_read: Schema.optional(UsdPerMillion),
  cache_write_5m: Schema.optional(UsdPerMillion),
  cache_write_1h: Schema.optional(UsdPerMillion),
}

/** Rates that hold for a whole call once its prompt has more tokens than `above_prompt_tokens`. */
export const PriceTier = Schema.Struct({ above_prompt_tokens: Schema.NonNegativeInt, ...rateFields })

/** One model's rates from a day on, in USD per million tokens. */
export const PriceRow = Schema.Struct({
  model: Schema.NonEmptyString,
  provider: Schema.optionalWith(Schema.NonEmptyString, { default: () => "anthropic" }),
  aliases: Schema.optionalWith(Schema.Array(Schema.NonEmptyString), { default: () => [] }),
  /** First day (UTC) on which the rates hold; absent: since ever. */
  effective_from: Schema.optional(CalendarDay),
  ...rateFields,
  tiers: Schema.optionalWith(Schema.Array(PriceTier), { default: () => [] }),
  /** Where the rates were read, and when; for people. */
  source: Schema.optional(Schema.String),
  read_on: Schema.optional(CalendarDay),
})
export type PriceRow = typeof PriceRow.Type

/** A file of prices. */
export const PriceFile = Schema.Struct({ prices: Schema.Array(PriceRow) })

/** USD per million tokens as integer pico-dollars a token. */
export const picoPerToken = (usdPerMillion: number): number => Math.round(usdPerMillion * 1e6)

interface UsdRates {
  readonly input: number
  readonly output: number
  readonly cache_read?: number | undefined
  readonly cache_write_5m?: number | undefined
  readonly cache_write_1h?: number | undefined
}

/** Rates in pico-dollars a token; a class without a rate of its own is charged as plain input. */
export const rates = (usd: UsdRates): Rates => ({
  uncachedInput: picoPerToken(usd.input),
  cacheRead: picoPerToken(usd.cache_read ?? usd.input),
  cacheWrite5m: picoPerToken(usd.cache_write_5m ?? usd.input),
  cacheWrite1h: picoPerToken(usd.cache_write_1h ?? usd.input),
  output: picoPerToken(usd.output),
})

/** `<origin>:<provider>/<model>`, with `@<day>` when the price starts on one. */
export const priceId = (origin: string, provider: string, model: string, effectiveFrom: string | null): string =>
  `${origin}:${provider}/${model}${effectiveFrom === null ? "" : `@${effectiveFrom}`}`

const toPrice = (origin: string, row: PriceRow): Price => {
  const effectiveFrom = row.effective_from ?? null
  return {
    priceId: priceId(origin, row.provider, row.model, effectiveFrom),
    effectiveFrom,
    rates: rates(row),
    tiers: row.tiers.map((tier) => ({ abovePromptTokens: tier.above_prompt_tokens, rates: rates(tier) })),
  }
}

const startOf = (row: PriceRow): number =>
  row.effective_from === undefined ? Number.NEGATIVE_INFINITY : startOfDay(row.effective_from)

/** Rows as priced models: rows of one model become its dated prices in the order of their days. */
export const models = (origin: string, rows: ReadonlyArray<PriceRow>): ReadonlyArray<PricedModel> => {
  const byModel = new Map<string, Array<PriceRow>>()
  for (const row of rows) {
    const name = `${row.provider}/${row.model}`
    byModel.set(name, [...(byModel.get(name) ?? []), row])
  }
  return [...byModel.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    return {
      provider: first.provider,
      id: first.model,
      aliases: group.flatMap((row) => row.aliases),
      prices: [...group]
        .sort((left, right) => (startOf(left) < startOf(right) ? -1 : startOf(left) > startOf(right) ? 1 : 0))
        .map((row) => ({
          startMillis: row.effective_from === undefined ? null : startOfDay(row.effective_from),
          window: null,
          price: toPrice(origin, row),
        })),
    }
  })
}
