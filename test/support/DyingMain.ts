import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as LeftOpen from "../../layers/LeftOpen.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import * as TelemetryOffline from "../../layers/TelemetryOffline.js"
import type { EventBody } from "../../src/domain/Event.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import * as RunSpan from "../../src/telemetry/RunSpan.js"
import * as WorkerSpan from "../../src/telemetry/WorkerSpan.js"
import * as EventSamples from "./EventSamples.js"

const [runsDir = "", runId = "", server = "offline", resume = "new"] = process.argv.slice(2)

const started = (callId: string): EventBody => ({
  type: "LLM_CALL_STARTED",
  payload: {
    call_id: callId,
    model: "claude-sonnet-4-5",
    provider_base_url: null,
    prompt_hash: null,
    temperature: 0,
    max_tokens: 100,
  },
})

const recorded = (body: EventBody) =>
  Effect.flatMap(Recorder, ({ record }) => record(body)).pipe(Effect.withSpan("call"))

const call = (n: number) =>
  Effect.gen(function* () {
    const { record } = yield* Recorder
    yield* record(started(`enrich_claims_batch_${n}`))
    yield* record(EventSamples.finished(n))
  }).pipe(Effect.withSpan("call"))

/** A run, a worker, three calls that end, and one that does not: says `open` then, and waits to be killed. */
const work = Effect.gen(function* () {
  yield* Effect.forEach([1, 2, 3], call)
  yield* recorded(started("never_ends"))
  yield* Effect.async<void>((resume) => void process.stdout.write("open\n", () => resume(Effect.void)))
  return yield* Effect.async<never>(() => {
    const alive = setInterval(() => {}, 1000)
    return Effect.sync(() => clearInterval(alive))
  })
})

const program = RunSpan.around(
  { agent_name: "launch.orchestrator", job_type: "launch", product: "widget" },
  WorkerSpan.around({ worker: "W2.FactsBuilder", agentName: "launch.workers.FactsBuilder" }, work),
)

const telemetry =
  server === "offline"
    ? TelemetryOffline.layer
    : TelemetryHttp.layer({ endpoint: server, token: Option.none() }).pipe(Layer.provide(FetchHttpClient.layer))

const layer = Recorder.layer.pipe(
  Layer.provideMerge(telemetry),
  Layer.provideMerge(LeftOpen.closed),
  Layer.provideMerge(EventLogNdjson.layer({ durability: "process", held: server === "offline" })),
  Layer.provideMerge(CurrentRunFolder.layer({ runsDir, runId, resume: resume === "resume", config: {} })),
  Layer.provideMerge(IdGeneratorLive.layer),
)

void Effect.runPromise(Effect.provide(program, layer))
