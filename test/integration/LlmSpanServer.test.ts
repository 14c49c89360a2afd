import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunRecord } from "../../src/domain/Run.js"
import { StatsGroup } from "../../src/domain/Stats.js"
import * as Sandbox from "../../src/sandbox/Sandbox.js"
import * as Server from "../../src/server/Server.js"
import * as ServerSettings from "../../src/server/ServerSettings.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import * as WorkerSpan from "../../src/telemetry/WorkerSpan.js"
import * as MessagesServer from "../support/MessagesServer.js"
import { evidence, folder, generate, launch, log, recording, request, telemetry } from "../support/RecordedProgram.js"

const places = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped()
  const store = yield* Layer.build(RunStoreSql.layer({ path: `${folder}/telemetry.sqlite` }))
  const server = yield* Server.serve({ ...ServerSettings.defaults, port: 0 }).pipe(Effect.provide(store))
  return { url: server.url, runsDir: `${folder}/runs` }
}).pipe(Effect.provide(NodeFileSystem.layer))

const decodeStats = Schema.decodeUnknown(Schema.Array(StatsGroup))

const decodeRows = Schema.decodeUnknown(Schema.Array(RunRecord))

const rows = (url: string, query: string) =>
  Effect.flatMap(
    Effect.promise(async (): Promise<unknown> => (await fetch(`${url}/api/v1/runs?${query}`)).json()),
    decodeRows,
  )

const recorded = (modelUrl: string, apiUrl: string, runsDir: string) =>
  recording(modelUrl, telemetry(apiUrl).pipe(Layer.merge(evidence), Layer.provideMerge(log))).pipe(
    Layer.provideMerge(folder(runsDir)),
  )

it.scopedLive("T06 T18 T19 a call's row can be read back from the server as the contract has it", () =>
  Effect.gen(function* () {
    const { url, runsDir } = yield* places
    const model = yield* MessagesServer.serve
    const call = yield* launch(generate("test_call")).pipe(Effect.provide(recorded(model.url, url, runsDir)))
    expect(yield* rows(url, "parent_run_id=run-001&job_type=llm_call")).toMatchObject([
      {
        run_id: "run-001-llm-test_call",
        agent_name: "launch.llm.test_call",
        job_type: "llm_call",
        parent_run_id: "run-001",
        status: "success",
        product: "widget",
        context_json: { trace_id: call.traceId, span_id: call.spanId, evidence_path: call.evidencePath },
        metrics_json: { input_tokens: 1500, output_tokens: 3000, total_tokens: 4500, api_cost_usd: 0.0495 },
      },
    ])
    expect(yield* rows(url, "run_id=run-001")).toMatchObject([{ job_type: "launch", status: "success" }])
    expect(yield* rows(url, `trace_id=${call.traceId}`)).toHaveLength(2)
  }),
)

it.scopedLive("T22 a provider that answers 500 leaves a failure row with its attempts on the server", () =>
  Effect.gen(function* () {
    const { url, runsDir } = yield* places
    const sandbox = yield* Sandbox.serve({ faults: "500*" })
    const error = yield* Effect.flip(launch(generate("test_call"))).pipe(
      Effect.provide(recorded(sandbox.url, url, runsDir)),
    )
    expect(error).toMatchObject({ _tag: "LlmError", status: 500 })
    expect(yield* rows(url, "job_type=llm_call&status=failure")).toMatchObject([
      {
        error_summary: error.message.slice(0, 500),
        context_json: { provider: "sandbox", error_class: "ServerError", attempts: [{ n: 1 }, { n: 2 }, { n: 3 }] },
      },
    ])
    expect(yield* rows(url, "run_id=run-001")).toMatchObject([{ status: "failure" }])
  }),
)

it.scopedLive("a stream's time to its first token is in its row and in the server's statistics", () =>
  Effect.gen(function* () {
    const { url, runsDir } = yield* places
    const sandbox = yield* Sandbox.serve({ faults: "drip:30" })
    yield* launch(Effect.flatMap(LlmSpan, (llm) => Stream.runDrain(llm.stream(request, { callId: "test_call" })))).pipe(
      Effect.provide(recorded(sandbox.url, url, runsDir)),
    )
    const [row] = yield* rows(url, "job_type=llm_call&status=success")
    const firstToken = Number(row?.metrics_json?.["time_to_first_token_ms"])
    expect(row).toMatchObject({ context_json: { stream: true, attempts: [{ request_id: "req_sandbox_000001" }] } })
    expect(firstToken).toBeGreaterThan(30)
    const stats = yield* Effect.promise(
      async (): Promise<unknown> => (await fetch(`${url}/api/v1/stats?group_by=job_type&job_type=llm_call`)).json(),
    )
    const [group] = yield* decodeStats(stats)
    expect(Math.abs(Number(group?.time_to_first_token_ms.p50) - firstToken)).toBeLessThanOrEqual(0.05 * firstToken)
  }),
)

it.scopedLive("T38 one trace a launch; workers and calls have the right parents, through forEach and forks", () =>
  Effect.gen(function* () {
    const { url, runsDir } = yield* places
    const sandbox = yield* Sandbox.serve({})
    const ask = (callId: string) => Effect.flatMap(LlmSpan, (llm) => llm.generate(request, { callId }))
    const facts = WorkerSpan.around(
      { worker: "W2.FactsBuilder", agentName: "launch.workers.FactsBuilder" },
      Effect.forEach([1, 2, 3], (n) => ask(`facts_${n}`), { concurrency: 3 }),
    )
    const sections = WorkerSpan.around(
      { worker: "W5.SectionWriter", agentName: "launch.workers.SectionWriter" },
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(ask("section_1"))
        yield* ask("section_2")
        yield* fiber
      }),
    )
    yield* launch(Effect.all([facts, sections], { concurrency: 2 })).pipe(
      Effect.provide(recorded(sandbox.url, url, runsDir)),
    )
    const [root] = yield* rows(url, "run_id=run-001")
    const spanOf = (row: RunRecord | undefined, key: string) => row?.context_json?.[key]
    const all = yield* rows(url, `trace_id=${spanOf(root, "trace_id")}`)
    expect(all).toHaveLength(8)
    expect(new Set(all.map((row) => spanOf(row, "span_id"))).size).toBe(8)
    const workers = all.filter(({ job_type }) => job_type === "worker")
    for (const worker of workers)
      expect(worker).toMatchObject({
        parent_run_id: "run-001",
        status: "success",
        context_json: { parent_span_id: spanOf(root, "span_id") },
      })
    const parentOf = (word: string) =>
      new Set(
        all
          .filter(({ job_type, run_id }) => job_type === "llm_call" && run_id.includes(word))
          .map((row) => spanOf(row, "parent_span_id")),
      )
    const spanOfWorker = (id: string) =>
      spanOf(
        workers.find(({ run_id }) => run_id === id),
        "span_id",
      )
    expect([...parentOf("facts_")]).toEqual([spanOfWorker("run-001:W2.FactsBuilder:1")])
    expect([...parentOf("section_")]).toEqual([spanOfWorker("run-001:W5.SectionWriter:1")])
  }),
)
