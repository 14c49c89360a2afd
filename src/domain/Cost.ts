import * as Schema from "effect/Schema"
import type { Ratio } from "./Ratio.js"
import { inputTokens, isPlain, type Usage } from "./UsageClasses.js"

/**
 * What a call's cost is worth: `priced` is real money, `unpriced` has no known rate (its cost is null, never 0), `simulated`
 * came from the sandbox, `replayed` from evidence. Only `priced` money is ever added to a bill.
 */
export const CostStatus = Schema.Literal("priced", "unpriced", "simulated", "replayed")
export type CostStatus = typeof CostStatus.Type

const Rate = Schema.NonNegativeInt
const RateIfKnown = Schema.optional(Rate)

/**
 * Rates in integer pico-dollars a token: 1 USD per million tokens = 1,000,000. A class whose rate is missing has no known
 * price: a call that used it is unpriced.
 */
export const Rates = Schema.Struct({
  uncachedInput: Rate,
  cacheRead: Rate,
  cacheWrite5m: Rate,
  cacheWrite1h: RateIfKnown,
  output: Rate,
  audioInput: RateIfKnown,
  audioCacheRead: RateIfKnown,
  audioOutput: RateIfKnown,
  imageInput: RateIfKnown,
  imageCacheRead: RateIfKnown,
  imageOutput: RateIfKnown,
})
export type Rates = typeof Rates.Type

/** Rates that hold from a number of prompt tokens on; the highest threshold reached decides the whole call. */
export interface Tier {
  readonly abovePromptTokens: number
  readonly rates: Rates
}

/** Factors of all token rates, by the word that the provider reports of a call. A word that is not here has no known price. */
export interface Multipliers {
  readonly serviceTier?: Readonly<Record<string, Ratio>>
  readonly speed?: Readonly<Record<string, Ratio>>
  readonly inferenceGeo?: Readonly<Record<string, Ratio>>
}

/** A model's price at a time, and where it was read. */
export interface Price {
  readonly priceId: string
  /** First day on which it holds, `YYYY-MM-DD`; null when the source gives none. */
  readonly effectiveFrom: string | null
  readonly rates: Rates
  readonly tiers: ReadonlyArray<Tier>
  /** Integer pico-dollars a request of a tool that the provider runs, by the tool's name. */
  readonly serverTools?: Readonly<Record<string, number>>
  readonly multipliers?: Multipliers
  /** What a discount leaves of everything, tools included. */
  readonly discount?: Ratio
}

const Amount = Schema.NonNegativeInt
const AmountIfUsed = Schema.optional(Amount)

/**
 * Cost by class, in integer nano-dollars, multipliers and discount included. Each class is rounded once, half up; their sum
 * is the call's cost. The classes that most calls lack are here when they were used.
 */
export const CostBreakdown = Schema.Struct({
  uncached_input: Amount,
  cache_read: Amount,
  cache_write_5m: Amount,
  cache_write_1h: Amount,
  output: Amount,
  audio_input: AmountIfUsed,
  audio_cache_read: AmountIfUsed,
  audio_output: AmountIfUsed,
  image_input: AmountIfUsed,
  image_cache_read: AmountIfUsed,
  image_output: AmountIfUsed,
  server_tools: AmountIfUsed,
})
export type CostBreakdown = typeof CostBreakdown.Type

/** A call's cost with its provenance. `nanoUsd` is null when no rate is known: always when `unpriced`, never when `priced`. */
export interface Cost {
  readonly status: CostStatus
  readonly nanoUsd: number | null
  readonly breakdown: CostBreakdown | null
  readonly priceId: string | null
  readonly effectiveFrom: string | null
  /** Why the call is unpriced although its model has a price; absent otherwise. For people. */
  readonly reason?: string
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

/** Units at a rate in whole nano-dollars, rounded half up. */
const nanoUsd = (units: number, picoUsdPerUnit: number): number => {
  const picoUsd = units * picoUsdPerUnit + 500
  return Number.isSafeInteger(units) && Number.isSafeInteger(picoUsd)
    ? (picoUsd - (picoUsd % 1000)) / 1000
    : Number((BigInt(units) * BigInt(picoUsdPerUnit) + 500n) / 1000n)
}

/** The same times a product of factors, rounded once. */
const scaledNanoUsd = (units: number, picoUsdPerUnit: number, factors: ReadonlyArray<Ratio>): number => {
  if (factors.length === 0) return nanoUsd(units, picoUsdPerUnit)
  const above = factors.reduce((product, { numerator }) => product * BigInt(numerator), 1n)
  const below = factors.reduce((product, { denominator }) => product * BigInt(denominator), 1000n)
  return Number((2n * BigInt(units) * BigInt(picoUsdPerUnit) * above + below) / (2n * below))
}

type Status = "priced" | "simulated"

const costing = (nanoUsd: number, breakdown: CostBreakdown, at: Price, status: Status): Cost => ({
  status,
  nanoUsd,
  breakdown,
  priceId: at.priceId,
  effectiveFrom: at.effectiveFrom,
})

const without = (what: string, at: Price, status: Status): Cost => ({
  ...(status === "simulated" ? simulatedUnpriced : unpriced),
  reason: `${at.priceId} has no ${what}`,
})

/** The usual call: text, at the ordinary rates. The members are in the order of their canonical JSON. */
const plainCost = (usage: Usage, rates: Rates, rate1h: number, at: Price, status: Status): Cost => {
  const cache_read = nanoUsd(usage.cacheRead, rates.cacheRead)
  const cache_write_1h = nanoUsd(usage.cacheWrite1h, rate1h)
  const cache_write_5m = nanoUsd(usage.cacheWrite5m, rates.cacheWrite5m)
  const output = nanoUsd(usage.output, rates.output)
  const uncached_input = nanoUsd(usage.uncachedInput, rates.uncachedInput)
  const sum = uncached_input + cache_read + cache_write_5m + cache_write_1h + output
  return costing(sum, { cache_read, cache_write_1h, cache_write_5m, output, uncached_input }, at, status)
}

const CLASSES = [
  ["audio_cache_read", "audioCacheRead"],
  ["audio_input", "audioInput"],
  ["audio_output", "audioOutput"],
  ["cache_read", "cacheRead"],
  ["cache_write_1h", "cacheWrite1h"],
  ["cache_write_5m", "cacheWrite5m"],
  ["image_cache_read", "imageCacheRead"],
  ["image_input", "imageInput"],
  ["image_output", "imageOutput"],
  ["output", "output"],
  ["uncached_input", "uncachedInput"],
] as const

const IF_USED = [
  "audio_cache_read",
  "audio_input",
  "audio_output",
  "image_cache_read",
  "image_input",
  "image_output",
  "server_tools",
] as const

const WORDS = [
  ["service tier", "serviceTier"],
  ["speed", "speed"],
  ["inference geography", "inferenceGeo"],
] as const

/** The factors of a usage's words; the first word without one is a reason to leave the call unpriced. */
const factorsOf = (usage: Usage, at: Price): ReadonlyArray<Ratio> | string => {
  const factors: Array<Ratio> = []
  for (const [name, word] of WORDS) {
    const said = usage[word]
    if (said === undefined) continue
    const factor = ownMember(at.multipliers?.[word], said)
    if (factor === undefined) return `multiplier for the ${name} "${said}"`
    factors.push(factor)
  }
  return factors
}

const ownMember = <A>(record: Readonly<Record<string, A>> | undefined, name: string): A | undefined =>
  record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined

/** What the provider's own tools cost, which no multiplier changes; a tool without a rate is a reason to leave the call unpriced. */
const toolsCost = (usage: Usage, at: Price, discount: ReadonlyArray<Ratio>): number | string | undefined => {
  let sum: number | undefined
  for (const [name, requests] of Object.entries(usage.serverTools ?? {})) {
    if (requests === 0) continue
    const rate = ownMember(at.serverTools, name)
    if (rate === undefined) return `rate for the server tool "${name}"`
    sum = (sum ?? 0) + scaledNanoUsd(requests, rate, discount)
  }
  return sum
}

const anyCost = (usage: Usage, rates: Rates, at: Price, status: Status): Cost => {
  if (rates !== at.rates && usage.doubts?.includes("several_prompts") === true)
    return without("tier for several prompts that are counted together", at, status)
  const words = factorsOf(usage, at)
  if (typeof words === "string") return without(words, at, status)
  const discount = at.discount === undefined ? [] : [at.discount]
  const breakdown: { -readonly [Name in keyof CostBreakdown]: CostBreakdown[Name] } = {
    cache_read: 0,
    cache_write_1h: 0,
    cache_write_5m: 0,
    output: 0,
    uncached_input: 0,
  }
  for (const [part, member] of CLASSES) {
    const tokens = usage[member] ?? 0
    if (tokens === 0) continue
    const rate = rates[member]
    if (rate === undefined) return without(`rate for ${part}`, at, status)
    breakdown[part] = scaledNanoUsd(tokens, rate, [...words, ...discount])
  }
  const tools = toolsCost(usage, at, discount)
  if (typeof tools === "string") return without(tools, at, status)
  if (tools !== undefined) breakdown.server_tools = tools
  const sum = Object.values(breakdown).reduce((total: number, part) => total + (part ?? 0), 0)
  return costing(sum, breakdown, at, status)
}

/**
 * What `usage` costs at `price`, exactly: integer arithmetic throughout, each class rounded once. A class, a tool or a word of
 * the usage that the price does not know leaves the call unpriced, with the reason, and is never guessed.
 */
export const price = (usage: Usage, at: Price, status: Status = "priced"): Cost => {
  const rates = ratesFor(at, inputTokens(usage))
  const rate1h = usage.cacheWrite1h === 0 ? 0 : rates.cacheWrite1h
  return rate1h !== undefined && at.discount === undefined && isPlain(usage)
    ? plainCost(usage, rates, rate1h, at, status)
    : anyCost(usage, rates, at, status)
}

/** Two breakdowns as one: a class is there when either has it. */
export const addBreakdowns = (left: CostBreakdown, right: CostBreakdown): CostBreakdown => {
  const sum: { -readonly [Name in keyof CostBreakdown]: CostBreakdown[Name] } = {
    cache_read: left.cache_read + right.cache_read,
    cache_write_1h: left.cache_write_1h + right.cache_write_1h,
    cache_write_5m: left.cache_write_5m + right.cache_write_5m,
    output: left.output + right.output,
    uncached_input: left.uncached_input + right.uncached_input,
  }
  for (const part of IF_USED) {
    const amount = (left[part] ?? 0) + (right[part] ?? 0)
    if (left[part] !== undefined || right[part] !== undefined) sum[part] = amount
  }
  return sum
}

const isFree = ({ status }: Cost): boolean => status === "simulated" || status === "replayed"

/**
 * Two parts of one call's cost together. Real money stands alone beside simulated or replayed, and a sum with an unknown part is
 * unknown. The price named is that of the first.
 */
export const together = (first: Cost, second: Cost): Cost => {
  if (isFree(first) !== isFree(second)) return isFree(first) ? second : first
  if (first.nanoUsd === null || second.nanoUsd === null) return first.nanoUsd === null ? first : second
  const breakdown =
    first.breakdown === null || second.breakdown === null
      ? (first.breakdown ?? second.breakdown)
      : addBreakdowns(first.breakdown, second.breakdown)
  return { ...first, nanoUsd: first.nanoUsd + second.nanoUsd, breakdown }
}

/** USD for people and for `api_cost_usd`; the integer it is derived from stays beside it. */
export const toUsd = (nanoUsd: number): number => nanoUsd / 1e9
