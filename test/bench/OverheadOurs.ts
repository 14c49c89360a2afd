// Ours, and the bare Effect that it is held against: bundled by Overhead.ts and run in a process of its own.
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import * as EvidenceStoreFiles from "../../layers/EvidenceStoreFiles.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import { LlmClient, type LlmClientService, streamOf } from "../../services/LlmClient.js"
import { Telemetry } from "../../services/Telemetry.js"
import type { LlmRequest, LlmResponse } from "../../src/domain/Llm.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import * as Recorder from "../../src/telemetry/Recorder.js"
import * as RunSpan from "../../src/telemetry/RunSpan.js"

const CALLS = Number(process.env["OVERHEAD_CALLS"] ?? 20_000)
const WARM_UP = Math.min(2000, CALLS)
const contender = process.argv[2] ?? "ours"
const endpoint = process.env["OVERHEAD_SINK"] ?? ""

const request: LlmRequest = {
  model: "claude-sonnet-4-5",
  messages: [
    { role: "user", content: "What is a ledger, and why does it never forget? Answer in one paragraph. ".repeat(4) },
  ],
  temperature: 0,
  maxTokens: 4096,
}

const response: LlmResponse = {
  content: [{ type: "text", text: "A ledger never forgets: every entry stays where it was written. ".repeat(6) }],
  usage: {
    uncachedInput: 1500,
    cacheRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    output: 300,
    reasoning: 0,
    source: "provider",
  },
  finishReason: "stop",
  stopReason: "end_turn",
  model: "claude-sonnet-4-5-20250929",
  requestId: "req_011CSHoEeqs5C35K2UUqR7Fy",
  attempts: [
    {
      n: 1,
      started_at: "2026-01-01T00:00:00.000Z",
      duration_ms: 12.5,
      http_status: 200,
      error_class: null,
      retry_after_ms: null,
    },
  ],
  source: "provider",
}

const client: LlmClientService = {
  provider: "anthropic",
  baseUrl: "https://api.anthropic.com",
  generate: () => Effect.succeed(response),
  stream: streamOf(() => Effect.succeed(response)),
}

const callName = (n: number): string => `overhead-call-${String(n).padStart(6, "0")}`

const turn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** The same as `measure` of peers/measure.mjs, in a fiber: an Effect is awaited where it runs. */
const measure = <E, R, R2>(
  once: (name: string) => Effect.Effect<unknown, E, R>,
  flush: Effect.Effect<unknown, never, R2>,
) =>
  Effect.gen(function* () {
    for (let n = 0; n < WARM_UP; n++) {
      yield* once(callName(n))
      yield* turn
    }
    yield* flush
    const times = new Float64Array(CALLS)
    const before = process.cpuUsage()
    for (let n = 0; n < CALLS; n++) {
      const name = callName(WARM_UP + n)
      const start = process.hrtime.bigint()
      yield* once(name)
      times[n] = Number(process.hrtime.bigint() - start) / 1e3
      yield* turn
    }
    yield* flush
    const cpu = process.cpuUsage(before)
    times.sort()
    const at = (share: number) => times[Math.min(CALLS - 1, Math.floor(CALLS * share))] ?? Number.NaN
    const result = { calls: WARM_UP + CALLS, p50: at(0.5), p99: at(0.99), cpu: (cpu.user + cpu.system) / CALLS }
    process.stdout.write(`RESULT ${JSON.stringify(result)}\n`)
  })

const flush = Effect.flatMap(Effect.serviceOption(Telemetry), (telemetry) =>
  Option.isNone(telemetry)
    ? Effect.void
    : Effect.flatMap(telemetry.value.flush("60 seconds"), ({ undelivered, lastError }) =>
        undelivered === 0 ? Effect.void : Effect.dieMessage(`${undelivered} events undelivered: ${lastError}`),
      ),
)

const recorded = (runsDir: string) => {
  const http = TelemetryHttp.layer({ endpoint, token: Option.none() }).pipe(Layer.provide(FetchHttpClient.layer))
  const log = EventLogNdjson.layer({ durability: "process" })
  const evidence = EvidenceStoreFiles.layer({ capture: "redacted", secrets: [] })
  const outside = contender === "evidence" ? Layer.merge(http, evidence) : http
  return LlmSpan.layer.pipe(
    Layer.provideMerge(Recorder.layer),
    Layer.provideMerge(Layer.provideMerge(outside, log)),
    Layer.provideMerge(Layer.mergeAll(Layer.succeed(LlmClient, client), PriceBookTable.layer(), IdGeneratorLive.layer)),
    Layer.provide(NodeContext.layer),
    Layer.provideMerge(CurrentRunFolder.layer({ runsDir, runId: "overhead", resume: false, config: {} })),
  )
}

const ours = (runsDir: string) =>
  RunSpan.around(
    { agent_name: "overhead", job_type: "launch" },
    Effect.flatMap(LlmSpan, (llm) => measure((callId) => llm.generate(request, { callId }), flush)),
  ).pipe(Effect.provide(recorded(runsDir)))

const bare = measure(() => client.generate(request), Effect.void)

const program = Effect.acquireUseRelease(
  Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "runledger-overhead-"))),
  (runsDir) => (contender === "bare" ? Effect.asVoid(bare) : ours(runsDir)),
  (runsDir) => Effect.sync(() => fs.rmSync(runsDir, { recursive: true, force: true })),
)

await Effect.runPromise(program)
