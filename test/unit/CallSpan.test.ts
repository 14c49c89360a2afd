import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as EvidenceStoreMemory from "../../layers/EvidenceStoreMemory.js"
import * as IdGeneratorSequence from "../../layers/IdGeneratorSequence.js"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import { EventLog } from "../../services/EventLog.js"
import { EvidenceStore } from "../../services/EvidenceStore.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import * as CallSpan from "../../src/telemetry/CallSpan.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import * as WarningLog from "../support/WarningLog.js"

const recording = CallSpan.layer.pipe(
  Layer.provideMerge(Recorder.layer),
  Layer.provideMerge(EvidenceStoreMemory.layer({ capture: "redacted", secrets: [] })),
  Layer.provideMerge(
    Layer.mergeAll(
      EventLogMemory.layer,
      IdGeneratorSequence.layer,
      Layer.orDie(PriceBookTable.layer({})).pipe(Layer.provide(FileSystem.layerNoop({}))),
    ),
  ),
  Layer.provideMerge(CurrentRunDetached.layer({ runId: "run-001" })),
)

const events = Effect.gen(function* () {
  const log = yield* EventLog
  const { events } = yield* log.read({ offset: 0, lines: 0, hash: GENESIS_HASH }, 1_000_000)
  return events
})

const evidenceOf = (callId: string) => Effect.flatMap(EvidenceStore, (store) => store.get(callId))

const asked = { provider: "openai", model: "gpt-4o-mini" }
const answer = { text: "Yes.", usage: { prompt_tokens: 1000, completion_tokens: 100 } }
const SECRET = `sk-ant-api03-${"a1B2".repeat(12)}`

describe("CallSpan", () => {
  it.effect("a call is recorded without what it used, cost, was asked and answered, or with a secret", () =>
    Effect.gen(function* () {
      const got = yield* CallSpan.record(Effect.succeed(answer), {
        ...asked,
        worker: "W2.FactsBuilder",
        baseUrl: "https://api.openai.com/v1",
        request: { prompt: `Is ${SECRET} a key?` },
        usage: ({ usage }) => usage,
        finishReason: () => "stop",
        responseModel: () => "gpt-4o-mini-2024-07-18",
        headers: () => ({ "X-Request-Id": "req_1" }),
        output: ({ text }) => text,
      })
      expect(got).toBe(answer)
      const [started, finished, ...more] = yield* events
      expect(more).toEqual([])
      const id = started?.type === "LLM_CALL_STARTED" ? started.payload.call_id : ""
      expect(id).toMatch(/^call_[0-9a-f]{12}$/)
      expect(started?.payload).toMatchObject({
        ...{ agent_name: `launch.llm.${id}`, model: "gpt-4o-mini", provider: "openai", worker: "W2.FactsBuilder" },
        ...{ provider_base_url: "https://api.openai.com/v1", temperature: null, max_tokens: null },
        prompt_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        evidence_path: `evidence/llm_calls/${id}.json`,
      })
      expect(finished).toMatchObject({
        type: "LLM_CALL_FINISHED",
        span_id: started?.span_id,
        payload: {
          token_usage: { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 },
          ...{ cost_nanousd: 210_000, cost_status: "priced", usage_source: "provider" },
          ...{ finish_reason: "stop", request_id: "req_1", response_model: "gpt-4o-mini-2024-07-18" },
        },
      })
      const kept = Option.getOrThrow(yield* evidenceOf(id))
      expect(kept).toMatchObject({ status: "success", response: { as_given: "Yes." } })
      expect(JSON.stringify(kept)).not.toContain(SECRET)
      const store = yield* EvidenceStore
      expect(yield* store.findByPrompt(kept.prompt_hash), "no client can give it again").toEqual(Option.none())
    }).pipe(Effect.provide(recording)),
  )

  it.effect("an answer that tells its usage by itself needs an extractor, or one that tells none is priced", () =>
    Effect.gen(function* () {
      yield* CallSpan.record(Effect.succeed(answer), asked)
      yield* CallSpan.record(Effect.succeed("Yes."), asked)
      const ends = (yield* events).filter(({ type }) => type === "LLM_CALL_FINISHED")
      expect(ends.map(({ payload }) => payload)).toMatchObject([
        { call_id: "call", usage_source: "provider", cost_nanousd: 210_000 },
        { call_id: "call~2", usage_source: "none", cost_nanousd: null, cost_status: "unpriced" },
      ])
    }).pipe(Effect.provide(recording)),
  )

  it.effect("an extractor that throws, rejects, hangs or gives nonsense changes the result, or is not told of", () => {
    const log = WarningLog.make()
    const throwing = () => {
      throw new Error("no such member")
    }
    const circular: Record<string, unknown> = {}
    circular["self"] = circular
    return Effect.gen(function* () {
      for (const usage of [
        throwing,
        () => Promise.reject(new Error("later")),
        () => "many",
        () => ({ prompt_tokens: -1 }),
      ])
        expect(yield* CallSpan.record(Effect.succeed(answer), { ...asked, usage })).toBe(answer)
      const extractors = { finishReason: throwing, responseModel: throwing, headers: throwing, output: throwing }
      expect(yield* CallSpan.record(Effect.succeed(answer), { ...asked, ...extractors })).toBe(answer)
      const given = { request: circular, output: () => circular }
      expect(yield* CallSpan.record(Effect.succeed(answer), { ...asked, ...given })).toBe(answer)
      const usage = () => new Promise(() => {})
      const waiting = yield* Effect.fork(CallSpan.record(Effect.succeed(answer), { ...asked, usage }))
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(waiting)).toBe(answer)
      const ends = (yield* events).filter(({ type }) => type === "LLM_CALL_FINISHED")
      expect(ends.map(({ payload }) => Reflect.get(payload, "usage_source"))).toEqual([
        ...Array.from({ length: 4 }, () => "none"),
        ...Array.from({ length: 2 }, () => "provider"),
        "none",
      ])
      expect(log.warnings().join("\n")).toMatch(/The usage of a call could not be read.*no such member/)
      expect(log.warnings().join("\n")).toContain("token count of a known dialect")
    }).pipe(Effect.provide(Layer.merge(recording, log.layer)))
  })

  it.effect("a failure, a defect or a rejection comes out as another, or is recorded as none", () =>
    Effect.gen(function* () {
      const own = { _tag: "Refused", statusCode: 429, isRetryable: true, message: "slow down" } as const
      expect(yield* Effect.flip(CallSpan.record(Effect.fail(own), asked))).toBe(own)
      const died = yield* Effect.exit(CallSpan.record(Effect.die("broken"), asked))
      expect(Exit.isFailure(died) && Cause.squash(died.cause)).toBe("broken")
      const rejection = new TypeError("fetch failed")
      const rejected = yield* Effect.flip(
        CallSpan.record(() => Promise.reject(rejection), { ...asked, request: "Why?" }),
      )
      expect(rejected.error).toBe(rejection)
      const ends = (yield* events).filter(({ type }) => type === "LLM_CALL_FAILED")
      expect(ends.map(({ payload }) => payload)).toMatchObject([
        { error_class: "Refused", error_summary: "slow down", http_status: 429, retryable: true },
        { error_class: "Defect", retryable: false },
        { error_class: "TypeError", error_summary: "fetch failed" },
      ])
      const id = String(Reflect.get(Object(ends[2]?.payload), "call_id"))
      expect(Option.getOrThrow(yield* evidenceOf(id))).toMatchObject({
        status: "failure",
        request: { as_given: "Why?" },
        error: { error_class: "TypeError" },
      })
    }).pipe(Effect.provide(recording)),
  )

  it.effect("an answer of the sandbox counts as bought where the SDK hides the headers", () =>
    Effect.gen(function* () {
      const plain = { ...answer, id: "chatcmpl-sandbox_0123" }
      const part = { type: "response-metadata", id: Option.some("msg_sandbox_0123") }
      const getters = {
        ...answer,
        get id() {
          throw new Error("a getter was touched")
        },
      }
      const usage = () => answer.usage
      yield* CallSpan.record(Effect.succeed(plain), asked)
      yield* CallSpan.record(Effect.succeed({ content: [part] }), { ...asked, usage })
      yield* CallSpan.record(Effect.succeed(answer), { ...asked, source: "sandbox" })
      yield* CallSpan.record(Effect.succeed(answer), { ...asked, source: () => "replay" })
      yield* CallSpan.record(Effect.succeed(plain), { ...asked, source: "provider" })
      yield* CallSpan.record(Effect.succeed(getters), { ...asked, usage, source: () => "somebody" })
      const ends = (yield* events).filter(({ type }) => type === "LLM_CALL_FINISHED")
      expect(ends.map(({ payload }) => payload)).toMatchObject([
        { provider: "sandbox", cost_status: "simulated", cost_nanousd: 210_000 },
        { provider: "sandbox", cost_status: "simulated", cost_nanousd: 210_000 },
        { provider: "sandbox", cost_status: "simulated" },
        { provider: "replay", cost_status: "replayed", cost_nanousd: 0 },
        { cost_status: "priced", cost_nanousd: 210_000 },
        { cost_status: "priced", cost_nanousd: 210_000 },
      ])
    }).pipe(Effect.provide(recording)),
  )

  it.effect("a failure that says what it used is recorded as one that used nothing", () =>
    Effect.gen(function* () {
      const rejection = Object.assign(new Error("no object"), { usage: { inputTokens: 1000, outputTokens: 100 } })
      yield* Effect.flip(CallSpan.record(() => Promise.reject(rejection), asked))
      const failed = (yield* events).find(({ type }) => type === "LLM_CALL_FAILED")
      expect(failed?.payload).toMatchObject({
        token_usage: { input_tokens: 1000, output_tokens: 100 },
        ...{ cost_nanousd: 210_000, cost_status: "priced", usage_source: "provider" },
      })
    }).pipe(Effect.provide(recording)),
  )

  it.effect("why a call is unpriced is not told, or where it went is told with its credentials", () =>
    Effect.gen(function* () {
      const usage = () => ({ ...answer.usage, service_tier: "never-heard-of" })
      yield* CallSpan.record(Effect.succeed(answer), { ...asked, usage, baseUrl: `https://me:${SECRET}@host/v1?key=x` })
      const [started, finished] = yield* events
      expect(started?.payload).toMatchObject({ provider_base_url: "https://host/v1" })
      expect(finished?.payload).toMatchObject({
        cost_status: "unpriced",
        unpriced_reason: expect.stringContaining("never-heard-of"),
      })
    }).pipe(Effect.provide(recording)),
  )

  it.effect("promises that never settle hold the result for longer than two seconds", () =>
    Effect.gen(function* () {
      const never = () => new Promise(() => {})
      const extractors = { usage: never, finishReason: never, responseModel: never, headers: never, output: never }
      const waiting = yield* Effect.fork(CallSpan.record(Effect.succeed(answer), { ...asked, ...extractors }))
      yield* TestClock.adjust("2 seconds")
      const polled = yield* Fiber.poll(waiting)
      expect(Option.map(polled, Exit.isSuccess)).toEqual(Option.some(true))
    }).pipe(Effect.provide(recording)),
  )

  it.effect("interruption does not abort the promise, or is recorded as something else", () =>
    Effect.gen(function* () {
      const begun = yield* Deferred.make<AbortSignal>()
      const hanging = (signal: AbortSignal) =>
        new Promise<never>(() => Deferred.unsafeDone(begun, Effect.succeed(signal)))
      const fiber = yield* Effect.fork(CallSpan.record(hanging, asked))
      const signal = yield* Deferred.await(begun)
      expect(signal.aborted).toBe(false)
      const exit = yield* Fiber.interrupt(fiber)
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(signal.aborted).toBe(true)
      const [, failed] = yield* events
      expect(failed).toMatchObject({ type: "LLM_CALL_FAILED", payload: { error_class: "Interrupted" } })
    }).pipe(Effect.provide(recording)),
  )

  it.effect("a call inside a call does not stand under it", () =>
    Effect.gen(function* () {
      const inner = CallSpan.record(Effect.succeed(answer), { ...asked, callId: "inner" })
      yield* CallSpan.record(inner, { ...asked, callId: "outer" })
      const [outer, within, innerEnd, outerEnd] = yield* events
      expect(
        [outer, within, innerEnd, outerEnd].map((event) => Reflect.get(Object(event?.payload), "call_id")),
      ).toEqual([...["outer", "inner", "inner", "outer"]])
      expect(within?.parent_span_id).toBe(outer?.span_id)
      expect(within?.trace_id).toBe(outer?.trace_id)
    }).pipe(Effect.provide(recording)),
  )

  it.live("without Effect a call resolves or rejects otherwise, or a recording that cannot be built stops it", () =>
    Effect.promise(async () => {
      const rejection = new Error("no")
      for (const layer of [recording, Layer.fail("no disk"), Layer.die("no disk")]) {
        const calls = CallSpan.promises(Layer.merge(layer, WarningLog.make().layer))
        try {
          expect(await calls.record(async () => answer, asked)).toBe(answer)
          await expect(calls.record(() => Promise.reject(rejection), asked)).rejects.toBe(rejection)
          const controller = new AbortController()
          const hanging = calls.record(
            (signal) =>
              new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
            asked,
            controller.signal,
          )
          controller.abort()
          await expect(hanging).rejects.toBeDefined()
        } finally {
          await calls.close()
        }
      }
    }),
  )
})
