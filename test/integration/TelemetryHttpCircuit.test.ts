import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { EventLog } from "../../services/EventLog.js"
import { Telemetry } from "../../services/Telemetry.js"
import * as Sample from "../support/EventSamples.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import { logged, record } from "../support/Shipping.js"
import { atOnce, inTime, realMoment, until } from "../support/ShippingTime.js"
import * as WarningLog from "../support/WarningLog.js"

describe("TelemetryHttp: the circuit", () => {
  it.scoped("open: nobody waits and nothing is asked until the pause is over; then one attempt closes it", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = () => ({ status: 503, headers: { "retry-after": server.requests.length === 3 ? "60" : "0" } })
      const warnings = WarningLog.make()
      yield* Effect.gen(function* () {
        const telemetry = yield* Telemetry
        const first = Sample.runCreated()
        yield* record(first)
        yield* inTime(() => server.requests.length === 3)
        yield* realMoment
        const open = yield* atOnce(yield* Effect.fork(telemetry.flush("1 hour")))
        expect(open).toMatchObject({
          circuit: "open",
          failedAttempts: 3,
          undelivered: 1,
          lastSuccessAt: null,
          oldestUndeliveredAt: first.ts,
        })
        for (let n = 0; n < 1000; n++) yield* record(Sample.issue(1))
        yield* TestClock.adjust("55 seconds")
        for (let n = 0; n < 20; n++) yield* realMoment
        expect(server.requests).toHaveLength(3)
        server.behave = () => ({ status: 200 })
        yield* TestClock.adjust("10 seconds")
        for (let n = 0; n < 2000 && server.applied.length < 1002; n++)
          yield* Effect.zipRight(realMoment, TestClock.adjust("50 millis"))
        expect(server.applied).toHaveLength(1002)
        expect(yield* atOnce(yield* Effect.fork(telemetry.flush("1 hour")))).toMatchObject({
          circuit: "closed",
          failedAttempts: 0,
          undelivered: 0,
          lastSuccessAt: expect.any(String),
          oldestUndeliveredAt: null,
          lastError: null,
        })
      }).pipe(Effect.provide(logged(server.url, { requestTimeout: "1 day" })), Effect.provide(warnings.layer))
      expect(warnings.warnings()).toHaveLength(1)
    }),
  )

  it.scoped("closing asks a server that was given up on once more: what it takes then is delivered", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = () => ({ status: 503 })
      yield* Effect.gen(function* () {
        yield* record(Sample.runCreated())
        const telemetry = yield* Telemetry
        for (let n = 0; n < 2000 && (yield* telemetry.delivery).circuit !== "open"; n++)
          yield* Effect.zipRight(realMoment, TestClock.adjust("50 millis"))
        expect((yield* telemetry.delivery).circuit).toBe("open")
        server.behave = () => ({ status: 200 })
      }).pipe(Effect.provide(logged(server.url)))
      expect(server.applied).toHaveLength(2)
    }),
  )

  const ENDINGS = [
    Sample.inSpan({
      type: "WORK_ITEM_FINISHED",
      payload: { work_item_id: "w", worker: "W", attempt: 1, success: true, error: null },
    }),
    Sample.inSpan({ type: "RUN_STATE_CHANGED", payload: { old_state: "CREATED", new_state: "INGESTED" } }),
    Sample.inSpan({ type: "RUN_COMPLETED", payload: {} }),
    Sample.inSpan({ type: "RUN_FAILED", payload: { error_class: "E", error_summary: "e" } }),
    Sample.inSpan({ type: "RUN_CANCELLED", payload: {} }),
    Sample.inSpan({
      type: "LLM_CALL_FAILED",
      payload: { call_id: "c", latency_ms: 1, error_class: "E", error_summary: "e", retryable: false },
    }),
  ]

  for (const ending of ENDINGS)
    it.scoped(`${ending.type} is sent without lingering, also when recorded by the synchronous step`, () =>
      Effect.gen(function* () {
        const server = yield* OpsRecorder.serve
        yield* Effect.gen(function* () {
          const telemetry = yield* Telemetry
          const log = yield* EventLog
          for (let n = 0; n < 5; n++) yield* realMoment
          yield* record(Sample.callStarted(1))
          for (let n = 0; n < 10; n++) yield* realMoment
          expect(server.requests).toHaveLength(0)
          yield* log.append(ending)
          telemetry.unsafeRecord?.(ending)
          yield* until(() => server.requests.length > 0)
          expect(server.requests[0]?.ops.some(({ event_id }) => event_id === ending.event_id)).toBe(true)
        }).pipe(Effect.provide(logged(server.url)))
      }),
    )

  it.scoped("with nothing to send the server hears every five minutes that the run is alive", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      yield* Effect.gen(function* () {
        yield* record(
          Sample.inSpan({ type: "RUN_STATE_CHANGED", payload: { old_state: "CREATED", new_state: "INGESTED" } }),
        )
        yield* until(() => server.requests.length === 1)
        for (let n = 0; n < 10; n++) yield* realMoment
        yield* TestClock.adjust("299 seconds")
        for (let n = 0; n < 10; n++) yield* realMoment
        expect(server.requests).toHaveLength(1)
        for (const count of [2, 3]) {
          yield* TestClock.adjust("5 minutes")
          yield* until(() => server.requests.length === count)
          for (let n = 0; n < 10; n++) yield* realMoment
          expect(server.requests).toHaveLength(count)
          expect(server.requests[count - 1]).toMatchObject({
            ops: [],
            client: { run_id: "run-001", backlog: 0, dropped: 0, dead_letters: 0, log_head: expect.any(String) },
          })
        }
      }).pipe(Effect.provide(logged(server.url)))
      expect(server.requests).toHaveLength(3)
    }),
  )
})
