import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as BudgetPerRun from "../../layers/BudgetPerRun.js"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorSequence from "../../layers/IdGeneratorSequence.js"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import { Budget } from "../../services/Budget.js"
import { EventLog } from "../../services/EventLog.js"
import { LlmClient } from "../../services/LlmClient.js"
import type { BudgetLimits } from "../../src/domain/BudgetLimits.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import type { LlmRequest, LlmResponse } from "../../src/domain/Llm.js"
import * as Usage from "../../src/domain/Usage.js"
import * as Budgeted from "../../src/telemetry/Budgeted.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import * as Unrecorded from "../../src/telemetry/Unrecorded.js"
import * as WarningLog from "../support/WarningLog.js"

const asking = (model: string): LlmRequest => ({
  model,
  messages: [{ role: "user", content: "What is a ledger?" }],
  temperature: 0,
  maxTokens: 4000,
})

const known = asking("claude-sonnet-4-5")
const unknown = asking("nobodys-model-1")

/** $0.0495 at 3 and 15 dollars a million. */
const usage = Usage.fromMessagesApi({ input_tokens: 1500, output_tokens: 3000 })
const CALL = 49_500_000

const spent = Effect.flatMap(Budget, (budget) => budget.spent)

/** A provider that answers with a usage, and how often it was asked. */
const provider = (used: Usage.Usage) => {
  const asked: Array<string> = []
  const client = Layer.succeed(LlmClient, {
    provider: "anthropic",
    baseUrl: null,
    generate: ({ model }) =>
      Effect.sync((): LlmResponse => {
        asked.push(model)
        return {
          content: [{ type: "text", text: "A ledger never forgets." }],
          usage: used,
          finishReason: "stop",
          stopReason: "end_turn",
          model,
          requestId: null,
          attempts: [],
          source: "provider",
        }
      }),
    stream: () => Stream.empty,
  })
  return { asked, client }
}

const prices = Layer.orDie(PriceBookTable.layer({})).pipe(Layer.provide(FileSystem.layerNoop({})))

const recording = (client: Layer.Layer<LlmClient>, limits: BudgetLimits, log: WarningLog.WarningLog) =>
  LlmSpan.layer.pipe(
    Layer.provideMerge(Recorder.layer),
    Layer.provideMerge(
      Layer.mergeAll(client, prices, EventLogMemory.layer, IdGeneratorSequence.layer, BudgetPerRun.layer(limits)),
    ),
    Layer.provideMerge(CurrentRunDetached.layer({ runId: "run-001" })),
    Layer.provideMerge(log.layer),
  )

describe("Budgeted, of calls whose cost nobody knows", () => {
  it.effect(
    "a call of unknown price is made although the budget is to refuse it, or one of a known price is not",
    () => {
      const { asked, client } = provider(usage)
      return Effect.gen(function* () {
        const refused = yield* Effect.either(Budgeted.generate(unknown))
        expect(Either.isLeft(refused) && refused.left).toMatchObject({ _tag: "BudgetExceeded", scope: "cost" })
        yield* Budgeted.generate(known)
        expect(asked).toEqual([known.model])
      }).pipe(Effect.provide(recording(client, { maxCostUsd: 1, unpriced: "refuse" }, WarningLog.make())))
    },
  )

  it.effect("it is said only when the money is spent, or at every call, that a limit does not see it", () => {
    const { client } = provider(usage)
    const log = WarningLog.make()
    return Effect.gen(function* () {
      const budget = yield* Budget
      yield* Budgeted.generate(unknown)
      yield* Budgeted.generate(unknown)
      expect(log.warnings().filter((line) => line.includes("does not see"))).toHaveLength(1)
      yield* budget.reserve({ calls: 1, tokens: 1, nanoUsd: 0, unpricedCalls: 1 }, { model: "another" })
      expect(log.warnings().at(-1)).toMatch(/No price is known for another.*budgets\.max_cost_usd/)
    }).pipe(Effect.provide(recording(client, { maxCostUsd: 1 }, log)))
  })

  it.effect("answers that tell no usage are taken for free", () => {
    const { client } = provider(Usage.none)
    const log = WarningLog.make()
    return Effect.gen(function* () {
      yield* Budgeted.generate(known)
      expect(yield* spent).toMatchObject({ calls: 1, nanoUsd: 0, unpricedCalls: 1 })
      expect(log.warnings().join()).toMatch(/claude-sonnet-4-5 told no usage.*budgets\.max_cost_usd/)
    }).pipe(Effect.provide(recording(client, { maxCostUsd: 1 }, log)))
  })

  it.effect("calls that cannot be recorded cost nothing, so that no limit ends them", () => {
    const { asked, client } = provider(usage)
    return Effect.gen(function* () {
      yield* Budgeted.generate(known)
      expect(yield* spent).toMatchObject({ calls: 1, nanoUsd: CALL, unpricedCalls: 0 })
      yield* Budgeted.generate(known)
      expect(Either.isLeft(yield* Effect.either(Budgeted.generate(known)))).toBe(true)
      expect(asked).toHaveLength(2)
    }).pipe(
      Effect.provide(Layer.effectContext(Unrecorded.context)),
      Effect.provide(Layer.mergeAll(client, prices, BudgetPerRun.layer({ maxCostUsd: 0.15 }), WarningLog.make().layer)),
    )
  })
})

describe("Budgeted, of thresholds", () => {
  it.effect("a call that crosses them all warns of each, or leaves one out of the events", () => {
    const log = WarningLog.make()
    return Effect.gen(function* () {
      yield* Budgeted.generate(known)
      const { events } = yield* (yield* EventLog).read({ offset: 0, lines: 0, hash: GENESIS_HASH }, 1_000_000)
      expect(events.filter(({ type }) => type === "BUDGET_ALERT")).toHaveLength(3)
      expect(log.warnings()).toEqual(["100 % of budgets.max_calls is used: 1 of 1 call."])
    }).pipe(Effect.provide(recording(provider(usage).client, { maxCalls: 1 }, log)))
  })
})
