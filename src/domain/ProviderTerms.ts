import type { Multipliers, Price, Rates } from "./Cost.js"
import { multipliers, type PriceMultipliers, type ToolRates, toolRates } from "./PriceRow.js"
import type { PricedModel } from "./PriceTable.js"
import { afterDiscount } from "./Ratio.js"

/** What a provider's price list says of all its models, beside their rates, and where and when it was read. */
export interface ProviderTerms {
  readonly provider: string
  readonly multipliers?: PriceMultipliers
  readonly server_tools?: ToolRates
  /** What is billed as text tokens where a model has no rate for it. */
  readonly asText: ReadonlyArray<"audio" | "images">
  readonly source: string
  readonly read_on: string
}

const withText = (rates: Rates, asText: ProviderTerms["asText"]): Rates => ({
  ...rates,
  ...(asText.includes("audio") && rates.audioInput === undefined
    ? { audioInput: rates.uncachedInput, audioCacheRead: rates.audioCacheRead ?? rates.cacheRead }
    : {}),
  ...(asText.includes("images") && rates.imageInput === undefined
    ? { imageInput: rates.uncachedInput, imageCacheRead: rates.imageCacheRead ?? rates.cacheRead }
    : {}),
})

const merged = (terms: Multipliers, own: Multipliers): Multipliers => ({
  serviceTier: { ...terms.serviceTier, ...own.serviceTier },
  speed: { ...terms.speed, ...own.speed },
  inferenceGeo: { ...terms.inferenceGeo, ...own.inferenceGeo },
})

const applied = (price: Price, terms: ProviderTerms): Price => ({
  ...price,
  rates: withText(price.rates, terms.asText),
  tiers: price.tiers.map((tier) => ({ ...tier, rates: withText(tier.rates, terms.asText) })),
  serverTools: { ...toolRates(terms.server_tools ?? {}), ...price.serverTools },
  multipliers: merged(multipliers(terms.multipliers ?? {}), price.multipliers ?? {}),
})

const mapPrices = (model: PricedModel, change: (price: Price) => Price): PricedModel => ({
  ...model,
  prices: model.prices.map((dated) => ({ ...dated, price: change(dated.price) })),
})

/** Models under their providers' terms; what a row says itself stands. */
export const underTerms = (
  models: ReadonlyArray<PricedModel>,
  terms: ReadonlyArray<ProviderTerms>,
): ReadonlyArray<PricedModel> => {
  const byProvider = new Map(terms.map((one) => [one.provider, one]))
  return models.map((model) => {
    const own = byProvider.get(model.provider)
    return own === undefined ? model : mapPrices(model, (price) => applied(price, own))
  })
}

/** Models after discounts in percent by provider. The price's id says so, since it is another price then. */
export const discounted = (
  models: ReadonlyArray<PricedModel>,
  percents: Readonly<Record<string, number>>,
): ReadonlyArray<PricedModel> =>
  models.map((model) => {
    const percent = Object.hasOwn(percents, model.provider) ? (percents[model.provider] ?? 0) : 0
    return percent === 0
      ? model
      : mapPrices(model, (price) => ({
          ...price,
          priceId: `${price.priceId}#discount=${percent}%`,
          discount: afterDiscount(percent),
        }))
  })
