import * as nodePath from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as BudgetLedgerReport from "../../layers/BudgetLedgerReport.js"
import { Budget, type Spending } from "../../services/Budget.js"

/** Whom calls are for. */
export const about = { worker: "W2.FactsBuilder", model: "claude-sonnet-4-5" }

export const spend = (nanoUsd: number): Spending => ({ calls: 1, tokens: 10, nanoUsd })

/** The ledger of a runs folder. */
export const fileIn = (runsDir: string): string => nodePath.join(runsDir, ".budget", "ledger.sqlite")

/** Sets aside, and spends just that. */
export const buy = (spending: Spending) =>
  Effect.gen(function* () {
    const budget = yield* Budget
    return yield* budget.settle(yield* budget.reserve(spending, about), spending)
  })

/** The month's row of what the ledger says. */
export const thisMonth = (runsDir: string) =>
  Effect.map(BudgetLedgerReport.read(runsDir), (report) => Option.getOrThrow(report).rows[1])
