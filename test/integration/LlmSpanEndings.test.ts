import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import type { EventLog } from "../../services/EventLog.js"
import { LlmClient, type LlmClientService, streamOf } from "../../services/LlmClient.js"
import { PriceBook } from "../../services/PriceBook.js"
import type { Price } from "../../src/domain/Cost.js"
import { ChainedEvent } from "../../src/domain/Event.js"
import { LlmError, type LlmResponse } from "../../src/domain/Llm.js"
import * as Usage from "../../src/domain/Usage.js"
import * as Sandbox from "../../src/sandbox/Sandbox.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import {
  detached,
  events,
  generate,
  outcome,
  recording,
  request,
  servers,
  telemetry,
} from "../support/RecordedProgram.js"

const stub = (generate: LlmClientService["generate"]) =>
  Layer.succeed(LlmClient, { provider: "anthropic", baseUrl: null, generate, stream: streamOf(generate) })

const failedPayload = (generateOnce: LlmClientService["generate"]) => ended(generateOnce, generateStub)

const ended = <A, E>(generateOnce: LlmClientService["generate"], use: Effect.Effect<A, E, LlmSpan | EventLog>) =>
  Effect.gen(function* () {
    const exit = yield* Effect.exit(use)
    const [, failed] = yield* events
    return { exit, failed }
  }).pipe(
    Effect.provide(LlmSpan.layer.pipe(Layer.provide(stub(generateOnce)))),
    Effect.provide(
      Recorder.layer.pipe(
        Layer.provideMerge(Layer.mergeAll(EventLogMemory.layer, IdGeneratorLive.layer, noPrices)),
        Layer.provideMerge(detached),
      ),
    ),
  )

const generateStub = Effect.flatMap(LlmSpan, (llm) => llm.generate(request, { callId: "test_call" }))
const noPrices = Layer.succeed(PriceBook, {
  unsafePriceOf: () => Option.none(),
  listed: [],
  unpriced: [],
  readOn: "2026-01-01",
})

it.live("a defect inside a call is recorded as a defect, and stays one", () =>
  Effect.gen(function* () {
    const bug = new TypeError("undefined is not a function, token=sk-ant-api03-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
    const { exit, failed } = yield* failedPayload(() => Effect.die(bug))
    expect(Exit.isFailure(exit) && Option.getOrNull(Cause.dieOption(exit.cause))).toBe(bug)
    expect(failed).toMatchObject({ type: "LLM_CALL_FAILED", payload: { error_class: "Defect", retryable: false } })
    expect(JSON.stringify(failed)).not.toContain("sk-ant-api03-AAAA")
  }),
)

it.live("an interrupted call is recorded as interrupted, and stays interrupted", () =>
  Effect.gen(function* () {
    const { exit, failed } = yield* failedPayload(() => Effect.interrupt)
    expect(Exit.isInterrupted(exit)).toBe(true)
    expect(failed).toMatchObject({ type: "LLM_CALL_FAILED", payload: { error_class: "Interrupted" } })
  }),
)

const answer = (model: string | null): LlmResponse => ({
  content: [{ type: "text", text: "yes" }],
  usage: { ...Usage.none, uncachedInput: 1, output: 1, source: "provider" },
  finishReason: "stop",
  stopReason: "end_turn",
  model,
  requestId: null,
  attempts: [],
  source: "provider",
})

it.live("a call asked with odd values is written so that every reader of the log takes it", () =>
  Effect.gen(function* () {
    const odd = { ...request, temperature: Number.NaN, maxTokens: 0 }
    const { exit } = yield* ended(
      () => Effect.succeed(answer(null)),
      Effect.flatMap(LlmSpan, (llm) => llm.generate(odd, { callId: "", agentName: "", worker: "" })).pipe(
        Effect.zipRight(events),
        Effect.map((written) => written.map(Schema.is(ChainedEvent))),
      ),
    )
    expect(exit).toEqual(Exit.succeed([true, true]))
  }),
)

it.live("an answer of another model is never priced as the one that was asked", () =>
  Effect.gen(function* () {
    const known: Price = {
      priceId: "known",
      effectiveFrom: null,
      rates: { uncachedInput: 1000, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 1000 },
      tiers: [],
    }
    const prices = Layer.succeed(PriceBook, {
      unsafePriceOf: (_, model) => (model === request.model ? Option.some(known) : Option.none()),
      listed: [],
      unpriced: [],
      readOn: "2026-01-01",
    })
    const costOf = (model: string | null) =>
      Effect.map(generateStub, ({ cost }) => cost.status).pipe(
        Effect.provide(LlmSpan.layer.pipe(Layer.provide(stub(() => Effect.succeed(answer(model)))))),
        Effect.provide(
          Recorder.layer.pipe(
            Layer.provideMerge(Layer.mergeAll(EventLogMemory.layer, IdGeneratorLive.layer, prices)),
            Layer.provideMerge(detached),
          ),
        ),
      )
    expect(yield* costOf(null)).toBe("priced")
    expect(yield* costOf(`${request.model}-20250929`)).toBe("priced")
    expect(yield* costOf("its-unknown-sibling")).toBe("unpriced")
  }),
)

it.live("a call that used what its price does not know is written as free, or nobody learns what it was", () =>
  Effect.gen(function* () {
    const plain: Price = {
      priceId: "known",
      effectiveFrom: null,
      rates: { uncachedInput: 1000, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 1000 },
      tiers: [],
      serverTools: { web_search: 10_000_000_000 },
    }
    const prices = Layer.succeed(PriceBook, {
      unsafePriceOf: () => Option.some(plain),
      listed: [],
      unpriced: [],
      readOn: "2026-01-01",
    })
    const writtenOf = (more: Partial<Usage.Usage>) => {
      const usage: Usage.Usage = { ...Usage.none, uncachedInput: 1000, output: 1, source: "provider", ...more }
      return Effect.zipRight(generateStub, events).pipe(
        Effect.map(([, closed]) => closed),
        Effect.provide(LlmSpan.layer.pipe(Layer.provide(stub(() => Effect.succeed({ ...answer(null), usage }))))),
        Effect.provide(
          Recorder.layer.pipe(
            Layer.provideMerge(Layer.mergeAll(EventLogMemory.layer, IdGeneratorLive.layer, prices)),
            Layer.provideMerge(detached),
          ),
        ),
      )
    }
    const priority = yield* writtenOf({ serviceTier: "priority", audioInput: 0 })
    expect(priority?.payload).toMatchObject({
      cost_status: "unpriced",
      cost_nanousd: null,
      unpriced_reason: 'known has no multiplier for the service tier "priority"',
      token_usage: { input_tokens: 1000, service_tier: "priority", audio_input_tokens: 0 },
    })
    const searched = yield* writtenOf({ serverTools: { web_search: 2 } })
    expect(searched?.payload).toMatchObject({
      cost_status: "priced",
      cost_nanousd: 20_001_001,
      cost_breakdown: { uncached_input: 1000, output: 1, server_tools: 20_000_000 },
      token_usage: { server_tool_requests: { web_search: 2 } },
    })
    expect(searched?.payload).not.toHaveProperty("unpriced_reason")
    expect([priority, searched].map((event) => Schema.is(ChainedEvent)(event))).toEqual([true, true])
  }),
)

it.live("a call that ran out of time is recorded as a timeout", () =>
  Effect.gen(function* () {
    const error = new LlmError({
      reason: "Timeout",
      message: `no answer ${"😀".repeat(400)}`,
      retryable: true,
      status: null,
      requestId: null,
      attempts: [],
      usage: Usage.none,
      source: "provider",
    })
    const { exit, failed } = yield* failedPayload(() => Effect.fail(error))
    expect(Exit.isFailure(exit) && Option.getOrNull(Cause.failureOption(exit.cause))).toBe(error)
    expect(failed).toMatchObject({ type: "LLM_CALL_FAILED", payload: { error_class: "Timeout", retryable: true } })
    const summary = String(Reflect.get(Object(failed?.payload), "error_summary"))
    expect(summary.length).toBeLessThanOrEqual(500)
    expect(summary).not.toMatch(/\p{Cs}/u)
  }),
)

it.scopedLive("a real timeout of the model's server becomes a timeout row", () =>
  Effect.gen(function* () {
    const { model, api } = yield* servers
    model.behave = "hang"
    const slow = LlmClientAnthropic.layer({
      apiKey: Redacted.make("k"),
      baseUrl: model.url,
      timeout: "50 millis",
      maxRetries: 0,
    })
    const error = yield* Effect.flip(generate("test_call")).pipe(
      Effect.provide(LlmSpan.layer.pipe(Layer.provide(slow))),
      Effect.provide(recording(model.url, telemetry(api.url)).pipe(Layer.provideMerge(detached))),
    )
    expect(error.reason).toBe("Timeout")
    expect(outcome(api)).toMatchObject({ status: "timeout", context_json: { error_class: "Timeout" } })
  }),
)

it.scopedLive("interrupting a call aborts its request and makes a cancelled row", () =>
  Effect.gen(function* () {
    const { model, api } = yield* servers
    model.behave = "hang"
    yield* Effect.gen(function* () {
      const fiber = yield* Effect.fork(generate("test_call"))
      yield* Effect.iterate(0, {
        while: (n) => n < 500 && model.requests() === 0,
        body: (n) => Effect.as(Effect.sleep("5 millis"), n + 1),
      })
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(recording(model.url, telemetry(api.url)).pipe(Layer.provideMerge(detached))))
    expect(outcome(api)).toMatchObject({ status: "cancelled", context_json: { error_class: "Interrupted" } })
  }),
)

it.scopedLive("the sandbox behind the real client: provider sandbox, money simulated", () =>
  Effect.gen(function* () {
    const api = yield* OpsRecorder.serve
    const sandbox = yield* Sandbox.serve({})
    const call = yield* generate("test_call").pipe(
      Effect.provide(recording(sandbox.url, telemetry(api.url)).pipe(Layer.provideMerge(detached))),
    )
    expect(call.cost).toMatchObject({ status: "simulated" })
    expect(outcome(api)).toMatchObject({
      metrics_json: { cost_status: "simulated" },
      context_json: { provider: "sandbox" },
    })
  }),
)

it.scopedLive("T22 a sandbox that answers 500 makes a failure row with its attempts", () =>
  Effect.gen(function* () {
    const api = yield* OpsRecorder.serve
    const sandbox = yield* Sandbox.serve({ faults: "500*10" })
    const error = yield* Effect.flip(generate("test_call")).pipe(
      Effect.provide(recording(sandbox.url, telemetry(api.url)).pipe(Layer.provideMerge(detached))),
    )
    expect(error).toMatchObject({ _tag: "LlmError", status: 500 })
    expect(outcome(api)).toMatchObject({
      status: "failure",
      error_summary: error.message.slice(0, 500),
      context_json: { provider: "sandbox", attempts: [{}, {}, {}] },
    })
  }),
)

it.live("T04 an answer of unknown price is unpriced, never 0", () =>
  Effect.gen(function* () {
    const { exit } = yield* failedPayload(() =>
      Effect.succeed({
        content: [],
        usage: { ...Usage.none, output: 5, source: "provider" },
        finishReason: "stop",
        stopReason: null,
        model: null,
        requestId: null,
        attempts: [],
        source: "provider",
      }),
    )
    expect(exit).toMatchObject({ value: { cost: { status: "unpriced", nanoUsd: null } } })
  }),
)
