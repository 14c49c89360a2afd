import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import { CurrentRun } from "../../services/CurrentRun.js"
import type { IdGenerator } from "../../services/IdGenerator.js"
import type { PriceBook } from "../../services/PriceBook.js"
import * as CallSpan from "../../src/telemetry/CallSpan.js"
import type { Period } from "../../src/telemetry/Period.js"
import { RotatingRun } from "../../src/telemetry/RotatingRun.js"
import * as WorkerSpan from "../../src/telemetry/WorkerSpan.js"
import {
  ask,
  client,
  created,
  eventually,
  noon,
  offline,
  read,
  runsIn,
  server,
  temporary,
} from "../support/Rotations.js"
import * as WarningLog from "../support/WarningLog.js"

describe("a run a day", () => {
  it.scoped("calls of two days stand in one run, or a run is not named by its day, or does not verify", () =>
    Effect.gen(function* () {
      const { runsDir, layer } = yield* server
      yield* Effect.gen(function* () {
        yield* ask("one")
        yield* ask("two")
        yield* TestClock.adjust("12 hours")
        yield* ask("three")
        yield* CallSpan.record(Effect.succeed("Yes."), {
          provider: "openai",
          model: "gpt-4o",
          callId: "by another SDK",
        })
      }).pipe(Effect.provide(layer))
      const runs = yield* runsIn(runsDir)
      expect(runs).toMatchObject([
        { calls: ["one", "two"], first: "RUN_CREATED", last: "RUN_COMPLETED", problems: [], isLocked: false },
        {
          calls: ["three", "by another SDK"],
          first: "RUN_CREATED",
          last: "RUN_COMPLETED",
          problems: [],
          isLocked: false,
        },
      ])
      expect(runs.map(({ name }) => /_launch_(.*)_noref/.exec(name)?.[1])).toEqual([
        "answers-2026-01-31",
        "answers-2026-02-01",
      ])
      for (const { events } of runs) expect(new Set(events.map((event) => event.trace_id)).size).toBe(1)
    }),
  )

  it.scoped("a stream in flight at midnight is cut off or moved, or holds its run open after its end", () =>
    Effect.gen(function* () {
      const { runsDir, gate, layer } = yield* server
      yield* Effect.gen(function* () {
        const slow = yield* Effect.fork(read("begun on Saturday", "slow"))
        yield* read("first")
        yield* TestClock.adjust("13 hours")
        yield* read("on Sunday")
        yield* Deferred.succeed(gate, undefined)
        expect((yield* Fiber.join(slow)).map(({ _tag }) => _tag)).toEqual(["Started", "Text", "Finished"])
        const closed = yield* eventually(runsIn(runsDir), ([run]) => run?.isLocked === false)
        expect(closed).toMatchObject([
          { calls: ["first", "begun on Saturday"], last: "RUN_COMPLETED", problems: [], isLocked: false },
          { calls: ["on Sunday"], isLocked: true },
        ])
      }).pipe(Effect.provide(layer))
    }),
  )

  it.scoped("a call in flight at midnight is cut off or moved, or keeps calls of the new day waiting", () =>
    Effect.gen(function* () {
      const { runsDir, gate, layer } = yield* server
      yield* Effect.gen(function* () {
        yield* ask("first")
        const slow = yield* Effect.fork(ask("begun on Saturday", "slow"))
        yield* TestClock.adjust("13 hours")
        yield* ask("on Sunday")
        const [saturday] = yield* runsIn(runsDir)
        expect(saturday).toMatchObject({ last: "LLM_CALL_STARTED", isLocked: true })
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(slow)
        const closed = yield* eventually(runsIn(runsDir), ([run]) => run?.isLocked === false)
        expect(closed).toMatchObject([
          { calls: ["first", "begun on Saturday"], last: "RUN_COMPLETED", problems: [], isLocked: false },
          { calls: ["on Sunday"], isLocked: true },
        ])
      }).pipe(Effect.provide(layer))
    }),
  )

  it.scoped("the run of an idle server stays open, or an idle day makes a run", () =>
    Effect.gen(function* () {
      const { runsDir, layer } = yield* server
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("1 hour")
        expect(yield* runsIn(runsDir)).toEqual([])
        yield* ask("only")
        yield* TestClock.adjust("10 hours")
        expect(yield* runsIn(runsDir)).toMatchObject([{ isLocked: true }])
        yield* TestClock.adjust("62 minutes")
        const closed = yield* eventually(runsIn(runsDir), ([run]) => run?.isLocked === false)
        expect(closed).toMatchObject([{ calls: ["only"], last: "RUN_COMPLETED", isLocked: false }])
        yield* TestClock.adjust("3 days")
        expect(yield* runsIn(runsDir)).toHaveLength(1)
        yield* ask("after three days")
        expect(yield* runsIn(runsDir)).toMatchObject([{}, { calls: ["after three days"] }])
      }).pipe(Effect.provide(layer))
    }),
  )

  it.scoped("calls that come together after midnight open more than one run, or one of them is lost or doubled", () =>
    Effect.gen(function* () {
      const { runsDir, layer } = yield* server
      const names = Array.from({ length: 200 }, (_, index) => `call-${index}`)
      yield* Effect.gen(function* () {
        yield* Effect.forEach(names.slice(0, 100), (name) => ask(name), { concurrency: "unbounded" })
        yield* TestClock.adjust("1 days")
        yield* Effect.forEach(names.slice(100), (name) => ask(name), { concurrency: "unbounded" })
      }).pipe(Effect.provide(layer))
      const runs = yield* runsIn(runsDir)
      expect(runs).toHaveLength(2)
      expect(runs.map(({ calls }) => calls.length)).toEqual([100, 100])
      expect(new Set(runs.flatMap(({ calls }) => calls))).toEqual(new Set(names))
    }),
  )

  it.scoped("a wall clock that was a year ahead for a moment keeps all that follows in that run", () =>
    Effect.gen(function* () {
      const { runsDir, layer } = yield* server
      yield* Effect.gen(function* () {
        yield* TestClock.setTime(Date.parse("2027-01-31T12:00:00Z"))
        yield* ask("ahead")
        yield* noon
        yield* ask("back")
      }).pipe(Effect.provide(layer))
      expect(yield* runsIn(runsDir)).toMatchObject([{ calls: ["back"] }, { calls: ["ahead"] }])
    }),
  )
})

describe("one request, one run", () => {
  it.scoped("a request that lasts over midnight is torn between two runs", () =>
    Effect.gen(function* () {
      const { runsDir, layer } = yield* server
      const request = Effect.gen(function* () {
        yield* ask("before midnight")
        yield* TestClock.adjust("1 days")
        yield* ask("after midnight")
        return (yield* CurrentRun).runId
      })
      const { runId, next } = yield* Effect.gen(function* () {
        const rotating = yield* RotatingRun
        const work = WorkerSpan.around({ worker: "Request", agentName: "answers.Request" }, request)
        return { runId: yield* rotating.within(work), next: yield* ask("the next one") }
      }).pipe(Effect.provide(layer))
      const runs = yield* runsIn(runsDir)
      expect(runs).toMatchObject([
        { name: runId, calls: ["before midnight", "after midnight"], last: "RUN_COMPLETED" },
        { calls: ["the next one"] },
      ])
      expect(next.evidencePath).toContain("next")
      const [first] = runs
      const item = first?.events.find((event) => event.type === "WORK_ITEM_STARTED")
      const calls = first?.events.filter((event) => event.type === "LLM_CALL_FINISHED")
      expect(calls?.map((event) => event.parent_span_id)).toEqual([item?.span_id, item?.span_id])
    }),
  )

  it.scoped("a call inside a span of the program's own leaves that span's trace", () =>
    Effect.gen(function* () {
      const { layer } = yield* server
      const { traceId, span } = yield* Effect.gen(function* () {
        const span = yield* Effect.currentSpan
        return { traceId: (yield* ask("traced")).traceId, span }
      }).pipe(Effect.withSpan("request"), Effect.provide(layer))
      expect(traceId).toBe(span.traceId)
    }),
  )
})

describe("a run that cannot be opened", () => {
  const flaky = Effect.gen(function* () {
    yield* noon
    const runsDir = yield* temporary
    const state = { mode: "opens" as "opens" | "fails" | "throws" | "hangs", attempts: 0 }
    const log = WarningLog.make()
    const opens = offline(runsDir)
    const run = (
      period: Period,
    ): Layer.Layer<CurrentRun | IdGenerator | PriceBook, CurrentRunFolder.RunFolderError> => {
      state.attempts += 1
      if (state.mode === "throws") throw new TypeError("no such day")
      if (state.mode === "hangs") return Layer.unwrapEffect(Effect.never)
      if (state.mode === "opens") return opens(period)
      const folder = { runsDir: "/dev/null/runs", runId: "run-001", resume: false, config: {} }
      return Layer.provideMerge(opens(period), CurrentRunFolder.layer(folder))
    }
    const layer = Layer.provide(RotatingRun.layer({ created, run }), client())
    return { runsDir, state, log, layer }
  })

  it.scoped("calls fail or wait when there is no run for them, or nobody is told", () =>
    Effect.gen(function* () {
      const { runsDir, state, log, layer } = yield* flaky
      yield* Effect.gen(function* () {
        for (const mode of ["fails", "throws"] as const) {
          state.mode = mode
          const before = state.attempts
          expect((yield* ask("unrecorded")).content).toEqual([{ type: "text", text: "A ledger never forgets." }])
          yield* ask("again at once")
          expect(state.attempts).toBe(before + 1)
          expect(log.warnings().at(-1)).toContain("The run of 2026-01-31 could not be opened")
          yield* TestClock.adjust("1 minute")
        }
        state.mode = "opens"
        yield* ask("recorded")
      }).pipe(Effect.provide(layer), Effect.provide(log.layer))
      expect(log.warnings()).toHaveLength(2)
      expect(yield* runsIn(runsDir)).toMatchObject([{ calls: ["recorded"], last: "RUN_COMPLETED" }])
    }),
  )

  it.scoped("calls are lost although yesterday's run could take them until today's opens", () =>
    Effect.gen(function* () {
      const { runsDir, state, log, layer } = yield* flaky
      yield* Effect.gen(function* () {
        yield* ask("yesterday")
        state.mode = "fails"
        yield* TestClock.setTime(Date.parse("2026-02-01T00:00:01Z"))
        yield* ask("today")
        yield* TestClock.adjust("59 seconds")
        yield* ask("still today")
        expect(yield* runsIn(runsDir)).toMatchObject([{ calls: ["yesterday", "today", "still today"], isLocked: true }])
        state.mode = "opens"
        yield* TestClock.adjust("2 minutes")
        yield* ask("at last")
      }).pipe(Effect.provide(layer), Effect.provide(log.layer))
      const [first, second] = yield* runsIn(runsDir)
      expect(first).toMatchObject({ calls: ["yesterday", "today", "still today"], last: "RUN_COMPLETED" })
      expect(second).toMatchObject({ calls: ["at last"], last: "RUN_COMPLETED" })
    }),
  )

  it.scoped("a run that never opens holds a call for longer than a second, or the program's end", () =>
    Effect.gen(function* () {
      const { state, log, layer } = yield* flaky
      state.mode = "hangs"
      yield* Effect.gen(function* () {
        const waiting = yield* Effect.fork(Effect.all([ask("one"), ask("two")], { concurrency: 2 }))
        yield* TestClock.adjust("999 millis")
        expect(yield* Fiber.poll(waiting)).toMatchObject({ _tag: "None" })
        yield* TestClock.adjust("1 millis")
        yield* Fiber.join(waiting)
        yield* ask("three")
      }).pipe(Effect.provide(layer), Effect.provide(log.layer))
      expect(log.warnings()).toHaveLength(1)
      expect(log.warnings()[0]).toContain("not open after 1s; until it is, calls are made unrecorded")
    }),
  )

  it.scoped("a caller that gives up waiting takes the opening run with it", () =>
    Effect.gen(function* () {
      yield* noon
      const runsDir = yield* temporary
      const gate = yield* Deferred.make<void>()
      const run: ReturnType<typeof offline> = (period) =>
        Layer.unwrapEffect(Effect.as(Deferred.await(gate), offline(runsDir)(period)))
      yield* Effect.gen(function* () {
        const impatient = yield* Effect.fork(ask("given up"))
        yield* TestClock.adjust("10 millis")
        yield* Fiber.interrupt(impatient)
        yield* Deferred.succeed(gate, undefined)
        yield* ask("patient")
      }).pipe(Effect.provide(Layer.provide(RotatingRun.layer({ created, run }), client())))
      expect(yield* runsIn(runsDir)).toMatchObject([{ calls: ["patient"], last: "RUN_COMPLETED" }])
    }),
  )
})
