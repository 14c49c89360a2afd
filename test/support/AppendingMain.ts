// A program that records events into a run as fast as it can. It is told over IPC what to do, and says what it has done.
import * as fs from "node:fs"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import * as TelemetryOffline from "../../layers/TelemetryOffline.js"
import { EventLog } from "../../services/EventLog.js"
import { Telemetry } from "../../services/Telemetry.js"
import type { Event } from "../../src/domain/Event.js"
import { MAX_OPERATION_BYTES } from "../../src/domain/Operation.js"
import type { Command, Done } from "./Appending.js"
import { Options } from "./Appending.js"
import * as Story from "./Story.js"

const options = Schema.decodeUnknownSync(Schema.parseJson(Options))(process.argv[2])

const TURN = 16
const SAMPLE_MILLIS = 50

const run = CurrentRunFolder.layer({ runsDir: options.runsDir, runId: options.runId, resume: false, config: {} })

const telemetry =
  options.endpoint === null
    ? TelemetryOffline.layer
    : Layer.provide(
        TelemetryHttp.layer({ endpoint: options.endpoint, token: Option.none(), flushDeadline: "10 millis" }),
        FetchHttpClient.layer,
      )

const recording = telemetry.pipe(
  Layer.provideMerge(EventLogNdjson.layer({ durability: options.durability })),
  Layer.provide(run),
)

/** Calls only, or anything that may happen in a run. */
const choiceOf = (n: number): number =>
  options.events === "calls" ? (n % 2) * 2 : Math.floor(((Math.sin(n + options.seed) + 1) * 1e6) % 1000)

const TOO_LARGE = "x".repeat(MAX_OPERATION_BYTES + 1)

const poisoned = (event: Event, n: number): Event => {
  if (options.poison === null || options.poison.at !== n) return event
  if (options.poison.how === "misdated") return { ...event, ts: "yesterday" }
  const { event_id, run_id, ts, trace_id, span_id } = event
  return {
    event_id,
    run_id,
    ts,
    trace_id,
    span_id,
    type: "ISSUE_OPENED",
    payload: { issue_id: "i", kind: "test", message: TOO_LARGE },
  }
}

const peaks = { rss: 0 }
const sample = (): void => {
  peaks.rss = Math.max(peaks.rss, process.memoryUsage.rss())
}

const program = Effect.gen(function* () {
  const log = yield* EventLog
  const shipping = yield* Telemetry
  const story = Story.make(options.runId)
  const report = options.report === null ? undefined : fs.openSync(options.report, "a")
  let serial = 0

  const recordOne = Effect.suspend(() => {
    const n = serial++
    const event = poisoned(story.next(choiceOf(n), options.size), n)
    return Effect.flatMap(log.append(event), (appended) => {
      if (report !== undefined) fs.writeSync(report, `${appended.event_id}\n`)
      return n % TURN === 0 ? Effect.zipRight(shipping.record(event), Effect.yieldNow()) : shipping.record(event)
    })
  })

  const record = (events: number) =>
    Effect.all(
      Array.from({ length: options.fibers }, () => Effect.repeatN(recordOne, Math.ceil(events / options.fibers) - 1)),
      { concurrency: "unbounded", discard: true },
    )

  const perform = (command: Command): Effect.Effect<Done> =>
    Effect.gen(function* () {
      sample()
      peaks.rss = 0
      const since = performance.now()
      const failed = yield* Effect.match(command.do === "record" ? record(command.events) : Effect.void, {
        onFailure: (error) => error.message,
        onSuccess: () => null,
      })
      const delivery = yield* command.do === "flush" ? shipping.flush(command.millis) : shipping.delivery
      sample()
      return {
        millis: performance.now() - since,
        rss: process.memoryUsage.rss(),
        peakRss: peaks.rss,
        appended: serial,
        failed,
        delivery,
      }
    })

  const commands = (resume: (effect: Effect.Effect<void>) => void): void => {
    const sampling = setInterval(sample, SAMPLE_MILLIS)
    process.on("message", (command: Command) => {
      if (command.do === "end") {
        clearInterval(sampling)
        process.disconnect()
        return resume(Effect.void)
      }
      void Effect.runPromise(perform(command)).then((done) => process.send?.(done))
    })
    process.send?.("ready")
  }

  yield* Effect.async<void>(commands)
})

void Effect.runPromise(Effect.provide(program, recording))
