import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorSequence from "../../layers/IdGeneratorSequence.js"
import { EventLog, Recorder, WorkerSpan } from "../index.js"

const TestRun = Recorder.layer.pipe(
  Layer.provideMerge(Layer.merge(EventLogMemory.layer, IdGeneratorSequence.layer)),
  Layer.provideMerge(CurrentRunDetached.layer({ runId: "run-001" })),
)

/** A test of a program that records: time stands still until the test moves it, ids count from 1. */
it.effect("an hour of work is recorded as an hour", () =>
  Effect.gen(function* () {
    const work = WorkerSpan.around({ worker: "Sleeper", agentName: "workers.Sleeper" }, Effect.sleep("1 hour"))
    yield* Effect.all([work, TestClock.adjust("1 hour")], { concurrency: 2 })
    const log = yield* EventLog
    const { events } = yield* log.read({ offset: 0, lines: 0, hash: "0".repeat(64) }, 10_000)
    const [started, finished] = events
    expect(started).toMatchObject({ type: "WORK_ITEM_STARTED", ts: "1970-01-01T00:00:00.000Z" })
    expect(finished).toMatchObject({ type: "WORK_ITEM_FINISHED", payload: { success: true, duration_ms: 3_600_000 } })
  }).pipe(Effect.provide(TestRun)),
)
