import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { EventLog, type LogPosition } from "../../services/EventLog.js"
import type { ChainedEvent } from "../../src/domain/Event.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import * as EventSamples from "../support/EventSamples.js"
import * as RunFolders from "../support/RunFolders.js"

const START: LogPosition = { offset: 0, lines: 0, hash: GENESIS_HASH }

const layers = {
  EventLogMemory: EventLogMemory.layer,
  "EventLogNdjson (process)": Layer.provide(EventLogNdjson.layer({ durability: "process" }), RunFolders.run),
  "EventLogNdjson (power)": Layer.provide(EventLogNdjson.layer({ durability: "power" }), RunFolders.run),
}

const appendMany = (count: number) =>
  Effect.flatMap(EventLog, (log) =>
    Effect.forEach(Array.from({ length: count }), (_, n) => log.append(EventSamples.event(n))),
  )

const readAll = (maxBytes: number) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const events: Array<ChainedEvent> = []
    let end = START
    let slices = 0
    while (true) {
      const slice = yield* log.read(end, maxBytes)
      end = slice.end
      if (slice.events.length === 0) return { events, end, slices }
      events.push(...slice.events)
      slices++
    }
  })

for (const [name, layer] of Object.entries(layers)) {
  describe(name, () => {
    it.scoped("a new log is empty, at its start, and nothing is acknowledged", () =>
      Effect.gen(function* () {
        const log = yield* EventLog
        expect(yield* log.head).toEqual(START)
        expect(yield* log.acknowledged).toEqual(START)
        expect(yield* log.read(START, 1000)).toMatchObject({ events: [], texts: [], misfits: [], end: START })
        expect(yield* log.verify).toEqual({ lines: 0, head: GENESIS_HASH, problems: [] })
      }).pipe(Effect.provide(layer)),
    )

    it.scoped("what was appended is read back in order, chained, and verifies", () =>
      Effect.gen(function* () {
        const log = yield* EventLog
        const appended = yield* appendMany(20)
        const { events, end } = yield* readAll(1024 * 1024)
        expect(events).toEqual(appended)
        expect(end).toEqual(yield* log.head)
        expect(end).toMatchObject({ lines: 20, hash: appended.at(-1)?.event_hash })
        expect(appended.slice(1).map((event) => event.prev_hash)).toEqual(
          appended.slice(0, -1).map((event) => event.event_hash),
        )
        expect(yield* log.verify).toEqual({ lines: 20, head: end.hash, problems: [] })
      }).pipe(Effect.provide(layer)),
    )

    it.scoped("small chunks give every event once, even when one event is larger than the chunk", () =>
      Effect.gen(function* () {
        const appended = yield* appendMany(20)
        const tiny = yield* readAll(10)
        expect(tiny.events).toEqual(appended)
        expect(tiny.slices).toBe(20)
        const some = yield* readAll(2500)
        expect(some.events).toEqual(appended)
        expect(some.slices).toBeGreaterThan(5)
      }).pipe(Effect.provide(layer)),
    )

    it.scoped("appends of concurrent fibers get one order without a gap, and an interrupted fiber breaks nothing", () =>
      Effect.gen(function* () {
        const log = yield* EventLog
        const victim = yield* Effect.fork(
          Effect.forever(Effect.zipRight(log.append(EventSamples.event(999)), Effect.yieldNow())),
        )
        yield* Effect.forEach(
          Array.from({ length: 100 }),
          (_, n) => Effect.zipRight(Effect.yieldNow(), log.append(EventSamples.event(n))),
          { concurrency: "unbounded", discard: true },
        )
        yield* Fiber.interrupt(victim)
        const { events } = yield* readAll(1024 * 1024)
        const ids = new Set(events.map((event) => event.event_id))
        expect([...Array(100).keys()].every((n) => ids.has(EventSamples.event(n).event_id))).toBe(true)
        expect((yield* log.verify).problems).toEqual([])
        expect((yield* log.head).lines).toBe(events.length)
      }).pipe(Effect.provide(layer)),
    )

    it.scoped("a closing event is given the number of lines before it", () =>
      Effect.gen(function* () {
        const log = yield* EventLog
        yield* appendMany(3)
        const closed = yield* log.append(EventSamples.event(4, EventSamples.completed))
        expect(closed.payload).toMatchObject({ lines_before: 3 })
        expect((yield* log.verify).problems).toEqual([])
      }).pipe(Effect.provide(layer)),
    )

    it.scoped("an event that is no JSON fails with the log's own error, and the log goes on", () =>
      Effect.gen(function* () {
        const log = yield* EventLog
        const context: Record<string, unknown> = { n: 1n }
        const payload = { agent_name: "a", job_type: "b", context_json: context }
        const error = yield* Effect.flip(log.append(EventSamples.event(0, { type: "RUN_CREATED", payload })))
        expect(error._tag).toBe("EventLogError")
        expect(error.operation).toBe("append")
        yield* log.append(EventSamples.event(1))
        expect(yield* log.verify).toMatchObject({ lines: 1, problems: [] })
      }).pipe(Effect.provide(layer)),
    )

    it.scoped("an acknowledged place is remembered; one beyond the end is refused", () =>
      Effect.gen(function* () {
        const log = yield* EventLog
        yield* appendMany(5)
        const { end } = yield* log.read(START, 10)
        yield* log.acknowledge(end)
        expect(yield* log.acknowledged).toEqual(end)
        expect((yield* log.read(end, 10)).events[0]?.event_id).toBe(EventSamples.event(1).event_id)
        const head = yield* log.head
        const error = yield* Effect.flip(log.acknowledge({ ...head, offset: head.offset + 1 }))
        expect(error.operation).toBe("acknowledge")
        expect(yield* log.acknowledged).toEqual(end)
      }).pipe(Effect.provide(layer)),
    )

    it.scoped("text of any script and a large payload come back unchanged", () =>
      Effect.gen(function* () {
        const log = yield* EventLog
        const context_json = { long: "ünïcödé ✓ 漢字 \u0000 \ud800 ".repeat(20_000), __proto__x: 1 }
        const payload = { agent_name: "a", job_type: "b", context_json }
        yield* log.append(EventSamples.event(0, { type: "RUN_CREATED", payload }))
        yield* log.append(EventSamples.event(1))
        const { events } = yield* readAll(4096)
        expect(events[0]?.payload).toEqual(payload)
        expect(events.length).toBe(2)
        expect((yield* log.verify).problems).toEqual([])
      }).pipe(Effect.provide(layer)),
    )
  })
}
