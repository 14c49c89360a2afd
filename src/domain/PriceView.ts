import type { Multipliers, Price, Rates } from "./Cost.js"
import type { DailyWindow, ListedPrice, PriceOrigin } from "./PriceTable.js"
import type { Ratio } from "./Ratio.js"

/** Rates by the names of a price file, in USD per million tokens. What has no known rate is not there. */
export type RatesView = Readonly<Record<string, number>>

/** A price as people and programs read it. */
export interface PriceView {
  readonly provider: string
  readonly model: string
  readonly aliases: ReadonlyArray<string>
  /** First day, `YYYY-MM-DD`; null for since ever. */
  readonly effective_from: string | null
  /** Hours of the day in which alone it holds, UTC; null for all day. */
  readonly hours_utc: string | null
  readonly usd_per_million: RatesView
  readonly tiers: ReadonlyArray<{ readonly above_prompt_tokens: number; readonly usd_per_million: RatesView }>
  /** Factors by the word that the provider reports of a call. */
  readonly multipliers: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly server_tools_usd_per_thousand: Readonly<Record<string, number>>
  /** In percent of everything; the rates stand before it. Null for none. */
  readonly discount_percent: number | null
  readonly origin: PriceOrigin
  readonly price_id: string
  readonly source: string | null
  readonly read_on: string | null
}

const NAMES: ReadonlyArray<readonly [name: string, rate: keyof Rates]> = [
  ["input", "uncachedInput"],
  ["output", "output"],
  ["cache_read", "cacheRead"],
  ["cache_write_5m", "cacheWrite5m"],
  ["cache_write_1h", "cacheWrite1h"],
  ["audio_input", "audioInput"],
  ["audio_cache_read", "audioCacheRead"],
  ["audio_output", "audioOutput"],
  ["image_input", "imageInput"],
  ["image_cache_read", "imageCacheRead"],
  ["image_output", "imageOutput"],
]

/** Pico-dollars a token are millionths of a dollar per million tokens: exact in both. */
export const usdPerMillion = (rates: Rates): RatesView =>
  Object.fromEntries(
    NAMES.flatMap(([name, member]) => {
      const pico = rates[member]
      return pico === undefined ? [] : [[name, pico / 1e6]]
    }),
  )

const factor = ({ numerator, denominator }: Ratio): number => numerator / denominator

const factors = (words: Readonly<Record<string, Ratio>> | undefined) =>
  Object.fromEntries(Object.entries(words ?? {}).map(([word, ratio]) => [word, factor(ratio)]))

const multipliersOf = ({ serviceTier, speed, inferenceGeo }: Multipliers) =>
  Object.fromEntries(
    [
      ["service_tier", factors(serviceTier)] as const,
      ["speed", factors(speed)] as const,
      ["inference_geo", factors(inferenceGeo)] as const,
    ].filter(([, words]) => Object.keys(words).length > 0),
  )

const time = (second: number): string => new Date(second * 1000).toISOString().slice(11, 16)

const hours = (window: DailyWindow | null): string | null =>
  window === null ? null : `${time(window.from)}-${time(window.to)}`

const percentOff = (discount: Ratio | undefined): number | null =>
  discount === undefined ? null : (100 * (discount.denominator - discount.numerator)) / discount.denominator

/** What of a price decides what a call costs. */
export const termsOf = ({ rates, tiers, multipliers, serverTools, discount }: Price) => ({
  usd_per_million: usdPerMillion(rates),
  tiers: tiers.map((tier) => ({
    above_prompt_tokens: tier.abovePromptTokens,
    usd_per_million: usdPerMillion(tier.rates),
  })),
  multipliers: multipliersOf(multipliers ?? {}),
  server_tools_usd_per_thousand: Object.fromEntries(
    Object.entries(serverTools ?? {}).map(([name, pico]) => [name, pico / 1e9]),
  ),
  discount_percent: percentOff(discount),
})

/** A row of the table with its provenance. */
export const of = (listed: ListedPrice): PriceView => ({
  provider: listed.provider,
  model: listed.model,
  aliases: listed.aliases,
  effective_from: listed.startMillis === null ? null : new Date(listed.startMillis).toISOString().slice(0, 10),
  hours_utc: hours(listed.window),
  ...termsOf(listed.price),
  origin: listed.origin,
  price_id: listed.price.priceId,
  source: listed.source ?? null,
  read_on: listed.readOn ?? null,
})
