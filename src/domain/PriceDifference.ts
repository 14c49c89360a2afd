import * as Option from "effect/Option"
import type { PriceOf } from "./CallPricing.js"
import type { Price } from "./Cost.js"
import type { ListedPrice } from "./PriceTable.js"
import { termsOf } from "./PriceView.js"

/** Prices that can be listed and asked for. */
export interface Prices {
  readonly unsafePriceOf: PriceOf
  readonly listed: ReadonlyArray<ListedPrice>
}

/** One rate, factor or fee that differs; null where one side has none. */
export interface Changed {
  /** Such as `input`, `cache_read above 200000 prompt tokens`, `service_tier batch`, `web_search`. */
  readonly what: string
  readonly before: number | null
  readonly after: number | null
}

/**
 * What becomes of a model's price from a day on. `added`: it had none. `removed`: it has none any more. `changed`: it costs
 * something else. `restated`: the same, from another place.
 */
export interface PriceDifference {
  readonly kind: "added" | "removed" | "changed" | "restated"
  readonly provider: string
  readonly model: string
  /** `YYYY-MM-DD`; null for since ever. */
  readonly from: string | null
  readonly before: string | null
  readonly after: string | null
  readonly changes: ReadonlyArray<Changed>
}

/** All figures of a price by what they are of. */
const figures = (price: Price): ReadonlyMap<string, number> => {
  const terms = termsOf(price)
  return new Map([
    ...Object.entries(terms.usd_per_million),
    ...terms.tiers.flatMap((tier) =>
      Object.entries(tier.usd_per_million).map(
        ([name, usd]) => [`${name} above ${tier.above_prompt_tokens} prompt tokens`, usd] as const,
      ),
    ),
    ...Object.entries(terms.multipliers).flatMap(([kind, words]) =>
      Object.entries(words).map(([word, factor]) => [`${kind} ${word}`, factor] as const),
    ),
    ...Object.entries(terms.server_tools_usd_per_thousand),
    ...(terms.discount_percent === null ? [] : [["discount", terms.discount_percent] as const]),
  ])
}

const NONE: ReadonlyMap<string, number> = new Map()

const changesOf = (before: Price | undefined, after: Price | undefined): ReadonlyArray<Changed> => {
  const [left, right] = [before === undefined ? NONE : figures(before), after === undefined ? NONE : figures(after)]
  return [...new Set([...left.keys(), ...right.keys()])]
    .map((what) => ({ what, before: left.get(what) ?? null, after: right.get(what) ?? null }))
    .filter((change) => change.before !== change.after)
}

const kindOf = (before: Price | undefined, after: Price | undefined, changes: ReadonlyArray<Changed>) => {
  if (before === undefined) return "added"
  if (after === undefined) return "removed"
  return changes.length > 0 ? "changed" : "restated"
}

const EVER = Number.MIN_SAFE_INTEGER

/** Every name under which a price stands, with the instants at which one begins. */
const beginnings = (listed: ReadonlyArray<ListedPrice>) => {
  const names = new Map<string, { readonly provider: string; readonly model: string; readonly starts: Set<number> }>()
  for (const { provider, model, aliases, startMillis } of listed) {
    for (const name of [model, ...aliases]) {
      const key = JSON.stringify([provider, name])
      const known = names.get(key) ?? { provider, model: name, starts: new Set([EVER]) }
      if (startMillis !== null) known.starts.add(startMillis)
      names.set(key, known)
    }
  }
  return [...names.values()]
}

const dayOf = (millis: number): string | null => (millis === EVER ? null : new Date(millis).toISOString().slice(0, 10))

/** What one table of prices would cost that another one costs otherwise, name by name and day by day; in order of their names. */
export const between = (before: Prices, after: Prices): ReadonlyArray<PriceDifference> =>
  beginnings([...before.listed, ...after.listed])
    .sort((left, right) => left.provider.localeCompare(right.provider) || left.model.localeCompare(right.model))
    .flatMap(({ provider, model, starts }) => {
      let last = ""
      return [...starts]
        .sort((left, right) => left - right)
        .flatMap((at): ReadonlyArray<PriceDifference> => {
          const old = Option.getOrUndefined(before.unsafePriceOf(provider, model, at))
          const now = Option.getOrUndefined(after.unsafePriceOf(provider, model, at))
          const ids = JSON.stringify([old?.priceId, now?.priceId])
          const isSeen = ids === last
          last = ids
          const changes = changesOf(old, now)
          if (isSeen || (changes.length === 0 && old?.priceId === now?.priceId)) return []
          return [
            {
              kind: kindOf(old, now, changes),
              provider,
              model,
              from: dayOf(at),
              before: old?.priceId ?? null,
              after: now?.priceId ?? null,
              changes,
            },
          ]
        })
    })
