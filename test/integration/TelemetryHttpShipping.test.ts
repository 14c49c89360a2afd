import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Telemetry } from "../../services/Telemetry.js"
import * as Sample from "../support/EventSamples.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import { flush, record } from "../support/Shipping.js"
import { observedLog, over, trouble } from "../support/ShippingTime.js"
import * as WarningLog from "../support/WarningLog.js"

describe("TelemetryHttp: the log that is the outbox", () => {
  it.scopedLive(
    "a log is marked as meant for the server before anything is recorded; if that fails it is a warning",
    () =>
      Effect.gen(function* () {
        const server = yield* OpsRecorder.serve
        const marked: Array<number> = []
        const good = yield* observedLog((log) => ({
          acknowledge: (position) =>
            Effect.zipRight(
              Effect.sync(() => marked.push(position.lines)),
              log.acknowledge(position),
            ),
        }))
        yield* Effect.provide(Telemetry, over(server, good.layer))
        expect(marked).toEqual([0])
        const warnings = WarningLog.make()
        const bad = yield* observedLog(() => ({ acknowledge: () => Effect.fail(trouble("acknowledge")) }))
        yield* record(Sample.runCreated()).pipe(Effect.provide(over(server, bad.layer)), Effect.provide(warnings.layer))
        expect(server.applied).toHaveLength(2)
        expect(warnings.warnings()[0]).toContain("the disk is full (acknowledge)")
      }),
  )

  it.scopedLive("a create that the server knows already is followed by the updates that were taken into it", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = ({ ops }) => ({
        status: 200,
        body: {
          results: ops.map(({ op, event_id }) => ({ op, event_id, status: op === "create" ? "duplicate" : "stored" })),
        },
      })
      const started = Sample.callStarted(1)
      const { layer, log } = yield* observedLog()
      yield* Effect.gen(function* () {
        yield* record(Sample.runCreated())
        yield* record(started)
        yield* record(Sample.callFinished(1))
        yield* flush("10 seconds")
      }).pipe(Effect.provide(over(server, layer)))
      expect(server.requests.map(({ ops }) => ops.map(({ op }) => op))).toEqual([
        ["event", "create", "event", "create", "event"],
        ["update"],
      ])
      expect(server.requests[0]?.ops[3]).toMatchObject({ event_id: started.event_id, status: "success" })
      expect(server.requests[1]?.ops[0]).toMatchObject({ event_id: started.event_id, status: "success" })
      expect((yield* log.acknowledged).lines).toBe(3)
    }),
  )

  it.scopedLive(
    "a create that is refused with its ending in it is sent as it was, so that the row is not lost with it",
    () =>
      Effect.gen(function* () {
        const server = yield* OpsRecorder.serve
        server.behave = () => ({ status: 200, refuse: ({ metrics_json }) => metrics_json !== undefined })
        const { layer, letters } = yield* observedLog()
        yield* Effect.gen(function* () {
          yield* record(Sample.callStarted(1))
          yield* record(Sample.callFinished(1))
          yield* flush("10 seconds")
        }).pipe(Effect.provide(over(server, layer)))
        expect(server.applied.map(({ op, status }) => [op, status])).toEqual([
          ["event", undefined],
          ["event", undefined],
          ["create", "running"],
        ])
        expect(letters).toMatchObject([{ op: "update", operation: { status: "success" } }])
      }),
  )

  it.scopedLive("an event goes to the server as its line stands in the log", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const { layer, log } = yield* observedLog()
      yield* Effect.zipRight(record(Sample.runCreated()), flush("10 seconds")).pipe(Effect.provide(over(server, layer)))
      const { events } = yield* log.read({ offset: 0, lines: 0, hash: "0".repeat(64) }, 1000)
      expect(server.applied[0]).toEqual({ op: "event", event_id: events[0]?.event_id, event: events[0] })
    }),
  )

  it.scopedLive("a backlog of many batches arrives whole and in order, one request at a time over one connection", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const { layer, log } = yield* observedLog()
      const recorded = Array.from({ length: 3000 }, (_, n) => Sample.callStarted(n))
      yield* Effect.forEach(recorded, log.append, { discard: true })
      const delivery = yield* flush("60 seconds").pipe(Effect.provide(over(server, layer)))
      expect(delivery).toMatchObject({ delivered: 3000, undelivered: 0, circuit: "closed", oldestUndeliveredAt: null })
      const events = server.applied.flatMap(({ op, event_id }) => (op === "event" ? [event_id] : []))
      expect(events).toEqual(recorded.map(({ event_id }) => event_id))
      expect(server.requests.length).toBeGreaterThan(5)
      expect(server.connections()).toBe(1)
    }),
  )
})
