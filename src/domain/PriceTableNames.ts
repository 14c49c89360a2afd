import * as CanonicalJson from "./CanonicalJson.js"
import type { ListedPrice } from "./PriceTable.js"

const originOf = ({ price }: ListedPrice): string => price.priceId.split(":")[0] ?? price.priceId

const digest = (prices: ReadonlyArray<ListedPrice>): string =>
  CanonicalJson.hash(
    prices.map(({ price, startMillis, window, provider, model }) => [provider, model, startMillis, window, price]),
  ).slice(0, 12)

/**
 * The tables that prices stand in, by name: where each comes from, how many prices it has, and a digest of them, so that two
 * versions never bear the same name.
 */
export const tablesOf = ({ listed }: { readonly listed: ReadonlyArray<ListedPrice> }): string => {
  const tables = new Map<string, Array<ListedPrice>>()
  for (const price of listed) {
    const known = tables.get(originOf(price))
    if (known === undefined) tables.set(originOf(price), [price])
    else known.push(price)
  }
  return [...tables]
    .map(([origin, prices]) => `${origin} (${prices.length} prices, sha256 ${digest(prices)})`)
    .join(", ")
}
