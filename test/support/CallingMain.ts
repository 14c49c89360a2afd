// A program that makes recorded calls of a model that answers at once, and says how long each took and what it got.
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import * as EvidenceStoreFiles from "../../layers/EvidenceStoreFiles.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import * as TelemetryOffline from "../../layers/TelemetryOffline.js"
import { Telemetry } from "../../services/Telemetry.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import * as RecordedRun from "../../src/telemetry/RecordedRun.js"
import { Options, type Said } from "./Calling.js"
import * as FakeTime from "./FakeTime.js"
import * as InstantModel from "./InstantModel.js"

const options = Schema.decodeUnknownSync(Schema.parseJson(Options))(process.argv[2])

const telemetry =
  options.endpoint === null
    ? TelemetryOffline.layer
    : Layer.provide(
        TelemetryHttp.layer({
          endpoint: options.endpoint,
          token: Option.none(),
          requestTimeout: options.requestTimeoutMillis,
          flushDeadline: options.flushMillis,
        }),
        FetchHttpClient.layer,
      )

const evidence = options.evidence ? EvidenceStoreFiles.layer({ capture: "redacted", secrets: [] }) : Layer.empty

let call = -1

/** What happens in the world while a call is under way. */
const during = Effect.suspend(() => {
  const { clockFile, moves, ballast, roomAt } = options
  if (call === roomAt && ballast !== null) fs.rmSync(ballast)
  const move = moves.find(({ at }) => at === call)
  if (clockFile !== null && move !== undefined) FakeTime.move(clockFile, move.by)
  return Effect.void
})

const recording = RecordedRun.layer({ agent_name: "caller", job_type: "calls" }).pipe(
  Layer.provideMerge(Layer.merge(telemetry, evidence)),
  Layer.provideMerge(EventLogNdjson.layer({ durability: "process" })),
  Layer.provideMerge(
    CurrentRunFolder.layer({ runsDir: options.runsDir, runId: options.runId, resume: false, config: {} }),
  ),
  Layer.provide([InstantModel.layer(during), PriceBookTable.layer({}), IdGeneratorLive.layer]),
  Layer.provide(NodeContext.layer),
)

const millis: Array<number> = []
const hash = createHash("sha256")

const oneCall = (n: number) =>
  Effect.gen(function* () {
    const llm = yield* LlmSpan
    call = n
    const since = performance.now()
    const { content, usage, finishReason } = yield* llm.generate(InstantModel.request(n), { callId: `call_${n}` })
    millis.push(performance.now() - since)
    hash.update(JSON.stringify({ content, usage, finishReason }))
    if (n % options.pauseEvery === options.pauseEvery - 1) yield* Effect.sleep(options.pauseMillis)
  })

const program = Effect.gen(function* () {
  for (let n = 0; n < options.calls; n++) yield* oneCall(n)
  const delivery = yield* Effect.flatMap(Telemetry, (shipping) => shipping.delivery)
  const said: Said = {
    millis: millis.map((value) => Math.round(value * 1e6) / 1e6),
    answers: hash.digest("hex"),
    delivery,
  }
  fs.writeFileSync(options.said, JSON.stringify(said))
})

void Effect.runPromise(Effect.provide(program, recording))
