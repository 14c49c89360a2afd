import * as Effect from "effect/Effect"
import * as BudgetLedger from "../../layers/BudgetLedger.js"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as Runledger from "../../layers/Runledger.js"
import { Budgeted, Llm, RecordedRun } from "../index.js"

const poem = (subject: string) =>
  Budgeted.generate(
    {
      model: "claude-sonnet-4-5",
      messages: [{ role: "user", content: `Write a poem about ${subject}.` }],
      temperature: 0,
      maxTokens: 4000,
    },
    { worker: "Poet" },
  )

/** Writes as many poems as the budget allows. A call that could break a limit is not made. */
const program = Effect.gen(function* () {
  const written: Array<string> = []
  for (const subject of ["ledgers", "lamps", "rivers", "roofs"]) {
    const answer = yield* Effect.either(poem(subject))
    if (answer._tag === "Right") written.push(Llm.text(answer.right))
    else if (answer.left._tag === "BudgetExceeded") return { written, stopped: answer.left.message }
    else return yield* answer.left
  }
  return { written, stopped: null }
}).pipe(Effect.withSpan("poems"))

/**
 * Fifteen cents a launch, and thirty a day of all programs together that use this runs folder. The sandbox's money never counts: to
 * see a stop without paying, add `maxCalls: 2`.
 */
const Limits = BudgetLedger.layerConfig({ maxCostUsd: 0.15, maxCostUsdPerDay: 0.3, perWorker: { Poet: 20 } })

export const main = program.pipe(
  Effect.provide(RecordedRun.layer({ agent_name: "poet", job_type: "poems" })),
  Effect.provide([Runledger.layer({ name: "poems" }), LlmClientAnthropic.layerConfig(), Limits]),
)
