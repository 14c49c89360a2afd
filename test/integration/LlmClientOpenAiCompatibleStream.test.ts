import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { LlmClient } from "../../services/LlmClient.js"
import * as Llm from "../../src/domain/Llm.js"
import type { LlmChunk } from "../../src/domain/LlmChunk.js"
import { none } from "../../src/domain/Usage.js"
import * as HandledServer from "../support/HandledServer.js"
import { chatClient, chatClientAt, request } from "../support/Sandboxed.js"

const streamed = Stream.unwrap(Effect.map(LlmClient, (llm) => llm.stream(request())))

const sse = (...chunks: ReadonlyArray<unknown>): string =>
  chunks.map((chunk) => `data: ${typeof chunk === "string" ? chunk : JSON.stringify(chunk)}\n\n`).join("")

const delta = (content: object, finish: string | null = null) => ({
  model: "m",
  choices: [{ index: 0, delta: content, finish_reason: finish }],
})

const USAGE = { model: "m", choices: [], usage: { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 } }

const streaming = (text: string, isCut = false) =>
  HandledServer.answering((response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "req_1" })
    if (isCut) response.write(text, () => response.destroy())
    else response.end(text)
  })

const readFrom = (url: string, options: Parameters<typeof chatClientAt>[1] = {}) =>
  Effect.map(Stream.runCollect(Stream.provideLayer(streamed, chatClientAt(url, options))), Chunk.toReadonlyArray)

const last = (chunks: ReadonlyArray<LlmChunk>) => {
  const end = chunks.at(-1)
  return end?._tag === "Finished" ? end.response : undefined
}

describe("LlmClientOpenAiCompatible, streaming", () => {
  it.scopedLive("the stream is another answer than the one at once", () =>
    Effect.gen(function* () {
      const asks = [
        request({ messages: [{ role: "user", content: "One sentence. ".repeat(30) }] }),
        request({ maxTokens: 3 }),
        request({
          messages: [{ role: "user", content: "Use get_weather for Berlin." }],
          tools: [
            {
              name: "get_weather",
              inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
            },
          ],
        }),
      ]
      for (const asked of asks) {
        const llm = yield* LlmClient
        const whole = yield* llm.generate(asked)
        const chunks = Chunk.toReadonlyArray(yield* Stream.runCollect(llm.stream(asked)))
        const { content, finishReason, model, source, stopReason, usage } = whole
        expect(last(chunks)).toMatchObject({ content, finishReason, model, source, stopReason, usage })
        expect(chunks[0]).toMatchObject({ _tag: "Started", source: "sandbox", model })
        const text = chunks.map((chunk) => (chunk._tag === "Text" ? chunk.text : "")).join("")
        expect(text).toBe(Llm.text(whole))
        const inputs = chunks.map((chunk) => (chunk._tag === "ToolInput" ? chunk.json : "")).join("")
        expect(inputs).toBe(
          Llm.toolCalls(whole)
            .map(({ input }) => JSON.stringify(input))
            .join(""),
        )
      }
    }).pipe(Effect.provide(chatClient())),
  )

  it.scopedLive("usage is asked for by no stream", () =>
    Effect.gen(function* () {
      const { seen, url } = yield* streaming(sse(delta({ content: "Hi" }), delta({}, "stop"), USAGE, "[DONE]"))
      expect(last(yield* readFrom(url))).toMatchObject({
        content: [{ type: "text", text: "Hi" }],
        usage: { uncachedInput: 10, output: 2, source: "provider" },
        requestId: "req_1",
      })
      expect(seen[0]?.body).toMatchObject({ stream: true, stream_options: { include_usage: true } })
    }),
  )

  it.scopedLive("a server that says no [DONE], or no usage, gives no answer, or one that used nothing for sure", () =>
    Effect.gen(function* () {
      const { url } = yield* streaming(sse(delta({ content: "Hi" }), delta({}, "stop")))
      expect(last(yield* readFrom(url))).toMatchObject({ stopReason: "stop", usage: none })
    }),
  )

  it.scopedLive("a stream that breaks off passes for an answer, is tried again, or counts as final what it told", () =>
    Effect.gen(function* () {
      const told = { ...delta({ content: "Hi" }), usage: { prompt_tokens: 10, completion_tokens: 1 } }
      for (const [text, isCut] of [
        [sse(told), true],
        [sse(told), false],
        [sse(told, { error: { message: "The engine stopped" } }), false],
      ] as const) {
        const { seen, url } = yield* streaming(text, isCut)
        const error = yield* Effect.flip(readFrom(url, { maxRetries: 2 }))
        expect(error.retryable).toBe(true)
        expect(error.usage).toMatchObject({ uncachedInput: 10, output: 1, source: "lower_bound" })
        expect(error.attempts).toHaveLength(1)
        expect(seen).toHaveLength(1)
      }
    }),
  )

  it.scopedLive("reasoning, refusals and numberless tool calls are lost or misplaced", () =>
    Effect.gen(function* () {
      const { url } = yield* streaming(
        sse(
          delta({ role: "assistant", content: "" }),
          delta({ reasoning_content: "Hm." }),
          delta({ content: "Let me see." }),
          delta({ tool_calls: [{ id: "call_a", function: { name: "look", arguments: '{"at":' } }] }),
          delta({ tool_calls: [{ function: { arguments: '"sea"}' } }] }),
          delta({ tool_calls: [{ id: "call_b", function: { name: "look", arguments: '{"at":"sky"}' } }] }),
          delta({}, "stop"),
          USAGE,
          "[DONE]",
        ),
      )
      const chunks = yield* readFrom(url)
      expect(chunks.filter(({ _tag }) => _tag === "Thinking")).toMatchObject([{ text: "Hm.", index: 0 }])
      expect(last(chunks)).toMatchObject({
        finishReason: "tool_calls",
        content: [
          { type: "text", text: "Let me see." },
          { type: "tool_use", id: "call_a", name: "look", input: { at: "sea" } },
          { type: "tool_use", id: "call_b", name: "look", input: { at: "sky" } },
        ],
      })
      const refusing = yield* streaming(sse(delta({ refusal: "I will not." }), delta({}, "stop"), USAGE, "[DONE]"))
      expect(last(yield* readFrom(refusing.url))).toMatchObject({
        finishReason: "error",
        stopReason: "refusal",
        content: [{ type: "text", text: "I will not." }],
      })
    }),
  )

  it.scopedLive("a tool call that is no JSON is an answer, or fails without what it is billed", () =>
    Effect.gen(function* () {
      const call = delta({ tool_calls: [{ index: 0, id: "a", function: { name: "look", arguments: '{"at":"se' } }] })
      const whole = { ...USAGE, usage: { prompt_tokens: 10, completion_tokens: 5 } }
      const { seen, url } = yield* streaming(sse(call, delta({}, "tool_calls"), whole, "[DONE]"))
      const error = yield* Effect.flip(readFrom(url, { maxRetries: 2 }))
      expect(error).toMatchObject({
        ...{ reason: "MalformedResponse", retryable: true, status: 200 },
        usage: { uncachedInput: 10, output: 5, source: "provider" },
        attempts: [{ error_class: "MalformedResponse", token_usage: { total_tokens: 15 }, usage_source: "provider" }],
      })
      expect(error.message).toContain("simplify the tool's schema")
      expect(seen).toHaveLength(1)
      const cut = yield* streaming(sse(call, delta({}, "length"), whole, "[DONE]"))
      expect(last(yield* readFrom(cut.url))).toMatchObject({
        finishReason: "length",
        content: [{ type: "tool_use", input: { at: "se" } }],
      })
    }),
  )

  it.scopedLive("a server that counts nothing makes an answer that is free, or undoes what was counted before", () =>
    Effect.gen(function* () {
      const nothing = { ...USAGE, usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } }
      const uncounted = yield* streaming(sse(delta({ content: "Hi" }), delta({}, "stop"), nothing, "[DONE]"))
      expect(last(yield* readFrom(uncounted.url))?.usage).toEqual(none)
      const counted = yield* streaming(
        sse({ ...delta({ content: "Hi" }), usage: USAGE.usage }, delta({}, "stop"), nothing, "[DONE]"),
      )
      expect(last(yield* readFrom(counted.url))?.usage).toMatchObject({ uncachedInput: 10, output: 2 })
    }),
  )

  it.scopedLive("a server that refuses to be asked for the usage of a stream can give none", () =>
    Effect.gen(function* () {
      const { seen, url } = yield* streaming(sse(delta({ content: "Hi" }), delta({}, "stop"), "[DONE]"))
      expect(last(yield* readFrom(url, { streamUsage: false }))?.usage).toEqual(none)
      expect(seen[0]?.body).not.toHaveProperty("stream_options")
    }),
  )

  it.scopedLive("a first chunk without a model's name hides who answered, and so the price", () =>
    Effect.gen(function* () {
      const first = { model: "", choices: [], prompt_filter_results: [] }
      const { url } = yield* streaming(sse(first, delta({ content: "Hi" }), delta({}, "stop"), USAGE, "[DONE]"))
      const chunks = yield* readFrom(url)
      expect(chunks[0]).toMatchObject({ _tag: "Started", model: null })
      expect(last(chunks)?.model).toBe("m")
    }),
  )

  it.scopedLive("arguments that are no text, content in parts, or calls of one number are lost in a stream only", () =>
    Effect.gen(function* () {
      const call = (id: string, name: string | null, given: unknown) =>
        delta({ tool_calls: [{ index: 0, id, function: { name, arguments: given } }] })
      const { url } = yield* streaming(
        sse(
          delta({
            content: [
              { type: "thinking", thinking: [] },
              { type: "text", text: "Let me see." },
            ],
          }),
          call("a", "look", { at: "sea" }),
          call("b", "go", '{"to":'),
          call("some-other-id", null, '"hill"}'),
          delta({}, "tool_calls"),
          USAGE,
          "[DONE]",
        ),
      )
      expect(last(yield* readFrom(url))?.content).toEqual([
        { type: "text", text: "Let me see." },
        { type: "tool_use", id: "a", name: "look", input: { at: "sea" } },
        { type: "tool_use", id: "b", name: "go", input: { to: "hill" } },
      ])
    }),
  )

  it.scopedLive(
    "a server that gives the whole answer in place of a stream gives none, or an error without its words",
    () =>
      Effect.gen(function* () {
        const json = (body: object) =>
          HandledServer.answering((response) => {
            response.writeHead(200, { "content-type": "application/json", "x-request-id": "req_1" })
            response.end(JSON.stringify(body))
          })
        const choices = [{ message: { content: "Hi" }, finish_reason: "stop" }]
        const whole = yield* json({ ...USAGE, choices })
        const chunks = yield* readFrom(whole.url)
        expect(chunks.map(({ _tag }) => _tag)).toEqual(["Started", "Text", "Finished"])
        expect(last(chunks)).toMatchObject({
          content: [{ text: "Hi" }],
          usage: { uncachedInput: 10, output: 2, source: "provider" },
          attempts: [{ n: 1, http_status: 200, request_id: "req_1" }],
        })
        const refusing = yield* json({ error: { message: "Slow down", code: 429 } })
        const error = yield* Effect.flip(readFrom(refusing.url, { maxRetries: 1 }))
        expect(error).toMatchObject({ reason: "RateLimited", retryable: true })
        expect(error.message).toContain("Slow down")
        expect(error.attempts).toHaveLength(2)
      }),
  )

  it.scopedLive("who stops reading leaves the connection open", () =>
    Effect.gen(function* () {
      const closed = yield* Deferred.make<void>()
      const begun = yield* Deferred.make<void>()
      const { url } = yield* HandledServer.answering((response) => {
        response.on("close", () => Deferred.unsafeDone(closed, Effect.void))
        response.writeHead(200, { "content-type": "text/event-stream" }).write(sse(delta({ content: "Hi" })))
      })
      const reading = Stream.runForEach(Stream.provideLayer(streamed, chatClientAt(url)), () =>
        Deferred.succeed(begun, undefined),
      )
      const fiber = yield* Effect.fork(reading)
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(closed)
    }),
  )
})
