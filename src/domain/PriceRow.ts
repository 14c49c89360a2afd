import * as Schema from "effect/Schema"
import type { Multipliers, Price, Rates } from "./Cost.js"
import { CalendarDay, type PricedModel, startOfDay } from "./PriceTable.js"
import { Factor, fromFactor, type Ratio } from "./Ratio.js"

/** USD per million tokens with at most six decimals, so that a token costs whole pico-dollars. */
export const UsdPerMillion = Schema.NonNegative.pipe(
  Schema.finite(),
  Schema.filter(
    (usd) =>
      Math.abs(usd * 1e6 - Math.round(usd * 1e6)) < 1e-3 || "a rate has at most six decimals (USD per million tokens)",
  ),
)

/** USD per 1,000 requests of a tool, with at most six decimals. */
const UsdPerThousand = UsdPerMillion

const rateFields = {
  input: UsdPerMillion,
  output: UsdPerMillion,
  /** Absent: the input rate, as if nothing were cached. Multipliers differ between models, so none is assumed. */
  cache_read: Schema.optional(UsdPerMillion),
  cache_write_5m: Schema.optional(UsdPerMillion),
  /** Absent: unknown where five-minute writes have a rate of their own, else the input rate. */
  cache_write_1h: Schema.optional(UsdPerMillion),
  /** Absent: unknown, unless the provider's terms bill them as text. */
  audio_input: Schema.optional(UsdPerMillion),
  audio_cache_read: Schema.optional(UsdPerMillion),
  image_input: Schema.optional(UsdPerMillion),
  image_cache_read: Schema.optional(UsdPerMillion),
  /** Absent: unknown. */
  audio_output: Schema.optional(UsdPerMillion),
  image_output: Schema.optional(UsdPerMillion),
}

/** Rates that hold for a whole call once its prompt has more tokens than `above_prompt_tokens`. */
export const PriceTier = Schema.Struct({ above_prompt_tokens: Schema.NonNegativeInt, ...rateFields })

const Factors = Schema.optional(Schema.Record({ key: Schema.NonEmptyString, value: Factor }))

/** Factors of all token rates by the word that the provider reports of a call, in lower case: `service_tier: {batch: 0.5}`. */
export const PriceMultipliers = Schema.Struct({ service_tier: Factors, speed: Factors, inference_geo: Factors })
export type PriceMultipliers = typeof PriceMultipliers.Type

/** USD per 1,000 requests by the tool's name: `web_search: 10`. */
export const ToolRates = Schema.Record({ key: Schema.NonEmptyString, value: UsdPerThousand })
export type ToolRates = typeof ToolRates.Type

/** Whose model a row prices that names no provider. */
export const DEFAULT_PROVIDER = "anthropic"

/** One model's rates from a day on, in USD per million tokens. */
export const PriceRow = Schema.Struct({
  model: Schema.NonEmptyString,
  /** As the calls name it; its documented terms hold for the row. */
  provider: Schema.optionalWith(Schema.NonEmptyString, { default: () => DEFAULT_PROVIDER }),
  aliases: Schema.optionalWith(Schema.Array(Schema.NonEmptyString), { default: () => [] }),
  /** First day (UTC) on which the rates hold; absent: since ever. */
  effective_from: Schema.optional(CalendarDay),
  ...rateFields,
  tiers: Schema.optionalWith(Schema.Array(PriceTier), { default: () => [] }),
  /** Beside those of the provider's terms, or in their place. */
  server_tools: Schema.optional(ToolRates),
  multipliers: Schema.optional(PriceMultipliers),
  /** Where the rates were read, and when; for people. */
  source: Schema.optional(Schema.String),
  read_on: Schema.optional(CalendarDay),
})
export type PriceRow = typeof PriceRow.Type

const Percent = Schema.Number.pipe(
  Schema.between(0, 100),
  Schema.filter(
    (percent) => Math.abs(percent * 1e4 - Math.round(percent * 1e4)) < 1e-3 || "a percentage has at most four decimals",
  ),
)

/** A file of prices, and of discounts on the prices that others list, in percent by provider. */
export const PriceFile = Schema.Struct({
  prices: Schema.optionalWith(Schema.Array(PriceRow), { default: () => [] }),
  discounts: Schema.optionalWith(Schema.Record({ key: Schema.NonEmptyString, value: Percent }), {
    default: () => ({}),
  }),
})
export type PriceFile = typeof PriceFile.Type

/** USD per million tokens as integer pico-dollars a token. */
export const picoPerToken = (usdPerMillion: number): number => Math.round(usdPerMillion * 1e6)

/** USD per 1,000 requests as integer pico-dollars a request. */
export const picoPerRequest = (usdPerThousand: number): number => Math.round(usdPerThousand * 1e6) * 1000

/** Rates in USD per million tokens. */
export type UsdRates = { readonly input: number; readonly output: number } & {
  readonly [Name in Exclude<keyof typeof rateFields, "input" | "output">]?: number | undefined
}

const known = (name: keyof Rates, usd: number | undefined): Partial<Rates> =>
  usd === undefined ? {} : { [name]: picoPerToken(usd) }

/**
 * Rates in pico-dollars a token. A cache class without a rate is charged as plain input, except an hour's write where
 * five-minute ones have a rate of their own: what it costs is unknown then, as are sound and pictures without a rate.
 */
export const rates = (usd: UsdRates): Rates => ({
  uncachedInput: picoPerToken(usd.input),
  cacheRead: picoPerToken(usd.cache_read ?? usd.input),
  cacheWrite5m: picoPerToken(usd.cache_write_5m ?? usd.input),
  ...known("cacheWrite1h", usd.cache_write_1h ?? (usd.cache_write_5m === undefined ? usd.input : undefined)),
  output: picoPerToken(usd.output),
  ...known("audioInput", usd.audio_input),
  ...known("audioCacheRead", usd.audio_cache_read),
  ...known("audioOutput", usd.audio_output),
  ...known("imageInput", usd.image_input),
  ...known("imageCacheRead", usd.image_cache_read),
  ...known("imageOutput", usd.image_output),
})

/** `<origin>:<provider>/<model>`, with `@<day>` when the price starts on one. */
export const priceId = (origin: string, provider: string, model: string, effectiveFrom: string | null): string =>
  `${origin}:${provider}/${model}${effectiveFrom === null ? "" : `@${effectiveFrom}`}`

const ratios = (factors: Readonly<Record<string, number>>): Readonly<Record<string, Ratio>> =>
  Object.fromEntries(Object.entries(factors).map(([word, factor]) => [word, fromFactor(factor)]))

/** Multipliers as exact ratios. */
export const multipliers = (of: PriceMultipliers): Multipliers => ({
  ...(of.service_tier === undefined ? {} : { serviceTier: ratios(of.service_tier) }),
  ...(of.speed === undefined ? {} : { speed: ratios(of.speed) }),
  ...(of.inference_geo === undefined ? {} : { inferenceGeo: ratios(of.inference_geo) }),
})

/** Tool rates in pico-dollars a request. */
export const toolRates = (usd: ToolRates): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(usd).map(([tool, rate]) => [tool, picoPerRequest(rate)]))

const toPrice = (origin: string, row: PriceRow): Price => {
  const effectiveFrom = row.effective_from ?? null
  return {
    priceId: priceId(origin, row.provider, row.model, effectiveFrom),
    effectiveFrom,
    rates: rates(row),
    tiers: row.tiers.map((tier) => ({ abovePromptTokens: tier.above_prompt_tokens, rates: rates(tier) })),
    ...(row.server_tools === undefined ? {} : { serverTools: toolRates(row.server_tools) }),
    ...(row.multipliers === undefined ? {} : { multipliers: multipliers(row.multipliers) }),
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
          source: row.source,
          readOn: row.read_on,
        })),
    }
  })
}
