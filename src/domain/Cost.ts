import * as Schema from "effect/Schema"
import { inputTokens, type Usage } from "./Usage.js"

/**
 * What a call's cost is worth: `priced` is real money, `unpriced` has no known rate (its cost is null, never 0), `simulated`
 * came from the sandbox, `replayed` from evidence. Only `priced` money is ever added to a bill.
 */
export const CostStatus = Schema.Literal("priced", "unpriced", "simulated", "replayed")
export type CostStatus = typeof CostStatus.Type

/** Rates in integer pico-dollars a token: 1 USD per million tokens = 1,000,000. */
export const Rates = Schema.Struct({
  uncachedInput: Schema.NonNegativeInt,
  cacheRead: Schema.NonNegativeInt,
  cacheWrite5m: Schema.NonNegativeInt,
  cacheWrite1h: Schema.NonNegativeInt,
  output: Schema.NonNegativeInt,
})
export type Rates = typeof Rates.Type

/** Rates that hold from a number of prompt tokens on; the highest threshold reached decides the whole call. */
export interface Tier {
  readonly abovePromptTokens: number
  readonly rates: Rates
}

/** A model's price at a time, and where it was read. */
export interface Price {
  readonly priceId: string
  /** First day on which it holds, `YYYY-MM-DD`; null when the source gives none. */
  readonly effectiveFrom: string | null
  readonly rates: Rates
  readonly tiers: ReadonlyArray<Tier>
}

/** Cost by token class, in integer nano-dollars. Each class is rounded half up; their sum is the call's cost. */
export const CostBreakdown = Schema.Struct({
  uncached_input: Schema.NonNegativeInt,
  cache_read: Schema.NonNegativeInt,
  cache_write_5m: Schema.NonNegativeInt,
  cache_write_1h: Schema.NonNegativeInt,
  output: Schema.NonNegativeInt,
})
export type CostBreakdown = typeof CostBreakdown.Type

/** A call's cost with its provenance. `nanoUsd` is null when no rate is known: always when `unpriced`, never when `priced`. */
export interface Cost {
  readonly status: CostStatus
  readonly nanoUsd: number | null
  readonly breakdown: CostBreakdown | null
  readonly priceId: string | null
  readonly effectiveFrom: string | null
}

/** No rate is known: visible as such, never 0. */
export const unpriced: Cost = {
  status: "unpriced",
  nanoUsd: null,
  breakdown: null,
  priceId: null,
  effectiveFrom: null,
}

/** Answered from evidence: nothing was bought. */
export const replayed: Cost = { status: "replayed", nanoUsd: 0, breakdown: null, priceId: null, effectiveFrom: null }

/** The sandbox answered and no rate is known: still simulated, never a bill. */
export const simulatedUnpriced: Cost = { ...unpriced, status: "simulated" }

const ratesFor = (price: Price, promptTokens: number): Rates =>
  price.tiers.reduce<{ readonly above: number; readonly rates: Rates }>(
    (chosen, tier) =>
      promptTokens > tier.abovePromptTokens && tier.abovePromptTokens >= chosen.above
        ? { above: tier.abovePromptTokens, rates: tier.rates }
        : chosen,
    { above: -1, rates: price.rates },
  ).rates

const nanoUsd = (tokens: number, picoUsdPerToken: number): number => {
  const picoUsd = tokens * picoUsdPerToken + 500
  return Number.isSafeInteger(tokens) && Number.isSafeInteger(picoUsd)
    ? (picoUsd - (picoUsd % 1000)) / 1000
    : Number((BigInt(tokens) * BigInt(picoUsdPerToken) + 500n) / 1000n)
}

/** What `usage` costs at `price`, exactly: integer arithmetic throughout. */
export const price = (usage: Usage, at: Price, status: "priced" | "simulated" = "priced"): Cost => {
  const rates = ratesFor(at, inputTokens(usage))
  const breakdown: CostBreakdown = {
    cache_read: nanoUsd(usage.cacheRead, rates.cacheRead),
    cache_write_1h: nanoUsd(usage.cacheWrite1h, rates.cacheWrite1h),
    cache_write_5m: nanoUsd(usage.cacheWrite5m, rates.cacheWrite5m),
    output: nanoUsd(usage.output, rates.output),
    uncached_input: nanoUsd(usage.uncachedInput, rates.uncachedInput),
  }
  return {
    status,
    nanoUsd:
      breakdown.uncached_input +
      breakdown.cache_read +
      breakdown.cache_write_5m +
      breakdown.cache_write_1h +
      breakdown.output,
    breakdown,
    priceId: at.priceId,
    effectiveFrom: at.effectiveFrom,
  }
}

/** USD for people and for `api_cost_usd`; the integer it is derived from stays beside it. */
export const toUsd = (nanoUsd: number): number => nanoUsd / 1e9
