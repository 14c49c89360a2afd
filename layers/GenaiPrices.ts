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
import { priceId, rates, toolRates } from "../src/domain/PriceRow.js"
import { type DailyWindow, type DatedPrice, type PricedModel, startOfDay } from "../src/domain/PriceTable.js"

/** The data set and the version of it that these rates come from. */
export const ORIGIN = "genai-prices-0.1.8"

/** Where its rates were read, for people, and the day of its release. */
const SOURCE = "the data set @pydantic/genai-prices 0.1.8"
const READ_ON = "2026-09-23"

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

/** What is understood of a model's price: a model with a rate for anything else is not half priced, but unpriced. */
const UNDERSTOOD = new Set([
  "input_mtok",
  "output_mtok",
  "cache_read_mtok",
  "cache_write_mtok",
  "cache_write_5m_mtok",
  "cache_write_1h_mtok",
  "input_audio_mtok",
  "cache_audio_read_mtok",
  "output_audio_mtok",
  "input_image_mtok",
  "cache_image_read_mtok",
  "output_image_mtok",
  "web_searches_kcount",
  "storage_searches_kcount",
])

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
      cache_write_1h: rateAt(prices["cache_write_1h_mtok"], above),
      audio_input: rateAt(prices["input_audio_mtok"], above),
      audio_cache_read: rateAt(prices["cache_audio_read_mtok"], above),
      audio_output: rateAt(prices["output_audio_mtok"], above),
      image_input: rateAt(prices["input_image_mtok"], above),
      image_cache_read: rateAt(prices["cache_image_read_mtok"], above),
      image_output: rateAt(prices["output_image_mtok"], above),
    }),
  }
}

const toolsAt = (prices: ModelPrice): Pick<Price, "serverTools"> => {
  const web = rateAt(prices["web_searches_kcount"], -1)
  const files = rateAt(prices["storage_searches_kcount"], -1)
  if (web === undefined && files === undefined) return {}
  return {
    serverTools: toolRates({
      ...(web === undefined ? {} : { web_search: web }),
      ...(files === undefined ? {} : { file_search: files }),
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
  if (base === undefined || Object.keys(prices).some((key) => !UNDERSTOOD.has(key))) return undefined
  return {
    priceId: priceId(ORIGIN, provider, model, effectiveFrom),
    effectiveFrom,
    rates: base.rates,
    tiers: starts(prices).flatMap((start) => ratesAt(prices, start) ?? []),
    ...toolsAt(prices),
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

/** `01:00-04:00Z`, of the hours in which a price holds. */
const hours = ({ from, to }: DailyWindow): string => {
  const [start, end] = [from, to].map((second) => new Date(second * 1000).toISOString().slice(11, 16))
  return `${start}-${end}Z`
}

/**
 * `since` is the day of the dated price before it, null for none: hours that are listed behind a day are those of the price that
 * began on it. Prices of certain hours have ids of their own.
 */
const datedOf = (
  provider: string,
  model: string,
  { constraint, prices }: ConditionalPrice,
  since: string | null,
): DatedPrice | undefined => {
  const day = constraint?.type === "start_date" ? constraint.start_date : constraint === undefined ? null : since
  const window = constraint?.type === "time_of_date" ? windowOf(constraint.start_time, constraint.end_time) : null
  const price = toPrice(provider, model, day, prices)
  if (price === undefined || window === undefined) return undefined
  return {
    startMillis: day === null ? null : startOfDay(day),
    window,
    price: window === null ? price : { ...price, priceId: `${price.priceId}@${hours(window)}` },
    source: SOURCE,
    readOn: READ_ON,
  }
}

/** The last day that is named before each of a model's prices. */
const daysBefore = (conditionals: ReadonlyArray<ConditionalPrice>): ReadonlyArray<string | null> => {
  let day: string | null = null
  return conditionals.map(({ constraint }) => {
    const before = day
    if (constraint?.type === "start_date") day = constraint.start_date
    return before
  })
}

/**
 * Whole names only: a `starts_with` counts as the name it spells, never as a beginning; a `contains` nowhere but where the
 * provider puts a version behind every name.
 */
const namesOf = (provider: string, match: MatchLogic): ReadonlyArray<string> => {
  if ("or" in match) return match.or.flatMap((one) => namesOf(provider, one))
  const name = "equals" in match ? match.equals : "starts_with" in match ? match.starts_with : undefined
  if (provider !== "aws") return name === undefined ? [] : [name]
  const spelled = name ?? ("contains" in match ? match.contains : undefined)
  return spelled === undefined ? [] : [spelled, `${spelled}-v1:0`]
}

const toModel = (provider: string, model: ModelInfo): PricedModel => {
  const conditionals: ReadonlyArray<ConditionalPrice> = Array.isArray(model.prices)
    ? model.prices
    : [{ prices: model.prices }]
  const days = daysBefore(conditionals)
  const dated = conditionals.map((conditional, n) => datedOf(provider, model.id, conditional, days[n] ?? null))
  // A model whose price is not wholly understood is unpriced, not half priced.
  const prices = dated.every((price) => price !== undefined) ? dated : []
  return { provider, id: model.id, aliases: namesOf(provider, model.match), prices }
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
