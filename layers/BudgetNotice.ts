import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BudgetService } from "../services/Budget.js"
import { type BudgetLimits, ofCalendar, ofLaunch } from "../src/domain/BudgetLimits.js"
import type { About } from "../src/domain/BudgetWindow.js"
import * as PlainLine from "../src/domain/PlainLine.js"
import * as BudgetWebhook from "./BudgetWebhook.js"

export type { WebhookOptions } from "./BudgetWebhook.js"

export interface Options extends BudgetLimits {
  readonly webhook?: BudgetWebhook.WebhookOptions | undefined
}

/** The first limit in USD that a call of unknown price slips under. */
const blindLimit = (limits: BudgetLimits, about: About, atMillis: number): string | undefined =>
  [...ofLaunch(limits), ...ofCalendar(limits, about, atMillis)].find(({ measure }) => measure === "cost")?.key

const unseen = (key: string, model: string): string =>
  `No price is known for ${PlainLine.of(model).slice(0, 120)}: its calls count as calls and tokens, but ${key} does not see them. ` +
  "Give its price in the file that RUNLEDGER_PRICES names, or set budgets.max_calls or budgets.max_tokens."

/** A budget whose alerts go to the webhook too, and that says once a model when limits in USD do not see its calls. */
export const noticed = <B extends BudgetService>(budget: B, options: Options): Effect.Effect<B, never, Scope.Scope> =>
  Effect.gen(function* () {
    const tell = options.webhook === undefined ? undefined : yield* BudgetWebhook.make(options.webhook)
    const told = new Set<string>()
    const warn = (about: About, atMillis: number): Effect.Effect<void> =>
      Effect.suspend(() => {
        const key = blindLimit(options, about, atMillis)
        if (key === undefined || told.has(about.model)) return Effect.void
        told.add(about.model)
        return Effect.logWarning(unseen(key, about.model))
      })
    return {
      ...budget,
      settle: (reservation, actual) =>
        Effect.gen(function* () {
          const alerts = yield* budget.settle(reservation, actual)
          if (tell !== undefined) yield* Effect.forEach(alerts, tell, { discard: true })
          if ((actual.unpricedCalls ?? 0) > 0) yield* warn(reservation.about, reservation.atMillis)
          return alerts
        }),
    }
  })
