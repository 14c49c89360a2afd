import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Budget } from "../services/Budget.js"
import type { BudgetLimits } from "../src/domain/BudgetLimits.js"
import * as BudgetMemory from "./BudgetMemory.js"
import * as BudgetNotice from "./BudgetNotice.js"

export interface Options extends BudgetLimits {
  /** Who else is told of alerts. */
  readonly webhook?: BudgetNotice.WebhookOptions | undefined
}

const make = (options: Options) =>
  Effect.flatMap(BudgetMemory.make(BudgetMemory.everything(options)), (memory) => BudgetNotice.noticed(memory, options))

/**
 * Limits of one run, in the memory of this process. At the limit a reservation fails at once; when only calls in flight stand in
 * the way it waits for them. Nothing is kept after the run: limits of a day, month, worker or model count what this very process
 * spends (`BudgetLedger` counts all processes). Alerts also go to the webhook when there is one, without holding anything up.
 */
export const layer = (options: Options): Layer.Layer<Budget> => Layer.scoped(Budget, make(options))
