import * as Option from "effect/Option"
import type { PriceBookService } from "../../services/PriceBook.js"
import * as Cost from "../domain/Cost.js"
import type { AnswerSource, Attempt } from "../domain/Llm.js"
import { withoutDate } from "../domain/PriceTable.js"
import * as Usage from "../domain/Usage.js"

/** Who is asked for what, and when (epoch milliseconds): what decides the price. */
export interface Asked {
  readonly provider: string
  readonly model: string
  readonly atMillis: number
}

let compared: { readonly left: string; readonly right: string; readonly same: boolean } | undefined

/** Whether two names differ by a date at most; most calls ask what the one before has asked. */
const isSameModel = (left: string, right: string): boolean => {
  if (left === right) return true
  if (compared?.left === left && compared.right === right) return compared.same
  const same = withoutDate(left) === withoutDate(right)
  compared = { left, right, same }
  return same
}

/** The price of the model that answered; of the one that was asked only where both are the same but for a date. */
const priceOf = (asked: Asked, answered: string | null, prices: PriceBookService): Option.Option<Cost.Price> => {
  const { atMillis, model, provider } = asked
  if (answered !== null && !isSameModel(answered, model)) return prices.unsafePriceOf(provider, answered, atMillis)
  return Option.orElse(prices.unsafePriceOf(provider, answered ?? model, atMillis), () =>
    prices.unsafePriceOf(provider, model, atMillis),
  )
}

/** What a usage costs; `answered` is the model that the provider says answered. */
export const costOf = (
  asked: Asked,
  usage: Usage.Usage,
  source: AnswerSource,
  answered: string | null,
  prices: PriceBookService,
): Cost.Cost => {
  if (source === "replay") return Cost.replayed
  const noRate = source === "sandbox" ? Cost.simulatedUnpriced : Cost.unpriced
  if (usage.source === "none") return noRate
  return Option.match(priceOf(asked, answered, prices), {
    onNone: () => noRate,
    onSome: (price) => Cost.price(usage, price, source === "sandbox" ? "simulated" : "priced"),
  })
}

/** What was used, and what it cost. */
export interface Used {
  readonly usage: Usage.Usage
  readonly cost: Cost.Cost
}

/** Attempts with their costs, and what those that failed used together. */
export interface PricedAttempts {
  readonly attempts: ReadonlyArray<Attempt>
  readonly used: Used | undefined
}

const sourceOf = ({ provider }: Attempt, source: AnswerSource): AnswerSource => {
  if (provider === undefined) return source
  return provider === "sandbox" || provider === "replay" ? provider : "provider"
}

/** Prices what failed attempts are billed; attempts without a bill are left as they are. */
export const ofAttempts = (
  asked: Asked,
  attempts: ReadonlyArray<Attempt>,
  source: AnswerSource,
  prices: PriceBookService,
): PricedAttempts => {
  let used: Used | undefined
  let priced: Array<Attempt> | undefined
  for (let index = 0; index < attempts.length; index++) {
    const attempt = attempts[index]
    if (attempt?.token_usage === undefined) continue
    const usage = Usage.fromWire(attempt.token_usage, attempt.usage_source ?? "provider")
    const whom = { ...asked, provider: attempt.provider ?? asked.provider, model: attempt.model ?? asked.model }
    const cost = costOf(whom, usage, sourceOf(attempt, source), null, prices)
    priced ??= [...attempts]
    priced[index] = { ...attempt, cost_nanousd: cost.nanoUsd, cost_status: cost.status }
    used =
      used === undefined
        ? { usage, cost }
        : { usage: Usage.add(used.usage, usage), cost: Cost.together(used.cost, cost) }
  }
  return { attempts: priced ?? attempts, used }
}
