import * as fs from "node:fs"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as BudgetLedger from "../../layers/BudgetLedger.js"
import { Budget, type Spending } from "../../services/Budget.js"

// Spends from the month's budget of the runs folder that its first word names. `spend` makes so many calls at once, each of which
// sets aside and then uses so many nano-dollars; `hold` sets aside and never ends. It says on stdout, a line each, `held`, `granted`,
// `settled` and `refused`.

const [runsDir = "", deed = "", limit = "", calls = "", aside = "", used = ""] = process.argv.slice(2)
const about = { worker: "W1", model: "claude-sonnet-4-5" }

const say = (line: string) => Effect.sync(() => void fs.writeSync(1, `${line}\n`))
const spending = (nanoUsd: string): Spending => ({ calls: 1, tokens: 1, nanoUsd: Number(nanoUsd) })

const call = Effect.gen(function* () {
  const budget = yield* Budget
  const reservation = yield* budget.reserve(spending(aside), about)
  yield* say("granted")
  yield* Effect.sleep(yield* Random.nextIntBetween(1, 30))
  yield* budget.settle(reservation, spending(used))
  yield* say("settled")
}).pipe(Effect.catchTag("BudgetExceeded", () => say("refused")))

const spend = Effect.forEach(Array.from({ length: Number(calls) }), () => call, { concurrency: "unbounded" })

const hold = Effect.gen(function* () {
  const budget = yield* Budget
  yield* budget.reserve(spending(aside), about)
  yield* say("held")
  return yield* Effect.never
})

NodeRuntime.runMain(
  (deed === "hold" ? hold : spend).pipe(
    Effect.provide(BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: Number(limit) })),
  ),
)
