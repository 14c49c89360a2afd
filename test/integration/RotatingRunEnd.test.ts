import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import { CurrentRun } from "../../services/CurrentRun.js"
import type { Period } from "../../src/telemetry/Period.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import { RotatingRun } from "../../src/telemetry/RotatingRun.js"
import { ask, atTime, client, created, eventually, runsIn, server } from "../support/Rotations.js"

describe("the end of the program", () => {
  const endings = [
    ["succeeds", Exit.void, "RUN_COMPLETED"],
    ["is told to stop", Exit.failCause(Cause.interrupt(Fiber.id(Fiber.void))), "RUN_COMPLETED"],
    ["fails", Exit.fail("the roof fell in"), "RUN_FAILED"],
  ] as const

  for (const [what, exit, closing] of endings)
    it.scoped(`a program that ${what} leaves a run open, or ended otherwise than ${closing}`, () =>
      Effect.gen(function* () {
        const { runsDir, layer } = yield* server
        const scope = yield* Scope.make()
        const services = yield* Layer.buildWithScope(layer, scope)
        const yesterday = yield* Effect.fork(Effect.provide(ask("yesterday", "slow"), services))
        yield* eventually(runsIn(runsDir), ([run]) => run?.last === "LLM_CALL_STARTED")
        yield* TestClock.adjust("1 days")
        yield* Effect.provide(ask("today"), services)
        yield* Fiber.interrupt(yesterday)
        yield* Scope.close(scope, exit)
        expect(yield* runsIn(runsDir)).toMatchObject([
          { last: "RUN_COMPLETED", isLocked: false },
          { calls: ["today"], last: closing, problems: [], isLocked: false },
        ])
        yield* Effect.provide(ask("too late"), services)
        yield* Context.get(services, Recorder).record({ type: "RUN_COMPLETED", payload: {} })
        expect(yield* runsIn(runsDir)).toHaveLength(2)
      }),
    )
})

it.scoped("runs that ended hundreds of turns ago are still held in memory, or still open", () =>
  Effect.gen(function* () {
    let now = Date.parse("2026-01-31T12:00:00Z")
    let open = 0
    const held: Array<WeakRef<object>> = []
    const shared = yield* Layer.build(Layer.merge(PriceBookTable.layer({}), IdGeneratorLive.layer)).pipe(
      Effect.provide(NodeFileSystem.layer),
    )
    const detached = ({ name }: Period) =>
      Layer.scoped(
        CurrentRun,
        Effect.gen(function* () {
          yield* Effect.acquireRelease(
            Effect.sync(() => (open += 1)),
            () => Effect.sync(() => (open -= 1)),
          )
          const run = Context.get(yield* Layer.build(CurrentRunDetached.layer({ runId: name })), CurrentRun)
          held.push(new WeakRef(run))
          return run
        }),
      )
    const run = (period: Period) => Layer.merge(detached(period), Layer.succeedContext(shared))
    yield* Effect.gen(function* () {
      for (let turn = 0; turn < 300; turn++) {
        yield* ask("hourly")
        now += 3_600_000
      }
      expect(held).toHaveLength(300)
      expect(
        yield* eventually(
          Effect.sync(() => open),
          (count) => count === 1,
        ),
      ).toBe(1)
      setFlagsFromString("--expose-gc")
      const alive = Effect.sync(() => {
        runInNewContext("gc")()
        return held.filter((run) => run.deref() !== undefined).length
      })
      expect(yield* eventually(alive, (count) => count < 5)).toBeLessThan(5)
    }).pipe(
      Effect.provide(Layer.provide(RotatingRun.layer({ created, run, every: "1 hour" }), client())),
      Effect.withClock(atTime(() => now)),
    )
    expect(open).toBe(0)
  }),
)
