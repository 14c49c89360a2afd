import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type CallPart, type PricedCall, paid, partsOf } from "./CallParts.js"
import { type PriceOf, priceFor } from "./CallPricing.js"
import { usageOf } from "./CallUsage.js"
import { addBreakdowns, CostBreakdown, price } from "./Cost.js"
import type { Usage } from "./UsageClasses.js"

/**
 * What caching did to a call's price, in nano-dollars: what its cached tokens (reads and writes) would have cost as plain input,
 * less what was paid for them. Negative when writing cost more than reading saved. `unknown` when no price of that time gives
 * what the call says it paid; `none` when nothing was cached or bought.
 */
export type CacheSavings =
  | { readonly kind: "none" }
  | { readonly kind: "known"; readonly nanoUsd: number }
  | { readonly kind: "unknown"; readonly cachedTokens: number }

const NONE: CacheSavings = { kind: "none" }

const isBreakdown = Schema.is(CostBreakdown)

const textTokens = (usage: Usage): number => usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h

/** Tokens that were read from a cache or written to one. */
const cachedTokens = (usage: Usage): number =>
  textTokens(usage) + (usage.audioCacheRead ?? 0) + (usage.imageCacheRead ?? 0)

/** The same prompt without a cache. */
const uncached = ({ audioCacheRead, imageCacheRead, ...usage }: Usage): Usage => ({
  ...usage,
  uncachedInput: usage.uncachedInput + textTokens(usage),
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  ...(audioCacheRead === undefined ? {} : { audioInput: (usage.audioInput ?? 0) + audioCacheRead }),
  ...(imageCacheRead === undefined ? {} : { imageInput: (usage.imageInput ?? 0) + imageCacheRead }),
})

const INPUT = [
  "uncached_input",
  "cache_read",
  "cache_write_5m",
  "cache_write_1h",
  "audio_input",
  "audio_cache_read",
  "image_input",
  "image_cache_read",
] as const

const input = (breakdown: CostBreakdown): number => INPUT.reduce((sum, name) => sum + (breakdown[name] ?? 0), 0)

/** What some requests cost together at the prices of an instant, by class; null when one of them has none. */
const costing = (
  parts: ReadonlyArray<CallPart>,
  priceOf: PriceOf,
  at: number,
  of: (usage: Usage) => Usage,
): CostBreakdown | null => {
  let sum: CostBreakdown | null = null
  for (const part of parts) {
    const then = Option.getOrUndefined(priceFor(part, priceOf, at))
    const one = then === undefined ? null : price(of(part.usage), then).breakdown
    if (one === null) return null
    sum = sum === null ? one : addBreakdowns(sum, one)
  }
  return sum
}

/**
 * The savings of one call. Its breakdown says what was paid; the prices at one of `instants` (epoch ms) say what plain input
 * would have cost, but only if they give that breakdown to the unit: another price would make up a figure.
 */
export const of = (call: PricedCall, priceOf: PriceOf, instants: ReadonlyArray<number>): CacheSavings => {
  const usage = Option.getOrUndefined(usageOf(call.metrics))
  if (usage === undefined || cachedTokens(usage) === 0 || call.metrics["cost_status"] === "replayed") return NONE
  const told = call.metrics["cost_breakdown"]
  const parts = Either.match(partsOf(call), { onLeft: () => [], onRight: paid })
  if (isBreakdown(told)) {
    for (const at of instants) {
      const again = costing(parts, priceOf, at, (as) => as)
      const plain = costing(parts, priceOf, at, uncached)
      if (again === null || plain === null) continue
      if (INPUT.every((name) => (again[name] ?? 0) === (told[name] ?? 0)))
        return { kind: "known", nanoUsd: input(plain) - input(told) }
    }
  }
  return { kind: "unknown", cachedTokens: cachedTokens(usage) }
}
