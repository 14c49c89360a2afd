import * as Option from "effect/Option"
import type { PriceBookService } from "../../services/PriceBook.js"
import { priceFor } from "../domain/CallPricing.js"
import { type Price, price, toUsd } from "../domain/Cost.js"
import { closest } from "../domain/Nearest.js"
import type { CostedCall } from "./CostedCall.js"
import { type Key, keyOf } from "./CostGroup.js"

/** The model that calls are priced as, at one instant. */
export interface Target {
  readonly model: string
  readonly price: Price
}

const NAMES_OFFERED = 3

/**
 * The price of a model by its whole name, or by `provider/name` where several sell it; else the known names that are near it.
 */
export const target = (
  book: PriceBookService,
  name: string,
  atMillis: number,
): { readonly found: Target } | { readonly nearest: ReadonlyArray<string>; readonly onPurpose: boolean } => {
  const bare = { model: name, provider: null, responseModel: null }
  const [provider = "", ...rest] = name.split("/")
  const sold = rest.length === 0 ? Option.none() : book.unsafePriceOf(provider, rest.join("/"), atMillis)
  const found = Option.orElse(sold, () => priceFor(bare, book.unsafePriceOf, atMillis))
  if (Option.isSome(found)) return { found: { model: name, price: found.value } }
  return {
    nearest: closest(
      name,
      book.listed.map(({ model }) => model),
      NAMES_OFFERED,
    ),
    onPurpose: book.unpriced.some(({ model }) => model === name),
  }
}

/**
 * What calls of a group cost, and what the same tokens would have cost as another model, nano-dollars. Like is compared with
 * like: `difference_nanousd` is over priced calls, the sandbox's money stands apart, and what unpriced calls would have cost is
 * told alone. Left out are replayed calls and those whose tokens nobody told; their own cost is in no difference.
 */
export interface AsGroup {
  readonly group: string
  readonly calls: number
  /** Those with a cost of their own, real or simulated, and one as the other model. */
  readonly compared_calls: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cost_nanousd: number
  readonly cost_usd: number
  readonly as_nanousd: number
  readonly as_usd: number
  readonly difference_nanousd: number
  readonly difference_usd: number
  readonly simulated_cost_nanousd: number
  readonly as_simulated_nanousd: number
  readonly simulated_difference_nanousd: number
  readonly unpriced_calls: number
  readonly as_unpriced_nanousd: number
  readonly left_out_calls: number
  readonly left_out_cost_nanousd: number
}

interface Sums {
  readonly calls: number
  readonly compared: number
  readonly input: number
  readonly output: number
  readonly cost: number
  readonly as: number
  readonly simulated: number
  readonly asSimulated: number
  readonly unpriced: number
  readonly asUnpriced: number
  readonly leftOut: number
  readonly leftOutCost: number
  readonly leftOutSimulated: number
}

const EMPTY: Sums = {
  calls: 0,
  compared: 0,
  input: 0,
  output: 0,
  cost: 0,
  as: 0,
  simulated: 0,
  asSimulated: 0,
  unpriced: 0,
  asUnpriced: 0,
  leftOut: 0,
  leftOutCost: 0,
  leftOutSimulated: 0,
}

const both = (left: Sums, right: Sums): Sums => ({
  calls: left.calls + right.calls,
  compared: left.compared + right.compared,
  input: left.input + right.input,
  output: left.output + right.output,
  cost: left.cost + right.cost,
  as: left.as + right.as,
  simulated: left.simulated + right.simulated,
  asSimulated: left.asSimulated + right.asSimulated,
  unpriced: left.unpriced + right.unpriced,
  asUnpriced: left.asUnpriced + right.asUnpriced,
  leftOut: left.leftOut + right.leftOut,
  leftOutCost: left.leftOutCost + right.leftOutCost,
  leftOutSimulated: left.leftOutSimulated + right.leftOutSimulated,
})

/** Each request alone: how large a prompt is decides its tier. */
const priceAs = ({ costStatus, parts }: CostedCall, { price: rate }: Target): number | null => {
  if (costStatus === "replayed" || parts.length === 0) return null
  return parts.reduce<number | null>((sum, { usage }) => {
    const { nanoUsd } = price(usage, rate)
    return sum === null || nanoUsd === null ? null : sum + nanoUsd
  }, 0)
}

const ofCall = (call: CostedCall, wanted: Target): Sums => {
  const { totals, costStatus } = call
  const own = {
    ...EMPTY,
    calls: 1,
    input: totals.input_tokens,
    output: totals.output_tokens,
    cost: totals.cost_nanousd,
    simulated: totals.simulated_cost_nanousd,
    unpriced: totals.unpriced_calls,
  }
  const as = priceAs(call, wanted)
  // The sandbox answered and nobody knows a rate: there is nothing to compare with.
  const hasNoCost = costStatus === "simulated" && call.nanoUsd === null
  if (as === null || hasNoCost || costStatus === null) {
    return { ...own, leftOut: 1, leftOutCost: totals.cost_nanousd, leftOutSimulated: totals.simulated_cost_nanousd }
  }
  if (costStatus === "simulated") return { ...own, compared: 1, asSimulated: as }
  return costStatus === "unpriced" ? { ...own, asUnpriced: as } : { ...own, compared: 1, as }
}

const groupOf = (group: string, sums: Sums): AsGroup => {
  const difference = sums.as - (sums.cost - sums.leftOutCost)
  return {
    group,
    calls: sums.calls,
    compared_calls: sums.compared,
    input_tokens: sums.input,
    output_tokens: sums.output,
    cost_nanousd: sums.cost,
    cost_usd: toUsd(sums.cost),
    as_nanousd: sums.as,
    as_usd: toUsd(sums.as),
    difference_nanousd: difference,
    difference_usd: toUsd(difference),
    simulated_cost_nanousd: sums.simulated,
    as_simulated_nanousd: sums.asSimulated,
    simulated_difference_nanousd: sums.asSimulated - (sums.simulated - sums.leftOutSimulated),
    unpriced_calls: sums.unpriced,
    as_unpriced_nanousd: sums.asUnpriced,
    left_out_calls: sums.leftOut,
    left_out_cost_nanousd: sums.leftOutCost,
  }
}

/** Sums under their keys while calls stream by. */
export type Groups = Map<string, Sums>

export const none = (): Groups => new Map()

/** The groups with one more call. */
export const step =
  (by: Key, wanted: Target) =>
  (groups: Groups, call: CostedCall): Groups => {
    const key = keyOf(call, by)
    return groups.set(key, both(groups.get(key) ?? EMPTY, ofCall(call, wanted)))
  }

export const total = (groups: Groups): AsGroup => groupOf("total", [...groups.values()].reduce(both, EMPTY))

/** Dearest first; days newest first. */
export const sorted = (groups: Groups, by: Key): ReadonlyArray<AsGroup> =>
  Array.from(groups, ([name, sums]) => groupOf(name, sums)).sort((left, right) =>
    by === "day"
      ? right.group.localeCompare(left.group)
      : right.cost_nanousd - left.cost_nanousd ||
        right.as_nanousd - left.as_nanousd ||
        right.as_simulated_nanousd - left.as_simulated_nanousd ||
        left.group.localeCompare(right.group),
  )
