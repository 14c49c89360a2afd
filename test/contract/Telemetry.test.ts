import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as TelemetryOffline from "../../layers/TelemetryOffline.js"
import { Telemetry } from "../../services/Telemetry.js"
import * as Sample from "../support/EventSamples.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import { flush, http, logged, record } from "../support/Shipping.js"
import * as WarningLog from "../support/WarningLog.js"

const layers = [
  { name: "TelemetryOffline", make: () => Effect.succeed(TelemetryOffline.layer) },
  { name: "TelemetryHttp without a log", make: () => Effect.map(OpsRecorder.serve, ({ url }) => http(url)) },
  { name: "TelemetryHttp with a log", make: () => Effect.map(OpsRecorder.serve, ({ url }) => logged(url)) },
  { name: "TelemetryHttp with no server", make: () => Effect.map(OpsRecorder.closedUrl, (url) => logged(url)) },
  {
    name: "TelemetryHttp with a server that never answers",
    make: () =>
      Effect.map(OpsRecorder.serve, (server) => {
        server.behave = () => "hang"
        return http(server.url, { flushDeadline: "100 millis" })
      }),
  },
  { name: "TelemetryHttp with a wrong endpoint", make: () => Effect.succeed(http("not a url")) },
]

describe.each(layers)("the promise of Telemetry: $name", ({ make }) => {
  it.scopedLive("record, flush and delivery succeed whatever the outside does, and closing ends", () =>
    Effect.gen(function* () {
      const log = WarningLog.make()
      const layer = yield* make()
      const delivery = yield* Effect.gen(function* () {
        yield* record(Sample.runCreated())
        yield* flush("50 millis")
        return yield* Effect.flatMap(Telemetry, (telemetry) => telemetry.delivery)
      }).pipe(Effect.provide(layer), Effect.provide(log.layer))
      expect(delivery.dropped).toBe(0)
      expect(delivery.delivered + delivery.undelivered).toBe(delivery.endpoint === null ? 0 : 1)
      expect(log.warnings().length).toBeLessThanOrEqual(2)
    }),
  )
})

describe.each([
  { name: "from the log", layer: logged },
  { name: "from memory", layer: http },
])("TelemetryHttp $name", ({ layer }) => {
  it.scopedLive("delivers rows and events in order, once, with its token and a report on itself", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const delivery = yield* Effect.gen(function* () {
        yield* record(Sample.runCreated())
        yield* record(Sample.callStarted(1))
        yield* record(Sample.callFinished(1))
        return yield* flush("10 seconds")
      }).pipe(Effect.provide(layer(`${server.url}/behind/a/proxy/`, { token: Option.some(Redacted.make("t0ken")) })))
      expect(delivery).toMatchObject({ delivered: 3, undelivered: 0, rejected: 0, dropped: 0, lastError: null })
      expect(server.applied.map(({ op }) => op)).toEqual(["event", "create", "event", "create", "event"])
      expect(server.applied[3]).toMatchObject({ event_id: server.applied[2]?.event_id, status: "success" })
      expect(server.requests[0]).toMatchObject({ path: "/behind/a/proxy/api/v1/ops", authorization: "Bearer t0ken" })
      expect(server.requests[0]?.client).toMatchObject({ backlog: 0, dropped: 0, dead_letters: 0, run_id: "run-001" })
    }),
  )

  it.scopedLive("closing the scope delivers what is left", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      yield* Effect.forEach([1, 2, 3], (n) => record(Sample.callStarted(n))).pipe(Effect.provide(layer(server.url)))
      expect(server.applied.filter(({ op }) => op === "create")).toHaveLength(3)
    }),
  )

  it.scopedLive("a request stays within 1000 operations and 4 MiB", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      yield* Effect.gen(function* () {
        server.behave = () => ({ status: 503 })
        yield* Effect.forEach(Array.from({ length: 1500 }), () => record(Sample.issue(10)))
        yield* Effect.forEach(Array.from({ length: 12 }), () => record(Sample.issue(500_000)))
        server.behave = () => ({ status: 200 })
        yield* flush("20 seconds")
      }).pipe(Effect.provide(layer(server.url)))
      expect(server.applied).toHaveLength(1512)
      for (const { bytes, ops } of server.requests) {
        expect(ops.length).toBeLessThanOrEqual(1000)
        expect(bytes).toBeLessThanOrEqual(4 * 1024 * 1024)
      }
    }),
  )

  it.scopedLive("an outage ends by itself: 503, 429, 401 and cut connections are tried again, nothing is lost", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const log = WarningLog.make()
      const troubles: Array<OpsRecorder.Behaviour> = [
        { status: 503 },
        { status: 429, headers: { "retry-after": "0" } },
        { status: 401 },
        { status: 404 },
        "cut",
        { status: 200, body: { hello: "I am another server" } },
      ]
      server.behave = () => troubles.shift() ?? { status: 200 }
      const delivery = yield* Effect.zipRight(record(Sample.callStarted(1)), flush("20 seconds")).pipe(
        Effect.provide(layer(server.url)),
        Effect.provide(log.layer),
      )
      expect(delivery).toMatchObject({ delivered: 1, undelivered: 0, rejected: 0 })
      expect(server.applied).toHaveLength(2)
      expect(log.warnings()).toHaveLength(6)
    }),
  )

  it.scopedLive("a refused operation is set aside with one warning that names it, and holds nobody up", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const log = WarningLog.make()
      const bad = Sample.callStarted(7)
      const refusesWhole = (request: OpsRecorder.Received) =>
        request.ops.some(({ op, event_id }) => op === "create" && event_id === bad.event_id)
      server.behave = (request) =>
        refusesWhole(request) ? { status: 422, body: { detail: "model is unheard of" } } : { status: 200 }
      const delivery = yield* Effect.gen(function* () {
        for (const n of [1, 2, 3, 4, 5, 6]) yield* record(Sample.callStarted(n))
        yield* record(bad)
        for (const n of [8, 9]) yield* record(Sample.callStarted(n))
        return yield* flush("10 seconds")
      }).pipe(Effect.provide(layer(server.url)), Effect.provide(log.layer))
      expect(delivery).toMatchObject({ delivered: 8, undelivered: 0, rejected: 1 })
      expect(server.applied.filter(({ op }) => op === "create")).toHaveLength(8)
      expect(server.applied.filter(({ op }) => op === "event")).toHaveLength(9)
      expect(log.warnings()).toHaveLength(1)
      expect(log.warnings()[0]).toContain(bad.event_id)
      expect(log.warnings()[0]).toContain("model is unheard of")
    }),
  )

  it.scopedLive("an operation that gets an error inside a 200 counts as rejected", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const log = WarningLog.make()
      server.behave = () => ({ status: 200, refuse: ({ op }) => op === "create" })
      const delivery = yield* Effect.gen(function* () {
        yield* record(Sample.callStarted(1))
        yield* record(Sample.callStarted(2))
        return yield* flush("10 seconds")
      }).pipe(Effect.provide(layer(server.url)), Effect.provide(log.layer))
      expect(delivery).toMatchObject({ delivered: 0, rejected: 2, undelivered: 0 })
      expect(log.warnings()).toHaveLength(1)
    }),
  )

  it.scopedLive("a batch that is too large is split", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = ({ ops }) => ({ status: ops.length > 2 ? 413 : 200 })
      const delivery = yield* Effect.gen(function* () {
        for (const n of [1, 2, 3, 4, 5]) yield* record(Sample.callStarted(n))
        return yield* flush("10 seconds")
      }).pipe(Effect.provide(layer(server.url)))
      expect(delivery).toMatchObject({ delivered: 5, rejected: 0 })
      expect(server.applied).toHaveLength(10)
    }),
  )

  it.scopedLive("a flush towards a server that is gone gives up early and leaves one warning", () =>
    Effect.gen(function* () {
      const url = yield* OpsRecorder.closedUrl
      const log = WarningLog.make()
      const delivery = yield* Effect.zipRight(record(Sample.runCreated()), flush("1 hour")).pipe(
        Effect.provide(layer(url, { flushDeadline: "1 hour" })),
        Effect.provide(log.layer),
      )
      expect(delivery).toMatchObject({ delivered: 0, undelivered: 1, endpoint: url })
      expect(delivery.lastError).toContain("ECONNREFUSED")
      expect(log.warnings().filter((line) => line.includes("cannot be reached"))).toHaveLength(1)
      expect(log.all().some((line) => line.includes("1 undelivered"))).toBe(true)
    }),
  )
})
