import * as nodeFs from "node:fs"
import * as nodePath from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TelemetryOffline from "../../layers/TelemetryOffline.js"
import { LlmClient } from "../../services/LlmClient.js"
import type { LlmError } from "../../src/domain/Llm.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import {
  detached,
  events,
  evidence,
  folder,
  generate,
  launch,
  log,
  outcome,
  recording,
  type request,
  rows,
  runDirectory,
  servers,
  telemetry,
} from "../support/RecordedProgram.js"

it.scopedLive("T06 T18 T19 a call with API and event log makes one row, two events and its evidence", () =>
  Effect.gen(function* () {
    const { model, api, runsDir } = yield* servers
    model.answersWhen = () => rows(api, "create").length > 0
    const outside = telemetry(api.url).pipe(Layer.merge(evidence), Layer.provideMerge(log))
    const { call, calls, directory } = yield* Effect.gen(function* () {
      const call = yield* launch(generate("test_call"))
      const calls = (yield* events).filter(({ type }) => type.startsWith("LLM_CALL_"))
      return { call, calls, directory: yield* runDirectory }
    }).pipe(Effect.provide(recording(model.url, outside).pipe(Layer.provideMerge(folder(runsDir)))))

    const [create] = rows(api, "create")
    expect(create).toMatchObject({
      run_id: "run-001-llm-test_call",
      agent_name: "launch.llm.test_call",
      job_type: "llm_call",
      parent_run_id: "run-001",
      status: "running",
      product: "widget",
      context_json: {
        trace_id: call.traceId,
        span_id: call.spanId,
        call_id: "test_call",
        model: "claude-sonnet-4-5",
        provider: "anthropic",
        provider_base_url: model.url,
        temperature: 0,
        max_tokens: 4096,
        prompt_hash: call.promptHash,
        evidence_path: "evidence/llm_calls/test_call.json",
        worker: "W2.FactsBuilder",
      },
    })
    const [update] = rows(api, "update")
    expect(update).toMatchObject({
      status: "success",
      metrics_json: {
        input_tokens: 1500,
        output_tokens: 3000,
        total_tokens: 4500,
        prompt_tokens: 1500,
        completion_tokens: 3000,
        finish_reason: "stop",
        api_cost_usd: 0.0495,
        cost_nanousd: 49_500_000,
        cost_status: "priced",
        usage_source: "provider",
      },
      context_json: { request_id: "req_1", response_model: "claude-sonnet-4-5-20250929", attempts: [{ n: 1 }] },
    })
    expect(update?.["duration_ms"]).toBeGreaterThanOrEqual(0)

    expect(calls.map(({ type }) => type)).toEqual(["LLM_CALL_STARTED", "LLM_CALL_FINISHED"])
    for (const event of calls)
      expect(event).toMatchObject({ trace_id: call.traceId, span_id: call.spanId, payload: { call_id: "test_call" } })
    expect(create?.event_id).toBe(calls[0]?.event_id)

    const kept = JSON.parse(nodeFs.readFileSync(nodePath.join(directory, call.evidencePath ?? "none"), "utf8"))
    expect(kept).toMatchObject({ call_id: "test_call", event_id: create?.event_id, status: "success" })
  }),
)

it.scopedLive("T07 offline with an event log: exactly STARTED and FINISHED, no request leaves for the API", () =>
  Effect.gen(function* () {
    const { model, api, runsDir } = yield* servers
    const types = yield* Effect.zipRight(generate("test_call"), events).pipe(
      Effect.map((all) => all.map(({ type }) => type)),
      Effect.provide(
        recording(model.url, Layer.merge(TelemetryOffline.layer, log)).pipe(Layer.provideMerge(folder(runsDir))),
      ),
    )
    expect(types).toEqual(["LLM_CALL_STARTED", "LLM_CALL_FINISHED"])
    expect(api.connections()).toBe(0)
  }),
)

it.scopedLive("T08 with an API and no event log create and update both arrive", () =>
  Effect.gen(function* () {
    const { model, api } = yield* servers
    model.answersWhen = () => rows(api, "create").length > 0
    yield* generate("test_call").pipe(
      Effect.provide(recording(model.url, telemetry(api.url)).pipe(Layer.provideMerge(detached))),
    )
    expect(rows(api, "create")).toHaveLength(1)
    expect(rows(api, "update")).toMatchObject([{ status: "success" }])
  }),
)

it.scopedLive("T09 T16 T17 with neither the call simply works, and gets an id of its own", () =>
  Effect.gen(function* () {
    const { model } = yield* servers
    const { first, second } = yield* Effect.all({ first: generate(), second: generate() }).pipe(
      Effect.provide(recording(model.url, Layer.empty).pipe(Layer.provideMerge(detached))),
    )
    expect(first).toMatchObject({
      content: [{ type: "text", text: "A ledger never forgets." }],
      model: "claude-sonnet-4-5-20250929",
      usage: { uncachedInput: 1500, output: 3000 },
      evidencePath: null,
    })
    expect(first.callId).toBe(`call_${first.promptHash.slice(0, 12)}`)
    expect(second.callId).toBe(`${first.callId}~2`)
    expect(first.latencyMs).toBeGreaterThan(0)
  }),
)

it.scopedLive("T10 T22 a failing provider: the caller gets the client's own error, row and events say why", () =>
  Effect.gen(function* () {
    const { model, api, runsDir } = yield* servers
    model.behave = { status: 500, message: "the machine is on fire" }
    const thrown: Array<LlmError> = []
    const outside = telemetry(api.url).pipe(Layer.merge(evidence), Layer.provideMerge(log))
    const spied = Layer.effect(
      LlmClient,
      Effect.map(LlmClient, (client) => ({
        ...client,
        generate: (asked: typeof request) =>
          Effect.tapError(client.generate(asked), (error) => Effect.sync(() => thrown.push(error))),
      })),
    )
    const { error, calls, directory } = yield* Effect.gen(function* () {
      const client = yield* Effect.context<LlmClient>().pipe(Effect.provide(spied))
      const error = yield* Effect.flip(generate("test_call")).pipe(
        Effect.provide(Layer.provide(LlmSpan.layer, Layer.succeedContext(client))),
      )
      return { error, calls: yield* events, directory: yield* runDirectory }
    }).pipe(Effect.provide(recording(model.url, outside).pipe(Layer.provideMerge(folder(runsDir)))))

    expect(error).toBe(thrown[0])
    expect(error).toMatchObject({ _tag: "LlmError", reason: "ServerError", status: 500, retryable: true })
    expect(model.requests()).toBe(3)
    expect(calls.map(({ type }) => type)).toEqual(["LLM_CALL_STARTED", "LLM_CALL_FAILED"])
    const payload = { error_class: "ServerError", retryable: true, http_status: 500 }
    expect(calls[1]).toMatchObject({ payload })
    expect(outcome(api)).toMatchObject({
      status: "failure",
      error_summary: error.message,
      context_json: { attempts: [{ n: 1 }, { n: 2 }, { n: 3 }] },
    })
    const kept = JSON.parse(nodeFs.readFileSync(nodePath.join(directory, "evidence/llm_calls/test_call.json"), "utf8"))
    expect(kept).toMatchObject({ status: "failure", error: { error_class: "ServerError", status: 500 } })
  }),
)
