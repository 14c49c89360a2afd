import type {
  ConditionalPrice,
  MatchLogic,
  ModelInfo,
  ModelPrice,
  Provider,
  TieredPrices,
} from "@pydantic/genai-prices"
import * as Effect from "effect/Effect"
import type { Price, Tier } from "../src/domain/Cost.js"
import { priceId, rates } from "../src/domain/PriceRow.js"
import { type DailyWindow, type DatedPrice, type PricedModel, startOfDay } from "../src/domain/PriceTable.js"

/** The data set and the version of it that these rates come from. */
export const ORIGIN = "genai-prices-0.1.8"

/** The providers whose rates are taken. */
const PROVIDERS = [
  "anthropic",
  "openai",
  "google",
  "azure",
  "aws",
  "mistral",
  "deepseek",
  "groq",
  "x-ai",
  "cohere",
  "together",
  "fireworks",
  "openrouter",
]

type Rate = number | TieredPrices | undefined

const rateAt = (rate: Rate, above: number): number | undefined => {
  if (rate === undefined || typeof rate === "number") return rate
  return rate.tiers.reduce<{ readonly start: number; readonly price: number }>(
    (chosen, tier) => (tier.start <= above && tier.start >= chosen.start ? tier : chosen),
    { start: -1, price: rate.base },
  ).price
}

const starts = (prices: ModelPrice): ReadonlyArray<number> => {
  const all = Object.values(prices).flatMap((rate) =>
    typeof rate === "object" ? rate.tiers.map((tier) => tier.start) : [],
  )
  return [...new Set(all)].sort((left, right) => left - right)
}

const ratesAt = (prices: ModelPrice, above: number): Tier | undefined => {
  const input = rateAt(prices["input_mtok"], above)
  const output = rateAt(prices["output_mtok"], above)
  if (input === undefined || output === undefined) return undefined
  return {
    abovePromptTokens: above,
    rates: rates({
      input,
      output,
      cache_read: rateAt(prices["cache_read_mtok"], above),
      cache_write_5m: rateAt(prices["cache_write_5m_mtok"] ?? prices["cache_write_mtok"], above),
      cache_write_1h: rateAt(prices["cache_write_1h_mtok"] ?? prices["cache_write_mtok"], above),
    }),
  }
}

const toPrice = (
  provider: string,
  model: string,
  effectiveFrom: string | null,
  prices: ModelPrice,
): Price | undefined => {
  const base = ratesAt(prices, -1)
  if (base === undefined) return undefined
  return {
    priceId: priceId(ORIGIN, provider, model, effectiveFrom),
    effectiveFrom,
    rates: base.rates,
    tiers: starts(prices).flatMap((start) => ratesAt(prices, start) ?? []),
  }
}

/** Seconds after midnight UTC of `HH:MM[:SS]` with `Z` or an offset; undefined when it is not one. */
const secondOfDay = (time: string): number | undefined => {
  const millis = Date.parse(`1970-01-02T${time}`)
  return Number.isNaN(millis) ? undefined : (millis / 1000) % 86_400
}

const windowOf = (start: string, end: string): DailyWindow | undefined => {
  const from = secondOfDay(start)
  const to = secondOfDay(end)
  return from === undefined || to === undefined ? undefined : { from, to }
}

const datedOf = (provider: string, model: string, conditional: ConditionalPrice): DatedPrice | undefined => {
  const { constraint, prices } = conditional
  const day = constraint?.type === "start_date" ? constraint.start_date : null
  const price = toPrice(provider, model, day, prices)
  const window = constraint?.type === "time_of_date" ? windowOf(constraint.start_time, constraint.end_time) : null
  if (price === undefined || window === undefined) return undefined
  return { startMillis: day === null ? null : startOfDay(day), window, price }
}

/** Whole names only: a `starts_with` counts as the name it spells, never as a beginning. */
const namesOf = (match: MatchLogic): ReadonlyArray<string> => {
  if ("or" in match) return match.or.flatMap(namesOf)
  if ("equals" in match) return [match.equals]
  return "starts_with" in match ? [match.starts_with] : []
}

const toModel = (provider: string, model: ModelInfo): PricedModel => {
  const conditionals = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }]
  const dated = conditionals.map((conditional) => datedOf(provider, model.id, conditional))
  // A model whose price is not wholly understood is unpriced, not half priced.
  const prices = dated.every((price) => price !== undefined) ? dated : []
  return { provider, id: model.id, aliases: namesOf(model.match), prices }
}

/** A provider's models as this program prices them. Pure. */
export const compile = (provider: Provider): ReadonlyArray<PricedModel> =>
  provider.models.map((model) => toModel(provider.id, model)).filter((model) => model.prices.length > 0)

/** The data set's rates for its main providers. Loads the data set, about 150 ms: once, when a layer is built. */
export const load: Effect.Effect<ReadonlyArray<PricedModel>> = Effect.map(
  Effect.promise(() => import("@pydantic/genai-prices")),
  ({ findProvider }) =>
    PROVIDERS.flatMap((providerId) => {
      const provider = findProvider({ providerId })
      return provider === undefined || provider.id !== providerId ? [] : compile(provider)
    }),
)
