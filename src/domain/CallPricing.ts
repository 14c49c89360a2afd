import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { isCostStatus, measure } from "./CallMeasure.js"
import { type Asked, type CallPart, isFree, type PricedCall, paid, partsOf } from "./CallParts.js"
import { usageOf } from "./CallUsage.js"
import * as Cost from "./Cost.js"
import { withoutDate } from "./PriceTable.js"

type Json = Readonly<Record<string, unknown>>

/** The price of a provider's model at an instant (epoch ms), by its exact name; none when nobody knows it. */
export type PriceOf = (provider: string, model: string, atMillis: number) => Option.Option<Cost.Price>

export type { PricedCall }

/** The members of a call's metrics that say what it cost and who says so, in the order in which they are added. */
export const COST_MEMBERS = [
  "api_cost_usd",
  "cost_nanousd",
  "cost_status",
  "cost_breakdown",
  "unpriced_reason",
  "price_id",
  "price_effective_from",
  "priced_by",
] as const

/** `priced_by` of a call that the server priced when it arrived. */
export const AT_INGEST = "server"

/** `priced_by` of a call whose cost a repricing put there. */
export const byRepricing = (id: number): string => `reprice:${id}`

const own = (record: Json, name: string): unknown => (Object.hasOwn(record, name) ? record[name] : undefined)

/** Who put the cost there, when that was not the client. */
export const pricedBy = (metrics: Json): string | null => {
  const by = own(metrics, "priced_by")
  return typeof by === "string" ? by : null
}

/** Why a call has no price whose tokens came without the name of a model. */
export const NO_MODEL = "the model's name is missing: tell it as context_json.model"

/** Whether the server found a call unpriced for want of its model's name alone. */
const waitsForModel = (metrics: Json): boolean =>
  pricedBy(metrics) === AT_INGEST && own(metrics, "unpriced_reason") === NO_MODEL

/** Whether a repricing put the cost there. */
export const isRepriced = (metrics: Json): boolean => pricedBy(metrics)?.startsWith("reprice:") === true

/** Whether the client itself said what its cost is worth. */
export const hasOwnStatus = (metrics: Json): boolean => isCostStatus(own(metrics, "cost_status"))

/** What a call cost in real money, nano-dollars; null when it is unpriced, simulated or replayed. */
export const pricedNanoUsd = (metrics: Json): number | null => {
  const { cost_status, cost_nanousd } = measure(metrics)
  return cost_status === "priced" ? cost_nanousd : null
}

/** Those that make models of their own, so that a whole name is the model of one of them. */
const MAKERS = ["anthropic", "openai", "google", "mistral", "deepseek", "x-ai", "cohere"]

const priceAt = (
  priceOf: PriceOf,
  provider: string | null,
  model: string,
  atMillis: number,
): Option.Option<Cost.Price> =>
  provider === null
    ? Option.firstSomeOf(MAKERS.map((maker) => priceOf(maker, model, atMillis)))
    : priceOf(provider, model, atMillis)

/** The price of who answered; of who was asked only where both are the same but for a date. */
export const priceFor = (call: Asked, priceOf: PriceOf, atMillis: number): Option.Option<Cost.Price> => {
  const { provider, model, responseModel } = call
  const answered = responseModel ?? model
  if (answered === null) return Option.none()
  const found = priceAt(priceOf, provider, answered, atMillis)
  return Option.isNone(found) && model !== null && withoutDate(model) === withoutDate(answered)
    ? priceAt(priceOf, provider, model, atMillis)
    : found
}

const nameOf = ({ model, provider, responseModel }: Asked): string =>
  `${provider ?? "(unknown provider)"}/${responseModel ?? model ?? "(unknown model)"}`

const costOfPart = (part: CallPart, priceOf: PriceOf, atMillis: number): Cost.Cost =>
  Option.match(priceFor(part, priceOf, atMillis), {
    onNone: () => Cost.unpriced,
    onSome: (price) => Cost.price(part.usage, price),
  })

/**
 * What a call cost at the prices of an instant, its answer and its billed attempts each at their own; unpriced when its tokens
 * or one of its prices are not known.
 */
export const costAt = (call: PricedCall, priceOf: PriceOf, atMillis: number): Cost.Cost => {
  const parts = partsOf(call)
  if (Either.isLeft(parts)) return call.attempts.length === 0 ? Cost.unpriced : { ...Cost.unpriced, reason: parts.left }
  const [first = Cost.unpriced, ...more] = paid(parts.right).map((part) => costOfPart(part, priceOf, atMillis))
  return more.reduce(Cost.together, first)
}

/** Why a call has no price at an instant. */
const whyNot = (call: PricedCall, priceOf: PriceOf, atMillis: number): string =>
  Either.match(partsOf(call), {
    onLeft: (reason) => reason,
    onRight: (parts) => {
      const part = paid(parts).find((one) => costOfPart(one, priceOf, atMillis).nanoUsd === null)
      if (part === undefined) return "its price is not known"
      if ((part.responseModel ?? part.model) === null) return NO_MODEL
      return costOfPart(part, priceOf, atMillis).reason ?? `no price is known of ${nameOf(part)}`
    },
  })

const members = (cost: Cost.Cost, by: string): Json => ({
  api_cost_usd: cost.nanoUsd === null ? null : Cost.toUsd(cost.nanoUsd),
  cost_nanousd: cost.nanoUsd,
  cost_status: cost.status,
  cost_breakdown: cost.breakdown,
  unpriced_reason: cost.reason,
  price_id: cost.priceId,
  price_effective_from: cost.effectiveFrom,
  priced_by: by,
})

const ALWAYS: ReadonlyArray<string> = ["api_cost_usd", "cost_nanousd", "cost_status"]

/** Members that are there keep their place, so that putting the old ones back gives the old text again. */
const put = (metrics: Json, told: Json): Json => {
  const next: Record<string, unknown> = { ...metrics }
  for (const name of COST_MEMBERS) {
    const value = own(told, name) ?? null
    if (value !== null || Object.hasOwn(next, name) || ALWAYS.includes(name)) next[name] = value
  }
  return next
}

/** What metrics say of the cost: what {@link restored} puts back. */
export const costMembers = (metrics: Json): Json =>
  Object.fromEntries(COST_MEMBERS.flatMap((name) => (Object.hasOwn(metrics, name) ? [[name, metrics[name]]] : [])))

/** Metrics with a cost put into them. */
export const withCost = (metrics: Json, cost: Cost.Cost, by: string): Json => put(metrics, members(cost, by))

/** Metrics with the cost that they had before, and no other. */
export const restored = (metrics: Json, before: Json): Json => {
  const names: ReadonlyArray<string> = COST_MEMBERS
  const kept = Object.entries(metrics).flatMap(([name, value]): ReadonlyArray<readonly [string, unknown]> => {
    if (!names.includes(name)) return [[name, value]]
    return Object.hasOwn(before, name) ? [[name, before[name]]] : []
  })
  return Object.fromEntries([...kept, ...Object.entries(before).filter(([name]) => !Object.hasOwn(metrics, name))])
}

const isSameUsage = (left: Json, right: Json): boolean =>
  JSON.stringify(usageOf(left)) === JSON.stringify(usageOf(right))

/**
 * What the metrics of a row become when a client sends them anew: as they come, but for a cost that stays what it is because the
 * client tells the same tokens as before. That is the cost that a repricing put there, and the one that the server put there when
 * the client says nothing of cost. A log that is delivered once more therefore changes nothing.
 */
export const received = (before: Json | null, incoming: Json): Json => {
  if (before === null || pricedBy(before) === null || !isSameUsage(before, incoming)) return incoming
  const stays = isRepriced(before) || (!hasOwnStatus(incoming) && measure(incoming).cost_nanousd === null)
  return stays ? put(incoming, costMembers(before)) : incoming
}

/** Nobody billed it: the sandbox or evidence answered, and no attempt before the answer was a real one. */
const isUnbilled = (call: PricedCall): boolean =>
  isFree(call) && Either.match(partsOf(call), { onLeft: () => true, onRight: (parts) => parts.every(isFree) })

/**
 * Metrics that came with tokens and without a word about their cost, priced as of an instant, once their model is told, and
 * unpriced with {@link NO_MODEL} until then; null when there is nothing to add: the client has priced the call, or its tokens
 * are not told (yet).
 */
export const pricedAtIngest = (call: PricedCall, priceOf: PriceOf, atMillis: number): Json | null => {
  const hasModel = (call.model ?? call.responseModel) !== null
  if (waitsForModel(call.metrics)) {
    return hasModel ? pricedAtIngest({ ...call, metrics: restored(call.metrics, {}) }, priceOf, atMillis) : null
  }
  const { metrics, provider } = call
  if (hasOwnStatus(metrics) || measure(metrics).cost_nanousd !== null) return null
  if (Option.isNone(usageOf(metrics))) return null
  if (!hasModel) return isUnbilled(call) ? null : withCost(metrics, { ...Cost.unpriced, reason: NO_MODEL }, AT_INGEST)
  const cost = costAt(call, priceOf, atMillis)
  if (!isUnbilled(call)) return withCost(metrics, cost, AT_INGEST)
  if (provider === "replay") return withCost(metrics, Cost.replayed, AT_INGEST)
  return withCost(metrics, cost.nanoUsd === null ? Cost.simulatedUnpriced : { ...cost, status: "simulated" }, AT_INGEST)
}

/** What a repricing makes of a call: other metrics, nothing, or nothing because what it costs is not known, with the reason. */
export type Repriced =
  | { readonly kind: "changed"; readonly metrics: Json }
  | { readonly kind: "same" }
  | { readonly kind: "unknown"; readonly reason: string }

const SAME: Repriced = { kind: "same" }

/** A call at the prices of an instant: changed when it comes out otherwise than it stands. */
export const repriced = (call: PricedCall, priceOf: PriceOf, atMillis: number, repricing: number): Repriced => {
  const { cost_status: status, cost_nanousd: before } = measure(call.metrics)
  if ((status !== "priced" && status !== "unpriced") || isUnbilled(call)) return SAME
  const cost = costAt(call, priceOf, atMillis)
  if (cost.nanoUsd === null) return { kind: "unknown", reason: whyNot(call, priceOf, atMillis) }
  if (status === "priced" && cost.nanoUsd === before) return SAME
  return { kind: "changed", metrics: withCost(call.metrics, cost, byRepricing(repricing)) }
}
