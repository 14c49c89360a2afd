import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import * as DeadLetterFile from "../../layers/DeadLetterFile.js"
import { Telemetry } from "../../services/Telemetry.js"
import * as Sample from "../support/EventSamples.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import { flush, record } from "../support/Shipping.js"
import { atOnce, inTime, issues, observedLog, over, realMoment, trouble } from "../support/ShippingTime.js"
import * as WarningLog from "../support/WarningLog.js"

describe("TelemetryHttp: dead letters", () => {
  const poisons = [
    {
      what: "an error of its own",
      behaviour: (bad: string) => () => ({ status: 200, refuse: isOf(bad) }),
      status: null,
    },
    {
      what: "a 422 for the whole request",
      behaviour:
        (bad: string) =>
        ({ ops }: OpsRecorder.Received) =>
          ops.some(isOf(bad)) ? { status: 422, body: { detail: "unheard of" } } : { status: 200 },
      status: 422,
    },
  ]
  const isOf =
    (bad: string) =>
    ({ event_id }: OpsRecorder.ReceivedOp) =>
      event_id === bad

  for (const { what, behaviour, status } of poisons)
    it.scoped(`1 poison operation in 1,000 (${what}): 999 delivered without any time passing, 1 dead letter`, () =>
      Effect.gen(function* () {
        const server = yield* OpsRecorder.serve
        const bad = Sample.issue(10)
        server.behave = behaviour(bad.event_id)
        const { layer, letters, log } = yield* observedLog()
        yield* Effect.gen(function* () {
          yield* issues(500)
          yield* record(bad)
          yield* issues(499)
          const delivery = yield* atOnce(yield* Effect.fork(flush("1 hour")))
          expect(delivery).toMatchObject({
            delivered: 999,
            rejected: 1,
            undelivered: 0,
            circuit: "closed",
            lastError: null,
          })
        }).pipe(Effect.provide(over(server, layer)))
        expect(server.applied).toHaveLength(999)
        expect(letters).toMatchObject([
          {
            run_id: "run-001",
            op: "event",
            event_id: bad.event_id,
            status,
            operation: { op: "event", event_id: bad.event_id },
          },
        ])
        expect((yield* log.acknowledged).lines).toBe(1000)
      }),
    )

  it.scoped("the cursor does not pass a refused operation before it is set aside", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = () => ({ status: 200, refuse: () => true })
      let isFull = true
      let tries = 0
      const { layer, log } = yield* observedLog((inner) => ({
        setAside: (refused) => {
          tries += 1
          return isFull ? Effect.fail(trouble("set aside")) : inner.setAside(refused)
        },
      }))
      const warnings = WarningLog.make()
      yield* Effect.gen(function* () {
        yield* record(Sample.issue(1))
        yield* inTime(() => tries >= 3)
        expect((yield* log.acknowledged).lines).toBe(0)
        isFull = false
        const flushed = yield* Effect.fork(Effect.flatMap(Telemetry, (telemetry) => telemetry.delivery))
        yield* Fiber.join(flushed)
        const before = tries
        yield* inTime(() => tries > before)
        yield* realMoment
        expect((yield* log.acknowledged).lines).toBe(1)
        expect(yield* log.deadLetters).toBe(1)
      }).pipe(Effect.provide(over(server, layer)), Effect.provide(warnings.layer))
      expect(warnings.warnings().some((line) => line.includes("the disk is full (set aside)"))).toBe(true)
    }),
  )

  it.scoped("3,000 refused operations are set aside once a window, not once each, and each is there once", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = () => ({ status: 200, refuse: () => true })
      const sizes: Array<number> = []
      let acknowledged = 0
      const path = nodePath.join(mkdtempSync(nodePath.join(tmpdir(), "letters-")), DeadLetterFile.FILE)
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(nodePath.dirname(path), { recursive: true })))
      const file = DeadLetterFile.make(path)
      const { layer, log } = yield* observedLog((inner) => ({
        setAside: (refused) => {
          sizes.push(refused.length)
          return Effect.promise(() => file.add(refused))
        },
        acknowledge: (position) => {
          acknowledged += 1
          return inner.acknowledge(position)
        },
      }))
      yield* Effect.gen(function* () {
        yield* issues(3000)
        const delivery = yield* atOnce(yield* Effect.fork(flush("1 hour")))
        expect(delivery).toMatchObject({ delivered: 0, rejected: 3000, undelivered: 0 })
      }).pipe(Effect.provide(over(server, layer)))
      expect((yield* log.acknowledged).lines).toBe(3000)
      expect(sizes).toHaveLength(acknowledged - 1)
      expect(sizes.length).toBeLessThan(20)
      const kept: Array<string> = []
      DeadLetterFile.forEach(path, ({ event_id }) => kept.push(event_id))
      expect([kept.length, new Set(kept).size]).toEqual([3000, 3000])
    }),
  )

  it.scoped("an operation too large for any request is set aside with that reason and never sent", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const { layer, letters } = yield* observedLog()
      const huge = Sample.issue(5 * 1024 * 1024)
      yield* Effect.gen(function* () {
        yield* record(Sample.issue(1))
        yield* record(huge)
        yield* record(Sample.issue(1))
        const delivery = yield* atOnce(yield* Effect.fork(flush("1 hour")))
        expect(delivery).toMatchObject({ delivered: 2, rejected: 1, undelivered: 0 })
      }).pipe(Effect.provide(over(server, layer)))
      expect(letters).toMatchObject([{ event_id: huge.event_id, reason: expect.stringContaining("bytes") }])
      for (const { bytes } of server.requests) expect(bytes).toBeLessThan(4 * 1024 * 1024)
    }),
  )

  it.scoped("an operation that makes the server fail for ever does not block its neighbours for ever", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const bad = Sample.issue(1)
      server.behave = ({ ops }) => (ops.some(isOf(bad.event_id)) ? { status: 500 } : { status: 200 })
      const { layer, letters, log } = yield* observedLog()
      yield* Effect.gen(function* () {
        yield* issues(40)
        yield* record(bad)
        yield* issues(40)
        yield* inTime(() => letters.length > 0)
      }).pipe(Effect.provide(over(server, layer)))
      expect(server.applied).toHaveLength(80)
      expect(letters).toMatchObject([{ event_id: bad.event_id, status: 500 }])
      expect((yield* log.acknowledged).lines).toBe(81)
    }),
  )

  it.scoped("a row's later changes stay behind the operation of it that makes the server fail", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const created = Sample.runCreated()
      const states = (["CLONED_INPUTS", "INGESTED"] as const).map((new_state) =>
        Sample.inSpan({ type: "RUN_STATE_CHANGED", payload: { old_state: "CREATED", new_state } }),
      )
      let failures = 0
      server.behave = ({ ops }) => {
        const isBad = ops.some(({ op, event_id }) => op === "create" && event_id === created.event_id)
        if (isBad) failures += 1
        return isBad && failures < 12 ? { status: 500 } : { status: 200 }
      }
      const resumed = Sample.inSpan({
        type: "RUN_STATE_CHANGED",
        payload: { old_state: "FAILED", new_state: "CREATED" },
      })
      const { layer, log } = yield* observedLog()
      let acknowledged = 0
      yield* Effect.gen(function* () {
        for (const event of [created, ...states, resumed]) yield* record(event)
        yield* inTime(() => server.applied.filter(({ op }) => op === "event").length === 4)
        for (let n = 0; n < 400 && acknowledged < 4; n++) {
          yield* Effect.zipRight(realMoment, TestClock.adjust("100 millis"))
          acknowledged = (yield* log.acknowledged).lines
        }
      }).pipe(Effect.provide(over(server, layer)))
      expect(acknowledged).toBe(4)
      const changes = server.applied.filter(({ op }) => op === "update")
      expect(changes.map(({ context_json }) => context_json)).toMatchObject([
        { state: "CLONED_INPUTS" },
        { state: "INGESTED" },
        { state: "CREATED" },
      ])
    }),
  )

  it.scoped("a server that answers 500 to everything loses nothing: no dead letter, however long it takes", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = () => ({ status: 500 })
      const { layer, letters, log } = yield* observedLog()
      yield* Effect.gen(function* () {
        yield* record(Sample.runCreated())
        yield* record(Sample.callStarted(1))
        for (let n = 0; n < 2000 && server.requests.length < 30; n++)
          yield* Effect.zipRight(realMoment, TestClock.adjust("5 seconds"))
        expect(server.requests.length).toBeGreaterThanOrEqual(30)
        expect(letters).toEqual([])
        expect((yield* log.acknowledged).lines).toBe(0)
        server.behave = () => ({ status: 200 })
        for (let n = 0; n < 2000 && server.applied.length < 4; n++)
          yield* Effect.zipRight(realMoment, TestClock.adjust("5 seconds"))
      }).pipe(Effect.provide(over(server, layer, { requestTimeout: "1 day" })))
      expect(server.applied).toHaveLength(4)
      expect(letters).toEqual([])
      expect((yield* log.acknowledged).lines).toBe(2)
    }),
  )
})
