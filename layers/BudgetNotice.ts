import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BudgetService, Reservation, Spending } from "../services/Budget.js"
import { type BudgetLimits, ofCalendar, ofLaunch } from "../src/domain/BudgetLimits.js"
import type { About } from "../src/domain/BudgetWindow.js"
import * as BudgetRules from "./BudgetRules.js"
import * as BudgetWebhook from "./BudgetWebhook.js"

export type { WebhookOptions } from "./BudgetWebhook.js"

export interface Options extends BudgetLimits {
  readonly webhook?: BudgetWebhook.WebhookOptions | undefined
}

/** The first limit in USD that a call of unknown price slips under. */
const blindLimit = (limits: BudgetLimits, about: About, atMillis: number): string | undefined =>
  [...ofLaunch(limits), ...ofCalendar(limits, about, atMillis)].find(({ measure }) => measure === "cost")?.key

const unseen = (key: string, model: string, { tokens }: Spending): string =>
  tokens === 0
    ? `An answer of ${BudgetRules.shownModel(model)} told no usage: such calls count as calls, but ${key} does not see them. ` +
      "Set budgets.max_calls, or have the provider tell the usage."
    : `No price is known for ${BudgetRules.shownModel(model)}: its calls count as calls and tokens, but ${key} does not see them. ` +
      "Give its price in the file that RUNLEDGER_PRICES names, set budgets.max_calls or budgets.max_tokens, or have such calls " +
      "refused with budgets.unpriced."

/** A budget whose alerts go to the webhook too, and that says once a model when limits in USD do not see its calls. */
export const noticed = <B extends BudgetService>(budget: B, options: Options): Effect.Effect<B, never, Scope.Scope> =>
  Effect.gen(function* () {
    const tell = options.webhook === undefined ? undefined : yield* BudgetWebhook.make(options.webhook)
    const told = new Set<string>()
    const warn = ({ about, atMillis }: Reservation, call: Spending): Effect.Effect<void> =>
      Effect.suspend(() => {
        if ((call.unpricedCalls ?? 0) === 0 || told.has(about.model)) return Effect.void
        const key = blindLimit(options, about, atMillis)
        if (key === undefined) return Effect.void
        told.add(about.model)
        return Effect.logWarning(unseen(key, about.model, call))
      })
    return {
      ...budget,
      reserve: (estimate, about) =>
        Effect.uninterruptible(
          Effect.tap(budget.reserve(estimate, about), (reservation) => warn(reservation, estimate)),
        ),
      settle: (reservation, actual) =>
        Effect.gen(function* () {
          const alerts = yield* budget.settle(reservation, actual)
          if (tell !== undefined) yield* Effect.forEach(alerts, tell, { discard: true })
          yield* warn(reservation, actual)
          return alerts
        }),
    }
  })
