import { expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { LlmClient } from "../../services/LlmClient.js"
import type { LlmError, LlmRequest } from "../../src/domain/Llm.js"
import type { LlmChunk } from "../../src/domain/LlmChunk.js"
import { client, clientAt, request } from "../support/Sandboxed.js"
import * as StreamServer from "../support/StreamServer.js"

const asked = request({
  messages: [{ role: "user", content: `${"Water boils at 100 degrees. ".repeat(12)}` }],
})

/** What came of a stream: its chunks, and its error when it failed. */
const readOf = (wanted: LlmRequest) =>
  Effect.gen(function* () {
    const llm = yield* LlmClient
    const chunks = yield* Ref.make<ReadonlyArray<LlmChunk>>([])
    const end = yield* llm.stream(wanted).pipe(
      Stream.runForEach((chunk) => Ref.update(chunks, (before) => [...before, chunk])),
      Effect.either,
    )
    return { chunks: yield* Ref.get(chunks), error: Either.isLeft(end) ? end.left : undefined }
  })

const read = (faults: string, options: Parameters<typeof client>[1] = {}, wanted = asked) =>
  Effect.provide(readOf(wanted), client(faults, options))

const tags = (chunks: ReadonlyArray<LlmChunk>) => chunks.map(({ _tag }) => _tag)

const finished = (chunks: ReadonlyArray<LlmChunk>) => {
  const last = chunks.at(-1)
  return last?._tag === "Finished" ? last.response : undefined
}

const attemptsOf = (error: LlmError | undefined) => error?.attempts.map(({ error_class }) => error_class)

it.live("a stream ends with the answer that generate gives, after all of its text", () =>
  Effect.gen(function* () {
    const llm = yield* LlmClient
    const whole = yield* llm.generate(asked)
    const { chunks, error } = yield* readOf(asked)
    expect(error).toBeUndefined()
    expect(tags(chunks)[0]).toBe("Started")
    expect(tags(chunks).filter((tag) => tag === "Started" || tag === "Finished")).toEqual(["Started", "Finished"])
    expect(chunks[0]).toMatchObject({
      usage: { source: "lower_bound", output: 1 },
      attempts: [{ n: 1 }],
      source: "sandbox",
    })
    const text = chunks.map((chunk) => (chunk._tag === "Text" ? chunk.text : "")).join("")
    expect(whole.content).toEqual([{ type: "text", text }])
    const { attempts: streamed, requestId: _streamed, ...rest } = finished(chunks) ?? whole
    const { attempts: generated, requestId: _generated, ...expected } = whole
    expect(rest).toEqual(expected)
    expect(finished(chunks)).not.toBe(whole)
    expect(streamed).toMatchObject([{ n: 1, http_status: 200, error_class: null, request_id: expect.any(String) }])
    expect(generated).toMatchObject([{ n: 1, http_status: 200, request_id: expect.any(String) }])
  }).pipe(Effect.provide(client())),
)

it.live("what fails before the first chunk is tried again, with its wait and its request id told", () =>
  Effect.gen(function* () {
    const { chunks } = yield* read("529*2,error_event:0")
    const attempts = finished(chunks)?.attempts ?? []
    expect(attempts.map(({ error_class }) => error_class)).toEqual(["Overloaded", "Overloaded", "Overloaded", null])
    expect(attempts.map(({ http_status }) => http_status)).toEqual([529, 529, 200, 200])
    expect(new Set(attempts.map(({ request_id }) => request_id)).size).toBe(4)
    expect(attempts.map(({ backoff_ms }) => backoff_ms !== undefined)).toEqual([false, true, true, true])
    expect(tags(chunks).filter((tag) => tag === "Started")).toHaveLength(1)
    expect(chunks[0]).toMatchObject({ attempts: [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4, error_class: null }] })
  }),
)

for (const [fault, reason] of [
  ["break:4", "Connection"],
  ["error_event:4", "Overloaded"],
  ["cut", "Connection"],
  ["malformed", "Connection"],
] as const) {
  it.live(
    `${fault}: what breaks off after the first chunk is never tried again, and what is billed is a lower bound`,
    () =>
      Effect.gen(function* () {
        const { chunks, error } = yield* read(fault)
        expect(tags(chunks)).not.toContain("Finished")
        expect(tags(chunks)[0]).toBe("Started")
        expect(error).toMatchObject({ reason, retryable: true, status: 200, source: "sandbox" })
        expect(attemptsOf(error)).toEqual([reason])
        expect(error?.usage).toMatchObject({ source: "lower_bound", output: 1 })
        expect(error?.usage.uncachedInput).toBeGreaterThan(0)
        expect(error?.attempts[0]).toMatchObject({
          token_usage: { input_tokens: error?.usage.uncachedInput, output_tokens: 1 },
          usage_source: "lower_bound",
          request_id: expect.any(String),
        })
      }),
  )
}

it.live("a stream that falls silent for longer than the timeout fails; one that drips within it does not", () =>
  Effect.gen(function* () {
    const { chunks, error } = yield* read("stall:4", { timeout: "200 millis" })
    expect(tags(chunks)[0]).toBe("Started")
    expect(error).toMatchObject({ reason: "Timeout", usage: { source: "lower_bound" } })
    const dripping = yield* read("drip:60", { timeout: "300 millis" })
    expect(finished(dripping.chunks)?.attempts[0]?.duration_ms).toBeGreaterThan(300)
    const cut = yield* read("drip:60", { timeout: "300 millis", streamTimeout: "200 millis" })
    expect(cut.error).toMatchObject({ reason: "Timeout", usage: { source: "lower_bound" } })
    expect(cut.error?.message).toContain("has not ended within 200ms")
  }),
)

it.live("what is no stream at all fails as it would for an answer in one piece", () =>
  Effect.gen(function* () {
    expect((yield* read("html")).error).toMatchObject({ reason: "MalformedResponse" })
    expect((yield* read("empty")).error).toMatchObject({ reason: "EmptyResponse", usage: { source: "provider" } })
    expect((yield* read("401")).error).toMatchObject({ reason: "Authentication", retryable: false, status: 401 })
    expect((yield* read("500*", { maxRetries: 1 })).error).toMatchObject({ reason: "ServerError", status: 500 })
    const blank = yield* read("blank*", { maxRetries: 1 })
    expect(blank.error).toMatchObject({ reason: "Connection", status: 200, usage: { source: "none" } })
    expect(blank.error?.attempts).toHaveLength(2)
    expect((yield* read("hang*", { maxRetries: 0, timeout: "100 millis" })).error).toMatchObject({ reason: "Timeout" })
    expect((yield* read("reset*", { maxRetries: 1 })).error?.attempts).toHaveLength(2)
  }),
)

it.live("a tool call comes in pieces of JSON and ends as its parsed input", () =>
  Effect.gen(function* () {
    const wanted = request({
      messages: [{ role: "user", content: "Use get_weather for Berlin." }],
      tools: [
        {
          name: "get_weather",
          inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
        },
      ],
    })
    const { chunks } = yield* read("", {}, wanted)
    const json = chunks.map((chunk) => (chunk._tag === "ToolInput" ? chunk.json : "")).join("")
    const answer = finished(chunks)
    expect(answer).toMatchObject({ finishReason: "tool_calls", content: [{ type: "tool_use", name: "get_weather" }] })
    expect(answer?.content[0]).toMatchObject({ input: JSON.parse(json) })
  }),
)

it.scopedLive("a reader that has enough, or is interrupted, aborts the request", () =>
  Effect.gen(function* () {
    const server = yield* StreamServer.serve
    server.script = { events: StreamServer.ANSWER.slice(0, 4), ending: "silence" }
    yield* Effect.gen(function* () {
      const llm = yield* LlmClient
      const some = yield* llm.stream(asked).pipe(Stream.take(2), Stream.runCollect)
      expect(tags(Chunk.toReadonlyArray(some))).toEqual(["Started", "Text"])
      yield* Effect.repeat(Effect.yieldNow(), { until: () => server.aborted() === 1 })
      const begun = yield* Deferred.make<void>()
      const fiber = yield* llm.stream(asked).pipe(
        Stream.runForEach(() => Deferred.succeed(begun, undefined)),
        Effect.fork,
      )
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      yield* Effect.repeat(Effect.yieldNow(), { until: () => server.aborted() === 2 })
      expect(server.requests()).toBe(2)
    }).pipe(Effect.provide(clientAt(server.url)))
  }),
)

it.scopedLive("a connection that was read to its end is used again", () =>
  Effect.gen(function* () {
    const server = yield* StreamServer.serve
    yield* Effect.gen(function* () {
      const llm = yield* LlmClient
      yield* Effect.replicateEffect(Stream.runDrain(llm.stream(asked)), 8)
    }).pipe(Effect.provide(clientAt(server.url)))
    expect(server.requests()).toBe(8)
    expect(server.connections()).toBeLessThanOrEqual(4)
  }),
)
