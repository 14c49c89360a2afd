import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import { LlmClient, type LlmClientService } from "../../services/LlmClient.js"
import { PriceBook } from "../../services/PriceBook.js"
import { LlmError } from "../../src/domain/Llm.js"
import * as Usage from "../../src/domain/Usage.js"
import * as Sandbox from "../../src/sandbox/Sandbox.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import { detached, events, generate, recording, request, rows, servers, telemetry } from "../support/RecordedProgram.js"

const stub = (generate: LlmClientService["generate"]) =>
  Layer.succeed(LlmClient, { provider: "anthropic", baseUrl: null, generate })

const failedPayload = (generateOnce: LlmClientService["generate"], use: typeof generateStub = generateStub) =>
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
const noPrices = Layer.succeed(PriceBook, { unsafePriceOf: () => Option.none() })

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
    expect(rows(api, "update")).toMatchObject([{ status: "timeout", context_json: { error_class: "Timeout" } }])
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
    expect(rows(api, "update")).toMatchObject([{ status: "cancelled", context_json: { error_class: "Interrupted" } }])
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
    expect(rows(api, "update")).toMatchObject([
      { metrics_json: { cost_status: "simulated" }, context_json: { provider: "sandbox" } },
    ])
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
    expect(rows(api, "update")).toMatchObject([
      {
        status: "failure",
        error_summary: error.message.slice(0, 500),
        context_json: { provider: "sandbox", attempts: [{}, {}, {}] },
      },
    ])
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
