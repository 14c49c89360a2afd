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

  it.scopedLive("reasoning, refusals, numberless and unparsable tool calls are lost or misplaced", () =>
    Effect.gen(function* () {
      const { url } = yield* streaming(
        sse(
          delta({ role: "assistant", content: "" }),
          delta({ reasoning_content: "Hm." }),
          delta({ content: "Let me see." }),
          delta({ tool_calls: [{ id: "call_a", function: { name: "look", arguments: '{"at":' } }] }),
          delta({ tool_calls: [{ function: { arguments: '"sea"}' } }] }),
          delta({ tool_calls: [{ id: "call_b", function: { name: "look", arguments: "{at the sky" } }] }),
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
          { type: "tool_use", id: "call_b", name: "look", input: "{at the sky" },
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
