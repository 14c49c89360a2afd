import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type { LlmError } from "../../src/domain/Llm.js"
import type { LlmChunk } from "../../src/domain/LlmChunk.js"
import { project } from "../../src/domain/Project.js"
import * as Usage from "../../src/domain/Usage.js"
import { LlmSpan, type RecordedCall } from "../../src/telemetry/LlmSpan.js"
import {
  answer,
  attempt,
  type Chunks,
  clientOf,
  dripping,
  events,
  FIRST,
  failing,
  PIECES,
  recording,
  request,
} from "../support/ScriptedStream.js"

type Read<A, E> = (stream: Stream.Stream<LlmChunk<RecordedCall>, LlmError>) => Effect.Effect<A, E>

/** Reads one recorded stream, and tells how the reader ended, the events after the first, and the row's status. */
const recorded = <A, E>(read: Read<A, E>) =>
  Effect.gen(function* () {
    const llm = yield* LlmSpan
    const exit = yield* Effect.exit(read(llm.stream(request)))
    const [, ...ends] = yield* events
    const updates = project(yield* events).filter(({ op }) => op === "update")
    const payload: Readonly<Record<string, unknown>> = { ...ends[0]?.payload }
    return { exit, ends, payload, status: updates.map((update) => Reflect.get(update, "status")) }
  })

const anthropic = (stream: Chunks) => recording(clientOf("anthropic", stream))
const reading = <A, E>(stream: Chunks, read: Read<A, E>) => Effect.provide(recorded(read), anthropic(stream))

const endless: Chunks = (asked) => Stream.concat(dripping(PIECES)(asked), Stream.never)
const atText =
  <E>(act: Effect.Effect<unknown, E>) =>
  (chunk: LlmChunk) =>
    chunk._tag === "Text" ? act : Effect.void

/** As an error of another call would look that the reader makes with each piece. */
const foreign = failing({
  source: "sandbox",
  requestId: "req_other",
  usage: Usage.fromMessagesApi({ input_tokens: 900_000, output_tokens: 9 }),
  attempts: [
    {
      ...attempt,
      request_id: "req_other",
      token_usage: Usage.toWire(Usage.fromMessagesApi({ input_tokens: 900_000, output_tokens: 9 })),
      usage_source: "provider",
    },
  ],
})

describe("a stream whose reader goes before its end", () => {
  const readers: ReadonlyArray<readonly [string, Read<unknown, LlmError | Option.Option<LlmError> | string>, string]> =
    [
      ["takes the first chunk", (all) => Stream.runHead(all), "left by its reader after 1 chunk"],
      [
        "pulls once",
        (all) => Effect.scoped(Effect.flatMap(Stream.toPull(all), (pull) => pull)),
        "left by its reader after 1 chunk",
      ],
      ["fails of its own", (all) => Stream.runForEach(all, atText(Effect.fail("mine"))), "which failed: Error: mine"],
      ["has a defect", (all) => Stream.runForEach(all, atText(Effect.die("bug"))), "which failed: Defect"],
      [
        "throws",
        (all) =>
          Stream.runDrain(
            Stream.map(all, (chunk) => {
              if (chunk._tag === "Text") throw new Error("bug")
              return chunk
            }),
          ),
        "which failed: Defect: Error: bug",
      ],
      ["is interrupted", (all) => Stream.runForEach(all, atText(Effect.interrupt)), "interrupted before it ended"],
    ]
  for (const [how, read, words] of readers)
    it.effect(`one that ${how} leaves its call open, closes it twice, or as another than a cancelled one`, () =>
      Effect.gen(function* () {
        const { ends, payload, status } = yield* reading(endless, read)
        expect(ends.map(({ type }) => type)).toEqual(["LLM_CALL_FAILED"])
        expect(status).toEqual(["cancelled"])
        expect(payload).toMatchObject({ error_class: "Interrupted", usage_source: "lower_bound", cost_nanousd: FIRST })
        expect(payload["error_summary"]).toContain(words)
      }),
    )

  it.effect("one that never pulls asks for an answer, or is recorded", () =>
    Effect.gen(function* () {
      const asked: Chunks = () => Stream.die("nobody pulls")
      const { ends, exit } = yield* reading(asked, (all) => Effect.scoped(Stream.toPull(all)))
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(ends).toEqual([])
    }),
  )

  it.effect("one that fails with another call's error books that call's tokens, money and attempts here", () =>
    Effect.gen(function* () {
      const { exit, payload } = yield* reading(endless, (all) => Stream.runForEach(all, atText(Effect.fail(foreign))))
      expect(exit).toEqual(Exit.fail(foreign))
      expect(payload).toMatchObject({
        error_class: "Interrupted",
        request_id: "req_1",
        cost_status: "priced",
        cost_nanousd: FIRST,
        token_usage: { input_tokens: 1000, output_tokens: 1 },
        attempts: [{ n: 1, error_class: "Interrupted", cost_nanousd: FIRST }],
      })
      expect(payload).not.toHaveProperty("provider")
    }),
  )

  it.effect(
    "the client's own error is lost where the reader takes it for an answer, or its defect for the reader's",
    () =>
      Effect.gen(function* () {
        const breaking =
          (end: Stream.Stream<never, LlmError>): Chunks =>
          (asked) =>
            Stream.concat(dripping(PIECES)(asked), end)
        const own = failing({
          reason: "Connection",
          usage: Usage.fromMessagesApi({ input_tokens: 1000, output_tokens: 1 }, "lower_bound"),
        })
        const taken = yield* reading(breaking(Stream.fail(own)), (all) =>
          Stream.runDrain(Stream.catchAll(all, () => Stream.empty)),
        )
        expect(taken.payload).toMatchObject({ error_class: "Connection", request_id: "req_2", cost_nanousd: FIRST })
        const died = yield* reading(breaking(Stream.die("bug")), Stream.runDrain)
        expect(died.payload).toMatchObject({ error_class: "Defect", cost_nanousd: FIRST })
        expect(died.status).toEqual(["failure"])
      }),
  )
})

describe("the times of a stream", () => {
  const slowly = (all: Stream.Stream<LlmChunk<RecordedCall>, LlmError>) =>
    Stream.runForEach(all, atText(Effect.sleep("1 minute")))

  it.effect("the time that a reader takes is not in the latency, or in the model's", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(recorded(slowly))
      yield* TestClock.adjust("10 minutes")
      const { payload } = yield* Fiber.join(fiber)
      expect(payload).toMatchObject({ latency_ms: 124_000, model_latency_ms: 3005, time_to_first_token_ms: 2000 })
    }).pipe(Effect.provide(anthropic(dripping([...PIECES, { _tag: "Finished", response: answer }], "1 second")))),
  )

  it.effect("the time that a reader takes counts as the model's where it then leaves", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(recorded((all) => Effect.option(Effect.timeout(slowly(all), "5 minutes"))))
      yield* TestClock.adjust("10 minutes")
      const { payload } = yield* Fiber.join(fiber)
      // Five up to the first chunk, two seconds to the others, and what is left of the five minutes but for the reader's two.
      const waited = 5 + 2000 + (300_000 - 3000 - 120_000)
      expect(payload).toMatchObject({ latency_ms: 300_000, model_latency_ms: waited })
      expect(payload["attempts"]).toMatchObject([{ duration_ms: waited, error_class: "Interrupted" }])
    }).pipe(Effect.provide(anthropic((asked) => Stream.concat(dripping(PIECES, "1 second")(asked), Stream.never)))),
  )
})
