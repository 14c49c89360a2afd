import * as nodeFs from "node:fs"
import * as nodePath from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as Runledger from "../../layers/Runledger.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import * as TelemetryOffline from "../../layers/TelemetryOffline.js"
import { EventLog, EventLogError } from "../../services/EventLog.js"
import { EvidenceError, EvidenceStore } from "../../services/EvidenceStore.js"
import { LlmClient, type LlmClientService } from "../../services/LlmClient.js"
import { PriceBook } from "../../services/PriceBook.js"
import { Telemetry } from "../../services/Telemetry.js"
import type { Event } from "../../src/domain/Event.js"
import { LlmError } from "../../src/domain/Llm.js"
import * as Usage from "../../src/domain/Usage.js"
import * as Sandbox from "../../src/sandbox/Sandbox.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import * as RecordedRun from "../../src/telemetry/RecordedRun.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import * as MessagesServer from "../support/MessagesServer.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import {
  events,
  evidence,
  folder,
  generate,
  launch,
  log,
  model as modelLayer,
  recording,
  request,
  runDirectory,
  telemetry,
} from "../support/RecordedProgram.js"
import * as WarningLog from "../support/WarningLog.js"

const TEMPORARY = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()).pipe(
  Effect.provide(NodeFileSystem.layer),
)

const servers = Effect.gen(function* () {
  return { model: yield* MessagesServer.serve, api: yield* OpsRecorder.serve, runsDir: yield* TEMPORARY }
})

const rows = (api: OpsRecorder.OpsRecorder, op: "create" | "update", jobType = "llm_call") => {
  const ids = api.applied.filter((row) => row.op === "create" && row["job_type"] === jobType).map((row) => row.event_id)
  return api.applied.filter((row) => row.op === op && ids.includes(row.event_id))
}

const detached = CurrentRunDetached.layer({ runId: "run-001" })

it.scopedLive("T06 T18 T19 a call with API and event log makes one row, two events and its evidence", () =>
  Effect.gen(function* () {
    const { model, api, runsDir } = yield* servers
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
    expect(rows(api, "update")).toMatchObject([
      { status: "failure", error_summary: error.message, context_json: { attempts: [{ n: 1 }, { n: 2 }, { n: 3 }] } },
    ])
    const kept = JSON.parse(nodeFs.readFileSync(nodePath.join(directory, "evidence/llm_calls/test_call.json"), "utf8"))
    expect(kept).toMatchObject({ status: "failure", error: { error_class: "ServerError", status: 500 } })
  }),
)

const refusing =
  (op: string, status = 422) =>
  (received: OpsRecorder.Received): OpsRecorder.Behaviour =>
    received.ops.some((one) => one.op === op) ? { status, body: { detail: `no ${op} today` } } : { status: 200 }

it.scopedLive.each([
  ["T11 T20 create refused", refusing("create"), 1],
  ["T12 T21 update refused", refusing("update"), 1],
  [
    "T20 T21 both refused",
    (received: OpsRecorder.Received) =>
      received.ops.some(({ op }) => op !== "event") ? { status: 422, body: { detail: "no" } } : { status: 200 },
    2,
  ],
  ["T11 T12 the server fails", () => ({ status: 500 }) as const, 1],
] as const)("%s: the call's result is unchanged, one warning each", ([_title, behave, warnings]) =>
  Effect.gen(function* () {
    const { model, api, runsDir } = yield* servers
    const lines = WarningLog.make()
    api.behave = behave
    const call = yield* generate("test_call").pipe(
      Effect.provide(
        recording(model.url, Layer.provideMerge(telemetry(api.url), log)).pipe(Layer.provideMerge(folder(runsDir))),
      ),
      Effect.provide(lines.layer),
    )
    expect(call).toMatchObject({ callId: "test_call", usage: { uncachedInput: 1500, output: 3000 } })
    expect(lines.warnings()).toHaveLength(warnings)
  }),
)

const brokenLog = (isBroken: () => boolean) =>
  Layer.effect(
    EventLog,
    Effect.map(EventLog, (real) => ({
      ...real,
      append: (event: Event) =>
        isBroken()
          ? Effect.fail(new EventLogError({ operation: "append", path: "/full", message: "no space left on the disk" }))
          : real.append(event),
    })),
  ).pipe(Layer.provide(log))

it.scopedLive("T13 an event log that fails is one warning; what was lost is told of when it works again", () =>
  Effect.gen(function* () {
    const { model, runsDir } = yield* servers
    const lines = WarningLog.make()
    let broken = true
    const all = yield* Effect.gen(function* () {
      expect(yield* generate("lost")).toMatchObject({ callId: "lost" })
      broken = false
      yield* generate("kept")
      return yield* events
    }).pipe(
      Effect.provide(
        recording(
          model.url,
          brokenLog(() => broken),
        ).pipe(Layer.provideMerge(folder(runsDir))),
      ),
      Effect.provide(lines.layer),
    )
    expect(all.map(({ type }) => type)).toEqual(["TELEMETRY_GAP", "LLM_CALL_STARTED", "LLM_CALL_FINISHED"])
    expect(all[0]).toMatchObject({ payload: { dropped: 2, reason: "no space left on the disk" } })
    expect(lines.warnings().filter((line) => line.includes("no space left"))).toHaveLength(1)
  }),
)

it.scopedLive("T13 an event log that was closed under the call's feet, as root too: one warning, the same result", () =>
  Effect.gen(function* () {
    const { model, runsDir } = yield* servers
    const lines = WarningLog.make()
    const call = yield* Effect.gen(function* () {
      const scope = yield* Scope.make()
      const closed = yield* Layer.buildWithScope(log, scope)
      yield* Scope.close(scope, Exit.void)
      return yield* generate("test_call").pipe(Effect.provide(recording(model.url, Layer.succeedContext(closed))))
    }).pipe(Effect.provide(folder(runsDir)), Effect.provide(lines.layer))
    expect(call.usage).toMatchObject({ uncachedInput: 1500, output: 3000 })
    expect(lines.warnings()).toHaveLength(1)
    expect(lines.warnings()[0]).toContain("events.ndjson")
  }),
)

it.scopedLive("T13 T34 where no folder can be made the composed layer warns, and the call works", () =>
  Effect.gen(function* () {
    const { model, runsDir } = yield* servers
    const lines = WarningLog.make()
    const file = nodePath.join(runsDir, "a-file")
    nodeFs.writeFileSync(file, "")
    const settings = ConfigProvider.fromMap(new Map([["TELEMETRY_API_URL", "no url"]]))
    const call = yield* generate("test_call").pipe(
      Effect.provide(RecordedRun.layer({ agent_name: "test", job_type: "test" })),
      Effect.provide(Layer.merge(Runledger.layer({ name: "test", runsDir: file }), modelLayer(model.url))),
      Effect.withConfigProvider(settings),
      Effect.provide(lines.layer),
    )
    expect(call.usage.output).toBe(3000)
    expect(lines.warnings()).toHaveLength(4)
  }),
)

const dying = Layer.succeed(Telemetry, {
  ...TelemetryOffline.service,
  record: () => Effect.die(new Error("the transport died")),
})

it.scopedLive("T14 a transport that dies with a defect is one warning, and changes no result", () =>
  Effect.gen(function* () {
    const { model, runsDir } = yield* servers
    const lines = WarningLog.make()
    const call = yield* generate("test_call").pipe(
      Effect.provide(recording(model.url, Layer.merge(dying, log)).pipe(Layer.provideMerge(folder(runsDir)))),
      Effect.provide(lines.layer),
    )
    expect(call.usage.output).toBe(3000)
    expect(lines.warnings()).toHaveLength(1)
    expect(lines.warnings()[0]).toContain("the transport died")
    expect(lines.all().some((line) => line.startsWith("1 times more"))).toBe(true)
  }),
)

it.scopedLive("T14 an HTTP client that dies with a defect is one warning, and changes no result", () =>
  Effect.gen(function* () {
    const { model } = yield* servers
    const lines = WarningLog.make()
    const deadClient = Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make(() => Effect.die(new Error("the client died"))),
    )
    const outside = TelemetryHttp.layer({ endpoint: "http://127.0.0.1:1", token: Option.none() }).pipe(
      Layer.provide(deadClient),
      Layer.provideMerge(EventLogMemory.layer),
    )
    const call = yield* generate("test_call").pipe(
      Effect.provide(recording(model.url, outside).pipe(Layer.provideMerge(detached))),
      Effect.provide(lines.layer),
    )
    expect(call.usage.output).toBe(3000)
    expect(lines.warnings()).toHaveLength(1)
    expect(lines.warnings()[0]).toContain("the client died")
  }),
)

it.scopedLive("T15 log, transport and evidence broken at once: the same result, one warning each", () =>
  Effect.gen(function* () {
    const { model, runsDir } = yield* servers
    const lines = WarningLog.make()
    const noEvidence = Layer.effect(
      EvidenceStore,
      Effect.map(EvidenceStore, (real) => ({
        ...real,
        put: () => Effect.fail(new EvidenceError({ operation: "put", path: "/full", message: "no room for evidence" })),
      })),
    ).pipe(Layer.provide(evidence))
    let appends = 0
    const outside = Layer.mergeAll(
      dying,
      noEvidence,
      brokenLog(() => ++appends === 1),
    )
    const call = yield* Effect.zipLeft(generate("one"), generate("two")).pipe(
      Effect.provide(recording(model.url, outside).pipe(Layer.provideMerge(folder(runsDir)))),
      Effect.provide(lines.layer),
    )
    expect(call.usage.output).toBe(3000)
    for (const words of ["the transport died", "no room for evidence", "no space left"])
      expect(lines.warnings().filter((line) => line.includes(words))).toHaveLength(1)
  }),
)

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
