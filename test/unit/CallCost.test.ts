import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorSequence from "../../layers/IdGeneratorSequence.js"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import { EventLog } from "../../services/EventLog.js"
import { LlmClient, streamOf } from "../../services/LlmClient.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import { type Attempt, LlmError, type LlmResponse } from "../../src/domain/Llm.js"
import * as Usage from "../../src/domain/Usage.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import { request } from "../support/InstantModel.js"

const attempt = (fields: Partial<Attempt>): Attempt => ({
  n: 1,
  started_at: "2026-11-20T12:00:00.000Z",
  duration_ms: 10,
  http_status: 200,
  error_class: null,
  retry_after_ms: null,
  ...fields,
})

const usage = Usage.fromMessagesApi({ input_tokens: 1000, output_tokens: 100 })
/** Sonnet 4.5: 3 and 15 USD a million. */
const ANSWER = 1000 * 3000 + 100 * 15_000
/** Haiku 4.5: 1 and 5 USD a million. */
const HAIKU = 1000 * 1000 + 100 * 5000

const billed = attempt({ error_class: "EmptyResponse", token_usage: Usage.toWire(usage), usage_source: "lower_bound" })

const answer: LlmResponse = {
  content: [{ type: "text", text: "A book." }],
  usage,
  finishReason: "stop",
  stopReason: "end_turn",
  model: "claude-sonnet-4-5-20250929",
  requestId: "req_9",
  attempts: [],
  source: "provider",
}

/** The payload that closes a call whose client says this. */
const closing = (said: Effect.Effect<LlmResponse, LlmError>) =>
  Effect.gen(function* () {
    const llm = yield* LlmSpan
    const call = yield* Effect.either(llm.generate(request(1), { callId: "one" }))
    const { events } = yield* (yield* EventLog).read({ offset: 0, lines: 0, hash: GENESIS_HASH }, 1_000_000)
    const payload: Readonly<Record<string, unknown>> = { ...events.at(-1)?.payload }
    return { payload, call }
  }).pipe(
    Effect.provide(LlmSpan.layer),
    Effect.provide(Recorder.layer),
    Effect.provide([
      EventLogMemory.layer,
      IdGeneratorSequence.layer,
      Layer.provide(PriceBookTable.layer({}), FileSystem.layerNoop({})),
      CurrentRunDetached.layer({ runId: "run-001" }),
      Layer.succeed(LlmClient, {
        provider: "anthropic",
        baseUrl: null,
        generate: () => said,
        stream: streamOf(() => said),
      }),
    ]),
  )

describe("the cost of a call with attempts that are billed", () => {
  it.effect("a call over a change of price is priced otherwise than when a server or a repricing prices it", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.parse("2026-10-06T23:59:30Z"))
      const cached = {
        ...answer,
        model: "claude-sonnet-5-5",
        usage: { ...Usage.none, cacheRead: 1000, source: "provider" as const },
      }
      const { payload } = yield* closing(Effect.as(TestClock.adjust("1 minute"), cached))
      // Reads cost 0.20 USD a million until the day's end, and 0.10 from then on.
      expect(payload).toMatchObject({ cost_nanousd: 200_000, price_effective_from: null })
    }),
  )

  it.live("an answer after a billed failure costs both, each at its own model's price, once", () =>
    Effect.gen(function* () {
      const attempts = [
        { ...billed, provider: "anthropic", model: "claude-haiku-4-5" },
        attempt({ n: 2, provider: "anthropic", model: "claude-sonnet-4-5", duration_ms: 15 }),
      ]
      const { call, payload } = yield* closing(Effect.succeed({ ...answer, attempts }))
      expect(payload).toMatchObject({
        cost_nanousd: ANSWER + HAIKU,
        cost_status: "priced",
        token_usage: { input_tokens: 2000, output_tokens: 200 },
        usage_source: "lower_bound",
        model_latency_ms: 25,
        attempts: [{ cost_nanousd: HAIKU, cost_status: "priced" }, { n: 2 }],
      })
      expect(payload["attempts"]).not.toHaveProperty([1, "cost_nanousd"])
      expect(Either.getOrThrow(call)).toMatchObject({ usage: { output: 100 }, cost: { nanoUsd: ANSWER + HAIKU } })
    }),
  )

  it.live("a failure is priced by its attempts, and by its own usage only where no attempt tells one", () =>
    Effect.gen(function* () {
      const failure = (attempts: ReadonlyArray<Attempt>) =>
        new LlmError({
          reason: "EmptyResponse",
          message: "nothing",
          retryable: true,
          status: 200,
          requestId: null,
          attempts,
          usage,
          source: "provider",
        })
      const told = yield* closing(Effect.fail(failure([billed])))
      expect(told.payload).toMatchObject({ cost_nanousd: ANSWER, attempts: [{ cost_nanousd: ANSWER }] })
      const silent = yield* closing(Effect.fail(failure([attempt({ error_class: "EmptyResponse" })])))
      expect(silent.payload).toMatchObject({ cost_nanousd: ANSWER })
      expect(silent.payload["attempts"]).not.toHaveProperty([0, "cost_nanousd"])
    }),
  )

  it.live("a sum with a part that nobody can price is unpriced; sandbox money stands beside no real money", () =>
    Effect.gen(function* () {
      const unknown = yield* closing(Effect.succeed({ ...answer, attempts: [{ ...billed, model: "no-such-model" }] }))
      expect(unknown.payload).toMatchObject({
        cost_nanousd: null,
        cost_status: "unpriced",
        attempts: [{ cost_nanousd: null, cost_status: "unpriced" }],
      })
      const mixed = yield* closing(
        Effect.succeed({ ...answer, source: "sandbox" as const, attempts: [{ ...billed, provider: "anthropic" }] }),
      )
      expect(mixed.payload).toMatchObject({ cost_nanousd: ANSWER, cost_status: "priced" })
    }),
  )
})
