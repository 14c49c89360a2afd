import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as TelemetryOffline from "../../layers/TelemetryOffline.js"
import { EventLog, Recorder, WorkerSpan } from "../index.js"

/** A program that says nothing of where its events go. */
const program = Effect.gen(function* () {
  const sum = yield* WorkerSpan.around(
    { worker: "Adder", agentName: "workers.Adder", describe: (value) => ({ output_summary: `the sum is ${value}` }) },
    Effect.succeed(1 + 2),
  )
  const log = yield* EventLog
  const { lines } = yield* log.head
  return { sum, lines }
})

/** The offline layer in place of `TelemetryHttp`: events are recorded, and nothing leaves the process. */
const MainOffline = Recorder.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(TelemetryOffline.layer, EventLogMemory.layer, IdGeneratorLive.layer)),
  Layer.provideMerge(CurrentRunDetached.layer({ runId: "sum-001" })),
)

export const main = Effect.provide(program, MainOffline)
