import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as BudgetPerRun from "../../layers/BudgetPerRun.js"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorSequence from "../../layers/IdGeneratorSequence.js"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import { Budget, BudgetExceeded } from "../../services/Budget.js"
import { EventLog } from "../../services/EventLog.js"
import { LlmClient, type LlmClientService } from "../../services/LlmClient.js"
import type { BudgetLimits } from "../../src/domain/BudgetLimits.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import { LlmError, type LlmRequest, type LlmResponse } from "../../src/domain/Llm.js"
import * as LlmChunk from "../../src/domain/LlmChunk.js"
import * as Usage from "../../src/domain/Usage.js"
import * as Budgeted from "../../src/telemetry/Budgeted.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import * as WarningLog from "../support/WarningLog.js"

const request: LlmRequest = {
  model: "claude-sonnet-4-5",
  messages: [{ role: "user", content: "What is a ledger?" }],
  temperature: 0,
  maxTokens: 4000,
}

/** $0.0495 at 3 and 15 dollars a million. */
const usage = Usage.fromMessagesApi({ input_tokens: 1500, output_tokens: 3000 })
const CALL = 49_500_000
/** Its input alone. */
const INPUT = 4_500_000

const answer: LlmResponse = {
  content: [{ type: "text", text: "A ledger never forgets." }],
  usage,
  finishReason: "stop",
  stopReason: "end_turn",
  model: "claude-sonnet-4-5-20250929",
  requestId: null,
  attempts: [],
  source: "provider",
}

const client = (generate: LlmClientService["generate"]): LlmClientService => ({
  provider: "anthropic",
  baseUrl: null,
  generate,
  stream: (asked) =>
    Stream.unwrap(Effect.map(generate(asked), (response) => Stream.fromIterable(LlmChunk.ofResponse(response)))),
})

const recording = (llm: LlmClientService, limits: BudgetLimits) =>
  LlmSpan.layer.pipe(
    Layer.provideMerge(Recorder.layer),
    Layer.provideMerge(
      Layer.mergeAll(
        Layer.succeed(LlmClient, llm),
        Layer.orDie(PriceBookTable.layer({})).pipe(Layer.provide(FileSystem.layerNoop({}))),
        EventLogMemory.layer,
        IdGeneratorSequence.layer,
        BudgetPerRun.layer(limits),
      ),
    ),
    Layer.provideMerge(CurrentRunDetached.layer({ runId: "run-001" })),
    Layer.provide(WarningLog.make().layer),
  )

const answering = client(() => Effect.succeed(answer))
const failure = new LlmError({
  reason: "Overloaded",
  message: "overloaded",
  retryable: true,
  status: 529,
  source: "provider",
  requestId: null,
  attempts: [],
  usage: { ...Usage.fromMessagesApi({ input_tokens: 1500, output_tokens: 0 }), source: "lower_bound" },
})

const spent = Effect.flatMap(Budget, (budget) => budget.spent)

const types = Effect.gen(function* () {
  const log = yield* EventLog
  const { events } = yield* log.read({ offset: 0, lines: 0, hash: GENESIS_HASH }, 10_000_000)
  return events.map(({ type }) => type)
})

describe("Budgeted.generate", () => {
  it.effect("counts what a call used, raises its alerts as events, and makes no call that the budget refuses", () =>
    Effect.gen(function* () {
      yield* Budgeted.generate(request)
      yield* Budgeted.generate(request)
      const refused = yield* Effect.either(Budgeted.generate(request))
      expect(Either.isLeft(refused) && refused.left).toBeInstanceOf(BudgetExceeded)
      expect(yield* spent).toMatchObject({ calls: 2, nanoUsd: 2 * CALL, tokens: 9000 })
      expect(yield* types).toEqual([
        "LLM_CALL_STARTED",
        "LLM_CALL_FINISHED",
        "LLM_CALL_STARTED",
        "LLM_CALL_FINISHED",
        "BUDGET_ALERT",
      ])
    }).pipe(Effect.provide(recording(answering, { maxCostUsd: 0.15 }))),
  )

  it.effect("a failed call is counted with what it is billed for sure", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Budgeted.generate(request))
      expect(Exit.isFailure(exit)).toBe(true)
      expect(yield* spent).toMatchObject({ calls: 1, nanoUsd: INPUT })
    }).pipe(
      Effect.provide(
        recording(
          client(() => Effect.fail(failure)),
          { maxCostUsd: 1 },
        ),
      ),
    ),
  )

  it.effect("an interrupted call leaves its reservation behind, or is not counted as a call", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      for (let call = 0; call < 20; call += 1) {
        const fiber = yield* Effect.fork(Budgeted.generate(request))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(fiber)
      }
      expect((yield* budget.spent).calls).toBe(20)
      // Room for everything: nothing is set aside any more.
      yield* budget.reserve({ calls: 1, tokens: 1, nanoUsd: 1e9 }, { model: "m" })
    }).pipe(
      Effect.provide(
        recording(
          client(() => Effect.never),
          { maxCostUsd: 1 },
        ),
      ),
    ),
  )

  it.effect("a call that waits for others is cut off by a deadline, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const budget = yield* Budget
      const others = yield* budget.reserve({ calls: 1, tokens: 1, nanoUsd: 1e9 }, { model: "m" })
      const late = new BudgetExceeded({
        scope: "runtime",
        budget: "launch",
        window: "this launch",
        limit: 1,
        spent: 1,
        message: "late",
      })
      const llm = yield* LlmSpan
      const waiting = yield* Effect.fork(
        Effect.either(
          Budgeted.around(
            request,
            { within: (effect) => Effect.timeoutFail(effect, { duration: "1 seconds", onTimeout: () => late }) },
            llm.generate(request),
          ),
        ),
      )
      yield* Effect.yieldNow()
      yield* TestClock.adjust("2 seconds")
      expect(Either.isLeft(yield* Fiber.join(waiting))).toBe(true)
      yield* budget.settle(others, { calls: 0, tokens: 0, nanoUsd: 0 })
      yield* budget.reserve({ calls: 1, tokens: 1, nanoUsd: 1e9 }, { model: "m" })
      expect((yield* budget.spent).calls).toBe(0)
    }).pipe(Effect.provide(recording(answering, { maxCostUsd: 1 }))),
  )

  it.effect("the sandbox's and replayed answers are counted as money, or wait for it", () =>
    Effect.gen(function* () {
      yield* Budgeted.generate(request)
      expect(yield* spent).toMatchObject({ calls: 1, nanoUsd: 0, tokens: 4500 })
    }).pipe(
      Effect.provide(
        recording(
          { ...client(() => Effect.succeed({ ...answer, source: "sandbox" as const })), provider: "sandbox" },
          { maxCostUsd: 0 },
        ),
      ),
    ),
  )
})

describe("Budgeted.stream", () => {
  it.effect("counts what a stream used when it is read to its end, once", () =>
    Effect.gen(function* () {
      const chunks = yield* Stream.runCollect(Budgeted.stream(request, { worker: "W" }))
      expect(Chunk.toReadonlyArray(chunks).map(({ _tag }) => _tag)).toEqual(["Started", "Text", "Finished"])
      expect(yield* spent).toMatchObject({ calls: 1, nanoUsd: CALL })
    }).pipe(Effect.provide(recording(answering, { maxCostUsd: 1 }))),
  )

  it.effect("a stream that its reader leaves early is counted with what is billed for sure, or not given back", () =>
    Effect.gen(function* () {
      yield* Stream.runDrain(Stream.take(Budgeted.stream(request), 2))
      expect(yield* spent).toMatchObject({ calls: 1, nanoUsd: INPUT })
      yield* Effect.flatMap(Budget, (budget) =>
        budget.reserve({ calls: 1, tokens: 1, nanoUsd: 1e9 - INPUT }, { model: "m" }),
      )
    }).pipe(Effect.provide(recording(answering, { maxCostUsd: 1 }))),
  )

  it.effect("a stream that is left early loses what attempts before it were billed", () => {
    const attempt = {
      ...{ n: 1, started_at: "2026-11-20T12:00:00.000Z", duration_ms: 5, http_status: 200, retry_after_ms: null },
      ...{ error_class: "EmptyResponse", token_usage: Usage.toWire(usage), usage_source: "provider" as const },
    }
    return Effect.gen(function* () {
      yield* Stream.runDrain(Stream.take(Budgeted.stream(request), 1))
      expect(yield* spent).toMatchObject({ calls: 1, nanoUsd: CALL + INPUT })
    }).pipe(
      Effect.provide(
        recording(
          client(() => Effect.succeed({ ...answer, attempts: [attempt] })),
          { maxCostUsd: 1 },
        ),
      ),
    )
  })

  it.effect("a stream is asked for although the budget refuses it", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.either(Stream.runDrain(Budgeted.stream(request)))
      expect(Either.isLeft(refused) && refused.left).toMatchObject({ _tag: "BudgetExceeded" })
      expect(yield* types).toEqual([])
    }).pipe(Effect.provide(recording(answering, { maxCostUsd: 0.01 }))),
  )

  it.effect("a stream that fails loses what was billed", () =>
    Effect.gen(function* () {
      expect(Exit.isFailure(yield* Effect.exit(Stream.runDrain(Budgeted.stream(request))))).toBe(true)
      expect(yield* spent).toMatchObject({ calls: 1, nanoUsd: INPUT })
    }).pipe(
      Effect.provide(
        recording(
          client(() => Effect.fail(failure)),
          { maxCostUsd: 1 },
        ),
      ),
    ),
  )
})

/** A call: what it sets aside, what it uses, how many turns it takes. */
const call = FastCheck.record({
  aside: FastCheck.integer({ min: 1, max: 40 }),
  used: FastCheck.integer({ min: 0, max: 60 }),
  turns: FastCheck.integer({ min: 0, max: 9 }),
})

describe("any 64 calls at once", () => {
  it.effect.prop(
    "overshoot the limit by more than what those in flight used beyond their estimates",
    { calls: FastCheck.array(call, { minLength: 64, maxLength: 64 }) },
    ({ calls }) =>
      Effect.gen(function* () {
        const budget = yield* Budget
        const limit = 100
        const start = yield* Deferred.make<void>()
        const inFlight = new Map<number, number>()
        let bound = 0
        const one = ({ aside, turns, used }: (typeof calls)[number], index: number) =>
          Effect.gen(function* () {
            yield* Deferred.await(start)
            const reservation = yield* budget.reserve({ calls: 1, tokens: 1, nanoUsd: aside }, { model: "m" })
            inFlight.set(index, Math.max(0, used - aside))
            bound = Math.max(
              bound,
              [...inFlight.values()].reduce((sum, beyond) => sum + beyond, 0),
            )
            for (let turn = 0; turn < turns; turn += 1) yield* Effect.yieldNow()
            inFlight.delete(index)
            yield* budget.settle(reservation, { calls: 1, tokens: 1, nanoUsd: used })
          })
        const fibers = yield* Effect.forEach(calls, (each, index) => Effect.fork(Effect.either(one(each, index))))
        yield* Deferred.succeed(start, undefined)
        const ended = yield* Fiber.join(Fiber.all(fibers))
        const { nanoUsd } = yield* budget.spent
        expect(ended).toHaveLength(64)
        expect(nanoUsd).toBeLessThanOrEqual(limit + bound)
      }).pipe(Effect.provide(BudgetPerRun.layer({ maxCostUsd: 100 / 1e9, maxCostUsdPerDay: 100 / 1e9 }))),
    { fastCheck: { numRuns: 20 }, timeout: 60_000 },
  )
})
