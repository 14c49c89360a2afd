import * as nodeFs from "node:fs"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { Event } from "../../src/domain/Event.js"
import type { LlmError } from "../../src/domain/Llm.js"
import type { LlmChunk } from "../../src/domain/LlmChunk.js"
import { LlmSpan, type RecordedCall } from "../../src/telemetry/LlmSpan.js"
import {
  events,
  evidence,
  folder,
  log,
  outcome,
  recording,
  request,
  runDirectory,
  servers,
  telemetry,
} from "../support/RecordedProgram.js"
import * as StreamServer from "../support/StreamServer.js"

/** What `claude-sonnet-4-5` costs for the server's counts, nano-dollars: the input for sure, one token of output, all of it. */
const INPUT = 1000 * 3000 + 100 * 3750 + 200 * 6000 + 50 * 300
const FIRST = INPUT + 15_000
const WHOLE = INPUT + 600 * 15_000

type Chunks = Stream.Stream<LlmChunk<RecordedCall>, LlmError>

const payloadOf = ([, last]: ReadonlyArray<Event>): Readonly<Record<string, unknown>> => ({ ...last?.payload })

/** Reads a recorded stream from a server that follows a script, and tells what stands of it everywhere. */
const recorded = <A, E>(
  script: StreamServer.Script,
  use: (stream: Chunks, server: StreamServer.StreamServer) => Effect.Effect<A, E>,
) =>
  Effect.gen(function* () {
    const { api, runsDir } = yield* servers
    const server = yield* StreamServer.serve
    server.script = script
    const outside = telemetry(api.url).pipe(Layer.merge(evidence), Layer.provideMerge(log))
    const inside = yield* Effect.gen(function* () {
      const llm = yield* LlmSpan
      const exit = yield* Effect.exit(use(llm.stream(request, { callId: "test_call" }), server))
      const directory = yield* runDirectory
      return { exit, calls: yield* events, directory }
    }).pipe(Effect.provide(recording(server.url, outside).pipe(Layer.provideMerge(folder(runsDir)))))
    const path = nodePath.join(inside.directory, "evidence/llm_calls/test_call.json")
    const kept: unknown = JSON.parse(nodeFs.readFileSync(path, "utf8"))
    return { ...inside, kept, row: outcome(api), server }
  })

const all = { events: StreamServer.ANSWER, ending: "end" } as const
const text = "A ledger never forgets."

describe("LlmSpan.stream", () => {
  it.scopedLive(
    "a whole stream: its events, row and evidence are those of a call, with the time to the first token",
    () =>
      Effect.gen(function* () {
        const { calls, exit, kept, row } = yield* recorded(all, Stream.runCollect)
        expect(calls.map(({ type }) => type)).toEqual(["LLM_CALL_STARTED", "LLM_CALL_FINISHED"])
        expect(calls[0]?.payload).toMatchObject({ stream: true, model: "claude-sonnet-4-5" })
        const finished = payloadOf(calls)
        expect(finished).toMatchObject({
          token_usage: {
            input_tokens: 1350,
            output_tokens: 600,
            cache_write_1h_tokens: 200,
            cache_write_5m_tokens: 100,
          },
          usage_source: "provider",
          cost_nanousd: WHOLE,
          cost_status: "priced",
          attempts: [{ n: 1, http_status: 200, request_id: "req_1" }],
          time_to_first_token_ms: expect.any(Number),
          model_latency_ms: expect.any(Number),
        })
        expect(finished["time_to_first_token_ms"]).toBeLessThanOrEqual(Number(finished["latency_ms"]))
        expect(row).toMatchObject({
          status: "success",
          context_json: { stream: true, attempts: [{ request_id: "req_1" }] },
          metrics_json: {
            cost_nanousd: WHOLE,
            time_to_first_token_ms: finished["time_to_first_token_ms"],
            model_latency_ms: finished["model_latency_ms"],
          },
        })
        expect(kept).toMatchObject({ status: "success", response: { content: [{ type: "text", text }] } })
        const chunks = Chunk.toReadonlyArray(yield* exit)
        expect(chunks.at(-1)).toMatchObject({
          _tag: "Finished",
          response: { callId: "test_call", content: [{ text }], cost: { nanoUsd: WHOLE }, usage: { output: 600 } },
        })
      }),
  )

  it.scopedLive("a reader that has enough: cancelled, with what is billed for sure and what had come as evidence", () =>
    Effect.gen(function* () {
      const script = { events: StreamServer.ANSWER.slice(0, 4), ending: "silence" } as const
      const { calls, kept, row, server } = yield* recorded(script, (stream) => Stream.runDrain(Stream.take(stream, 2)))
      expect(payloadOf(calls)).toMatchObject({
        error_class: "Interrupted",
        error_summary: "left by its reader after 2 chunks",
        retryable: false,
        token_usage: { input_tokens: 1350, output_tokens: 1 },
        usage_source: "lower_bound",
        cost_nanousd: FIRST,
        cost_status: "priced",
        response_model: "claude-sonnet-4-5-20250929",
        request_id: "req_1",
        time_to_first_token_ms: expect.any(Number),
        attempts: [{ n: 1, error_class: "Interrupted", cost_nanousd: FIRST, usage_source: "lower_bound" }],
      })
      expect(row).toMatchObject({ status: "cancelled", metrics_json: { cost_nanousd: FIRST, output_tokens: 1 } })
      expect(kept).toMatchObject({
        status: "failure",
        response: { content: [{ type: "text", text: "A ledger " }], usage: { source: "lower_bound" } },
        error: { error_class: "Interrupted" },
      })
      expect(server.requests()).toBe(1)
    }),
  )

  it.scopedLive("an interrupted reader: cancelled, and the interruption stays one", () =>
    Effect.gen(function* () {
      const script = { events: StreamServer.ANSWER.slice(0, 4), ending: "silence" } as const
      const { calls, exit, row } = yield* recorded(script, (stream) =>
        Effect.gen(function* () {
          const begun = yield* Deferred.make<void>()
          const fiber = yield* Effect.fork(
            Stream.runForEach(stream, ({ _tag }) =>
              _tag === "Text" ? Deferred.succeed(begun, undefined) : Effect.void,
            ),
          )
          yield* Deferred.await(begun)
          return yield* Effect.flatMap(Fiber.interrupt(fiber), (ended) => ended)
        }),
      )
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(payloadOf(calls)).toMatchObject({
        error_class: "Interrupted",
        error_summary: "interrupted before it ended",
        cost_nanousd: FIRST,
      })
      expect(row).toMatchObject({ status: "cancelled" })
    }),
  )

  it.scopedLive(
    "a connection that breaks: failed, with partial usage once, and the reader gets the client's own error",
    () =>
      Effect.gen(function* () {
        const script = { events: StreamServer.ANSWER.slice(0, 7), ending: "reset" } as const
        const { calls, exit, kept, row } = yield* recorded(script, (stream) => Effect.flip(Stream.runDrain(stream)))
        expect(exit).toMatchObject({ _tag: "Success", value: { _tag: "LlmError", reason: "Connection" } })
        expect(payloadOf(calls)).toMatchObject({
          error_class: "Connection",
          http_status: 200,
          token_usage: { input_tokens: 1350, output_tokens: 600 },
          usage_source: "lower_bound",
          cost_nanousd: WHOLE,
          attempts: [{ error_class: "Connection", cost_nanousd: WHOLE }],
        })
        expect(row).toMatchObject({ status: "failure", metrics_json: { cost_nanousd: WHOLE } })
        expect(kept).toMatchObject({
          status: "failure",
          response: { content: [{ text }] },
          error: { reason: "Connection" },
        })
      }),
  )

  it.scopedLive("a reader that fails of its own after the last chunk leaves a call that has finished", () =>
    Effect.gen(function* () {
      const { calls, exit, row } = yield* recorded(all, (stream) =>
        Stream.runForEach(stream, ({ _tag }) => (_tag === "Finished" ? Effect.fail("mine") : Effect.void)),
      )
      expect(exit).toMatchObject({ _tag: "Failure", cause: { error: "mine" } })
      expect(calls[1]?.type).toBe("LLM_CALL_FINISHED")
      expect(row).toMatchObject({ status: "success" })
    }),
  )

  it.scopedLive("each run of a stream is a call of its own, under the span of who reads it", () =>
    Effect.gen(function* () {
      const span = Tracer.externalSpan({ traceId: "a".repeat(32), spanId: "b".repeat(16) })
      const { calls } = yield* recorded(all, (stream) =>
        Stream.runDrain(stream).pipe(Effect.repeatN(1), Effect.withParentSpan(span)),
      )
      expect(calls.map(({ payload, type }) => [type, "call_id" in payload ? payload.call_id : ""])).toEqual([
        ["LLM_CALL_STARTED", "test_call"],
        ["LLM_CALL_FINISHED", "test_call"],
        ["LLM_CALL_STARTED", "test_call~2"],
        ["LLM_CALL_FINISHED", "test_call~2"],
      ])
      expect(calls.map(({ parent_span_id, trace_id }) => [trace_id, parent_span_id])).toEqual(
        calls.map(() => [span.traceId, span.spanId]),
      )
    }),
  )
})
