import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { policy } from "../../layers/ProviderAttempts.js"
import * as ProviderHttp from "../../layers/ProviderHttp.js"
import * as ProviderStream from "../../layers/ProviderStream.js"
import type { LlmRequest } from "../../src/domain/Llm.js"
import * as Usage from "../../src/domain/Usage.js"

const request: LlmRequest = {
  model: "claude-sonnet-4-5",
  messages: [{ role: "user", content: "What is a ledger?" }],
  temperature: 0,
  maxTokens: 100,
}

const used = Usage.fromMessagesApi({ input_tokens: 9, output_tokens: 1 }, "lower_bound")

const reader = (): ProviderStream.StreamReader => ({
  used: () => used,
  read: ({ data }) => {
    if (data === "ping") return Either.right([])
    if (data === "begin") return Either.right([{ _tag: "Begun", model: null, usage: used }])
    if (data !== "end") return Either.right([{ _tag: "Text", index: 0, text: data }])
    const content = [{ type: "text" as const, text: "A book." }]
    const answer = { content, model: null, stopReason: "end_turn", finishReason: "stop" as const, usage: used }
    return Either.right([{ _tag: "Answered", answer }])
  },
})

const event = (data: string): IteratorResult<ProviderStream.ServerEvent> => ({
  done: false,
  value: { event: "x", data },
})

/** A stream whose events a test hands over one by one, on a clock of the test's. */
const scripted = (options: {
  readonly timeout: Duration.DurationInput
  readonly streamTimeout?: Duration.DurationInput
}) =>
  Effect.gen(function* () {
    const waiting = yield* Queue.unbounded<(said: IteratorResult<ProviderStream.ServerEvent>) => void>()
    const says = (data: string) => Effect.map(Queue.take(waiting), (resolve) => resolve(event(data)))
    const headers = { "content-type": "text/event-stream", "request-id": "req_1" }
    const stream = ProviderStream.stream({
      endpoint: { baseUrl: "http://test", client: {}, problem: null, secrets: [] },
      nextStep: () => "Try again.",
      policy: policy({ ...options, maxRetries: 0 }),
      unanswered: "provider",
      protocol: {
        requestIdHeader: "request-id",
        post: () => Promise.reject(new Error("not used")),
        decode: () => Either.left(ProviderHttp.noAnswer("not used")),
        isEmpty: () => false,
        wordsOf: () => ({ words: "", isFinal: false }),
      },
      streaming: {
        post: () => Promise.resolve(new Response("", { headers })),
        events: () => ({
          next: () =>
            new Promise<IteratorResult<ProviderStream.ServerEvent>>((resolve) => {
              Queue.unsafeOffer(waiting, resolve)
            }),
        }),
        reader,
      },
    })(request)
    /** Waits until the stream asks for its next event, and lets time pass there. */
    const silence = (duration: Duration.DurationInput) =>
      Effect.gen(function* () {
        const resolve = yield* Queue.take(waiting)
        yield* TestClock.adjust(duration)
        yield* Queue.offer(waiting, resolve)
      })
    return { stream, says, silence }
  })

describe("the time of a stream", () => {
  it.effect("a silence longer than the timeout fails it, however short the stream was; pings break a silence", () =>
    Effect.gen(function* () {
      const { says, silence, stream } = yield* scripted({ timeout: "10 seconds" })
      const fiber = yield* Effect.fork(Effect.flip(Stream.runDrain(stream)))
      yield* says("begin")
      for (let n = 0; n < 5; n++) {
        yield* silence("9 seconds")
        yield* says("ping")
      }
      yield* silence("11 seconds")
      const error = yield* Fiber.join(fiber)
      expect(error).toMatchObject({ reason: "Timeout", retryable: true, usage: used })
      expect(error.message).toContain("no word within 10s")
      expect(error.attempts).toMatchObject([{ n: 1, duration_ms: 55_000, error_class: "Timeout", request_id: "req_1" }])
    }),
  )

  it.effect("a stream that never ends is ended, however lively it is", () =>
    Effect.gen(function* () {
      const { says, silence, stream } = yield* scripted({ timeout: "10 seconds", streamTimeout: "25 seconds" })
      const fiber = yield* Effect.fork(Effect.flip(Stream.runDrain(stream)))
      yield* says("begin")
      for (const word of ["A ", "bo"]) {
        yield* silence("9 seconds")
        yield* says(word)
      }
      yield* silence("8 seconds")
      const error = yield* Fiber.join(fiber)
      expect(error.message).toContain("the stream has not ended within 25s")
    }),
  )

  it.effect("the time that a reader takes counts for neither timeout, and not for the attempt", () =>
    Effect.gen(function* () {
      const { says, silence, stream } = yield* scripted({ timeout: "10 seconds", streamTimeout: "25 seconds" })
      const reading = yield* Deferred.make<void>()
      const fiber = yield* stream.pipe(
        Stream.tap(({ _tag }) =>
          _tag === "Text"
            ? Effect.zipRight(Deferred.succeed(reading, undefined), Effect.sleep("60 seconds"))
            : Effect.void,
        ),
        Stream.runLast,
        Effect.fork,
      )
      yield* says("begin")
      yield* silence("4 seconds")
      yield* says("A book.")
      yield* Deferred.await(reading)
      yield* TestClock.adjust("60 seconds")
      yield* silence("3 seconds")
      yield* says("end")
      const last = yield* Fiber.join(fiber)
      expect(last).toMatchObject({
        _tag: "Some",
        value: { _tag: "Finished", response: { attempts: [{ n: 1, duration_ms: 7000, http_status: 200 }] } },
      })
    }),
  )
})
