import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import { EventLog } from "../../services/EventLog.js"
import { Telemetry } from "../../services/Telemetry.js"
import type { ChainedEvent } from "../../src/domain/Event.js"
import * as Sample from "../support/EventSamples.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import { flush, http, logged, record, run } from "../support/Shipping.js"
import * as WarningLog from "../support/WarningLog.js"

describe("TelemetryHttp", () => {
  it.scopedLive("closes towards a server that accepts and never answers, and aborts its request", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = () => "hang"
      yield* Effect.zipRight(
        record(Sample.runCreated()),
        Effect.iterate(0, {
          while: (n) => n < 2000 && server.requests.length === 0,
          body: (n) => Effect.as(Effect.sleep("5 millis"), n + 1),
        }),
      ).pipe(Effect.provide(logged(server.url, { flushDeadline: "300 millis", requestTimeout: "1 hour" })))
      yield* Effect.iterate(0, {
        while: (n) => n < 200 && server.aborted() === 0,
        body: (n) => Effect.as(Effect.sleep("10 millis"), n + 1),
      })
      expect(server.requests).toHaveLength(1)
      expect(server.aborted()).toBe(1)
    }),
  )

  it.scopedLive("an explicit flush that waited in vain is not waited for again at shutdown", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = () => "hang"
      const delivery = yield* Effect.zipRight(record(Sample.runCreated()), flush("100 millis")).pipe(
        Effect.provide(logged(server.url, { flushDeadline: "100 millis", requestTimeout: "1 hour" })),
      )
      expect(delivery.lastError).toContain("did not answer within")
    }),
  )

  it.scoped("T32 a request is given up after 5 seconds, and tried again", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = () => (server.requests.length === 1 ? "hang" : { status: 200 })
      const until = (condition: () => boolean) =>
        Effect.iterate(0, {
          while: (n) => n < 500 && !condition(),
          body: (n) => Effect.as(TestClock.adjust("0 millis").pipe(Effect.zipRight(realMoment)), n + 1),
        })
      yield* Effect.gen(function* () {
        yield* record(Sample.runCreated())
        yield* TestClock.adjust("200 millis")
        yield* until(() => server.requests.length === 1)
        yield* TestClock.adjust("4700 millis")
        yield* realMoment
        expect(server.aborted()).toBe(0)
        yield* TestClock.adjust("300 millis")
        yield* until(() => server.aborted() === 1)
        yield* TestClock.adjust("1 seconds")
        yield* until(() => server.applied.length > 0)
        expect(server.applied).toHaveLength(2)
      }).pipe(Effect.provide(logged(server.url)))
    }),
  )

  it.scopedLive("takes up the log where the last process was acknowledged, and closes the row that it had opened", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const log = yield* Layer.build(EventLogMemory.layer)
      const started = Sample.callStarted(1)
      const process = <A, E>(body: Effect.Effect<A, E, EventLog | Telemetry>) =>
        body.pipe(Effect.provide(http(server.url)), Effect.provide(log))
      yield* process(Effect.zipRight(record(Sample.runCreated()), record(started)))
      expect(server.applied).toHaveLength(4)
      yield* process(record(Sample.callFinished(1)))
      expect(server.applied).toHaveLength(6)
      expect(server.applied[5]).toMatchObject({ op: "update", event_id: started.event_id, status: "success" })
    }),
  )

  it.scopedLive("acknowledges nothing that the server has not accepted", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const log = yield* Layer.build(EventLogMemory.layer)
      server.behave = () => ({ status: 500 })
      yield* record(Sample.runCreated()).pipe(
        Effect.provide(http(server.url, { flushDeadline: "100 millis" })),
        Effect.provide(log),
      )
      const acknowledged = yield* Effect.flatMap(EventLog, (service) => service.acknowledged).pipe(Effect.provide(log))
      expect(acknowledged.lines).toBe(0)
    }),
  )

  it.scopedLive(
    "without a log its memory is bounded: the oldest stay, new ones are dropped, counted, told of once",
    () =>
      Effect.gen(function* () {
        const server = yield* OpsRecorder.serve
        const log = WarningLog.make()
        server.behave = () => ({ status: 503 })
        const layer = http(server.url, { memoryLimit: 3, flushDeadline: "100 millis" })
        const delivery = yield* Effect.gen(function* () {
          for (const n of [1, 2, 3, 4, 5]) yield* record(Sample.callStarted(n))
          server.behave = () => ({ status: 200 })
          return yield* flush("10 seconds")
        }).pipe(Effect.provide(layer), Effect.provide(log.layer))
        expect(delivery).toMatchObject({ delivered: 3, dropped: 2, undelivered: 0 })
        expect(server.applied.filter(({ op }) => op === "create").map((op) => op["run_id"])).toEqual(
          [1, 2, 3].map((n) => `run-001-llm-call_${n}`),
        )
        expect(log.warnings().filter((line) => line.includes("queue in memory is full"))).toHaveLength(1)
      }),
  )

  for (const wish of ["0", "Tue, 31 Dec 1968 12:00:00 GMT"])
    it.scoped(`a server that is busy with Retry-After: ${wish} is not asked without a pause`, () =>
      Effect.gen(function* () {
        const server = yield* OpsRecorder.serve
        server.behave = () => ({ status: 503, headers: { "retry-after": wish } })
        yield* Effect.gen(function* () {
          yield* record(Sample.runCreated())
          for (let n = 0; n < 1000 && server.requests.length === 0; n++)
            yield* Effect.zipRight(realMoment, TestClock.adjust("10 millis"))
          const asked = server.requests.length
          for (let n = 0; n < 50; n++) yield* Effect.zipRight(realMoment, TestClock.adjust("0 millis"))
          expect(asked).toBeGreaterThan(0)
          expect(server.requests.length - asked).toBeLessThanOrEqual(1)
          server.behave = () => ({ status: 200 })
          const flushed = yield* Effect.fork(flush("10 seconds"))
          for (let n = 0; n < 900 && (yield* Fiber.poll(flushed))._tag === "None"; n++)
            yield* Effect.zipRight(realMoment, TestClock.adjust("10 millis"))
          expect(yield* Fiber.join(flushed)).toMatchObject({ delivered: 1, undelivered: 0 })
        }).pipe(Effect.provide(logged(server.url, { flushDeadline: "0 millis" })))
      }),
    )

  const cyclic: Record<string, unknown> = {}
  cyclic["self"] = cyclic
  const unencodable = (context_json: Readonly<Record<string, unknown>>) =>
    Sample.inSpan({ type: "RUN_CREATED", payload: { agent_name: "a", job_type: "launch", context_json } })

  for (const [what, context] of [
    ["a bigint", { big: 1n }],
    ["a cycle", cyclic],
  ] as const)
    it.scopedLive(`an event that is no JSON (${what}) is set aside and told of once, its neighbours are sent`, () =>
      Effect.gen(function* () {
        const server = yield* OpsRecorder.serve
        const log = WarningLog.make()
        const delivery = yield* Effect.gen(function* () {
          yield* record(Sample.callStarted(1))
          yield* record(unencodable(context))
          yield* record(unencodable(context))
          yield* record(Sample.callFinished(1))
          return yield* flush("5 seconds")
        }).pipe(Effect.provide(http(server.url)), Effect.provide(log.layer))
        expect(delivery).toMatchObject({ delivered: 2, rejected: 2, undelivered: 0, dropped: 0, lastError: null })
        expect(server.applied.map(({ op }) => op)).toEqual(["event", "create", "event"])
        expect(server.applied[1]).toMatchObject({ status: "success", end_time: expect.any(String) })
        expect(log.warnings()).toHaveLength(1)
        expect(log.warnings()[0]).toContain("RUN_CREATED")
      }),
    )

  it.scopedLive("an event of the log that is no JSON does not take the rest of its stretch with it", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const log = WarningLog.make()
      const inner = yield* Effect.provide(EventLog, EventLogMemory.layer)
      const spoilt = (event: ChainedEvent): ChainedEvent =>
        event.type === "RUN_CREATED" ? { ...event, payload: { ...event.payload, context_json: { big: 1n } } } : event
      const spoiling = EventLog.of({
        ...inner,
        read: (from, maxBytes) =>
          Effect.map(inner.read(from, maxBytes), ({ lines: _lines, ...slice }) => ({
            ...slice,
            events: slice.events.map(spoilt),
          })),
      })
      const delivery = yield* Effect.gen(function* () {
        yield* record(Sample.runCreated())
        yield* record(Sample.callStarted(1))
        return yield* flush("5 seconds")
      }).pipe(
        Effect.provide(http(server.url).pipe(Layer.provideMerge(Layer.succeed(EventLog, spoiling)))),
        Effect.provide(log.layer),
      )
      expect(delivery).toMatchObject({ delivered: 1, rejected: 1, undelivered: 0 })
      expect(server.applied.map(({ op }) => op)).toEqual(["event", "event", "create"])
      expect((yield* inner.acknowledged).lines).toBe(2)
      expect(yield* inner.deadLetters).toBe(1)
      expect(log.warnings()).toHaveLength(1)
    }),
  )

  it.scopedLive("interruption of a flush passes through", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = () => "hang"
      yield* Effect.gen(function* () {
        yield* record(Sample.runCreated())
        const fiber = yield* Effect.fork(flush("1 hour"))
        yield* Effect.yieldNow()
        const exit = yield* Fiber.interrupt(fiber)
        expect(exit._tag).toBe("Failure")
      }).pipe(Effect.provide(logged(server.url, { flushDeadline: "50 millis" })))
    }),
  )

  for (const endpoint of ["not a url", "ftp://host", "http://user:password@host", ""])
    it.scopedLive(`T34 the endpoint "${endpoint}" is a warning, and nothing is sent`, () =>
      Effect.gen(function* () {
        const log = WarningLog.make()
        const delivery = yield* Effect.zipRight(record(Sample.runCreated()), flush("1 seconds")).pipe(
          Effect.provide(http(endpoint)),
          Effect.provide(log.layer),
        )
        expect(delivery.endpoint).toBeNull()
        expect(log.warnings()).toHaveLength(1)
        expect(log.warnings()[0]).toContain("TELEMETRY_API_URL")
      }),
    )

  const configured = (settings: ReadonlyArray<readonly [string, string]>) =>
    TelemetryHttp.layerConfig.pipe(
      Layer.provide([FetchHttpClient.layer, run]),
      Layer.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(settings)))),
    )
  const endpointOf = (settings: ReadonlyArray<readonly [string, string]>) =>
    Effect.flatMap(Telemetry, (telemetry) => telemetry.delivery).pipe(
      Effect.map(({ endpoint }) => endpoint),
      Effect.provide(configured(settings)),
    )

  it.scopedLive("T35 TELEMETRY_API_URL says where to send", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const settings = [
        ["TELEMETRY_API_URL", server.url],
        ["TELEMETRY_API_TOKEN", "abc"],
        ["TELEMETRY_TIMEOUT", "2"],
      ] as const
      yield* record(Sample.runCreated()).pipe(Effect.provide(configured(settings)))
      expect(server.requests[0]).toMatchObject({ path: "/api/v1/ops", authorization: "Bearer abc" })
    }),
  )

  it.scopedLive("T36 without TELEMETRY_API_URL it is http://localhost:8765", () =>
    Effect.gen(function* () {
      expect(yield* endpointOf([])).toBe("http://localhost:8765")
    }),
  )

  it.scopedLive("a TELEMETRY_TIMEOUT that is none is a warning, and 5 seconds it is", () =>
    Effect.gen(function* () {
      const log = WarningLog.make()
      expect(yield* endpointOf([["TELEMETRY_TIMEOUT", "soon"]]).pipe(Effect.provide(log.layer))).toBe(
        "http://localhost:8765",
      )
      expect(log.warnings()).toHaveLength(1)
      expect(Duration.toMillis(TelemetryHttp.DEFAULT_REQUEST_TIMEOUT)).toBe(5000)
    }),
  )
})

/** Lets real input and output happen while the test's clock stands still. */
const realMoment = Effect.async<void>((resume) => {
  const timer = setTimeout(() => resume(Effect.void), 5)
  return Effect.sync(() => clearTimeout(timer))
})
