import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import * as EvidenceStoreFiles from "../../layers/EvidenceStoreFiles.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import { CurrentRun } from "../../services/CurrentRun.js"
import { EventLog } from "../../services/EventLog.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import type { LlmRequest } from "../../src/domain/Llm.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import * as RunSpan from "../../src/telemetry/RunSpan.js"
import * as MessagesServer from "./MessagesServer.js"
import * as OpsRecorder from "./OpsRecorder.js"

export const request: LlmRequest = {
  model: "claude-sonnet-4-5",
  messages: [{ role: "user", content: "What is a ledger?" }],
  temperature: 0,
  maxTokens: 4096,
}

export const folder = (runsDir: string) =>
  CurrentRunFolder.layer({ runsDir, runId: "run-001", resume: false, config: {} })

export const log = EventLogNdjson.layer({ durability: "process" })
export const evidence = EvidenceStoreFiles.layer({ capture: "redacted", secrets: [] })

export const telemetry = (endpoint: string) =>
  TelemetryHttp.layer({ endpoint, token: Option.none(), flushDeadline: "2 seconds" }).pipe(
    Layer.provide(FetchHttpClient.layer),
  )

export const model = (baseUrl: string) =>
  LlmClientAnthropic.layer({
    apiKey: Redacted.make("sk-ant-api03-not-a-key"),
    baseUrl,
    timeout: "2 seconds",
    maxRetries: 2,
    retryBase: "1 millis",
  })

/** Everything that records, over the real parts that a test chooses; `outside` is telemetry, log and evidence or fewer. */
export const recording = <A, E, R>(baseUrl: string, outside: Layer.Layer<A, E, R>) =>
  LlmSpan.layer.pipe(
    Layer.provideMerge(Recorder.layer),
    Layer.provideMerge(outside),
    Layer.provideMerge(Layer.mergeAll(model(baseUrl), PriceBookTable.layer({}), IdGeneratorLive.layer)),
    Layer.provide(NodeContext.layer),
  )

export const generate = (callId?: string) =>
  Effect.flatMap(LlmSpan, (llm) => llm.generate(request, { callId, worker: "W2.FactsBuilder" }))

/** A call in a run, as a launch makes it. */
export const launch = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  RunSpan.around({ agent_name: "launch.orchestrator", job_type: "launch", product: "widget" }, program)

/** The events of the current run so far. */
export const events = Effect.gen(function* () {
  const service = yield* EventLog
  const { events } = yield* service.read({ offset: 0, lines: 0, hash: GENESIS_HASH }, 10_000_000)
  return events
})

export const runDirectory = Effect.map(CurrentRun, ({ directory }) => Option.getOrElse(directory, () => ""))

const temporary = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()).pipe(
  Effect.provide(NodeFileSystem.layer),
)

/** A model, an API and a place for runs. */
export const servers = Effect.gen(function* () {
  return { model: yield* MessagesServer.serve, api: yield* OpsRecorder.serve, runsDir: yield* temporary }
})

/** What was done to the rows of one job type. */
export const rows = (api: OpsRecorder.OpsRecorder, op: "create" | "update", jobType = "llm_call") => {
  const ids = api.applied.filter((row) => row.op === "create" && row["job_type"] === jobType).map((row) => row.event_id)
  return api.applied.filter((row) => row.op === op && ids.includes(row.event_id))
}

/** The row of the only call as its operations leave it, whether or not its ending came together with its beginning. */
export const outcome = (api: OpsRecorder.OpsRecorder): Readonly<Record<string, unknown>> =>
  Object.assign({}, ...rows(api, "create"), ...rows(api, "update"))

export const detached = CurrentRunDetached.layer({ runId: "run-001" })
