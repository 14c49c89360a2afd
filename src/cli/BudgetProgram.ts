import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type BudgetReport, type BudgetRow, percentOf } from "../domain/BudgetReport.js"
import * as Timestamp from "../domain/Timestamp.js"
import type { BudgetOptions } from "./BudgetCommand.js"
import * as BudgetTable from "./BudgetTable.js"
import * as Dress from "./Dress.js"
import * as Environment from "./Environment.js"
import { printJson } from "./Reading.js"
import { Wiring } from "./Wiring.js"

const forecastJson = ({ forecast }: BudgetRow) => {
  if (forecast === null) return null
  switch (forecast._tag) {
    case "TooEarly":
      return {
        status: "too_early",
        known_minutes: forecast.knownMinutes,
        needed_minutes: forecast.neededMinutes,
        expected_nanousd: null,
        limit_at: null,
      }
    case "Reached":
      return { status: "limit_reached", expected_nanousd: forecast.expectedNanoUsd, limit_at: null }
    case "Forecast":
      return {
        status: forecast.limitAtMillis === null ? "within" : "limit_ahead",
        expected_nanousd: forecast.expectedNanoUsd,
        limit_at: forecast.limitAtMillis === null ? null : Timestamp.fromMillis(forecast.limitAtMillis),
      }
  }
}

const rowJson = (row: BudgetRow) => ({
  budget: row.kind,
  name: row.name === "" ? null : row.name,
  period: row.period,
  limit_nanousd: row.limitNanoUsd,
  spent_nanousd: row.spentNanoUsd,
  reserved_nanousd: row.reservedNanoUsd,
  percent: percentOf(row),
  calls: row.calls,
  tokens: row.tokens,
  unpriced_calls: row.unpricedCalls,
  refused_calls: row.refusedCalls,
  alerts: row.alerts,
  forecast: forecastJson(row),
})

const document = ({ atMillis, ledger, rows, sinceMillis }: BudgetReport) => ({
  ledger,
  at: Timestamp.fromMillis(atMillis),
  since: Timestamp.fromMillis(sinceMillis),
  budgets: rows.map(rowJson),
})

const NONE = { ledger: null, at: null, since: null, budgets: [] }

/** `budget`. */
export const program = (options: BudgetOptions) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const env = yield* Environment.load
    const runsDir = Environment.runsDirOf(options.runsDir, env)
    const report = yield* wiring.budgets(runsDir)
    if (options.json) {
      return yield* printJson(Option.match(report, { onNone: () => NONE, onSome: document }))
    }
    if (Option.isNone(report)) {
      return yield* Console.log(
        `No ledger of budgets in ${runsDir}: nothing was spent there yet. A launch that spends real money makes it, and so does one ` +
          "with budgets.max_cost_usd_per_day, max_cost_usd_per_month, per_worker or per_model in its run config.",
      )
    }
    yield* Console.log(BudgetTable.render(yield* Dress.style, report.value))
  })
