import type { PlatformError } from "@effect/platform/Error"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import { CurrentRun } from "../../services/CurrentRun.js"
import * as RunFolders from "../support/RunFolders.js"

interface Options {
  readonly runId: string
  readonly parentRunId?: string
  readonly trace?: { readonly trace_id: string; readonly span_id?: string }
}

const layers: Readonly<
  Record<string, (options: Options) => Layer.Layer<CurrentRun, CurrentRunFolder.RunFolderError | PlatformError>>
> = {
  CurrentRunDetached: CurrentRunDetached.layer,
  CurrentRunFolder: (options) =>
    Layer.unwrapScoped(
      Effect.map(RunFolders.temporary, (runsDir) =>
        CurrentRunFolder.layer({ ...options, runsDir, resume: false, config: {} }),
      ),
    ),
}

const trace_id = "0af7651916cd43dd8448eb211c80319c"

for (const [name, layer] of Object.entries(layers)) {
  describe(name, () => {
    it.scoped("a new run has its id, no parent, no place in a trace, and is not resumed", () =>
      Effect.gen(function* () {
        const run = yield* CurrentRun
        expect(run.runId).toBe("run-001")
        expect(run.resumed).toBe(false)
        expect(Option.isNone(run.parentRunId)).toBe(true)
        expect(Option.isNone(run.trace)).toBe(true)
      }).pipe(Effect.provide(layer({ runId: "run-001" }))),
    )

    it.scoped("a parent run and a place in a trace are kept as the caller gave them", () =>
      Effect.gen(function* () {
        const run = yield* CurrentRun
        expect(run.parentRunId).toEqual(Option.some("run-000"))
        expect(run.trace).toEqual(Option.some({ trace_id, span_id: "b7ad6b7169203331" }))
      }).pipe(
        Effect.provide(
          layer({ runId: "run-001", parentRunId: "run-000", trace: { trace_id, span_id: "b7ad6b7169203331" } }),
        ),
      ),
    )

    it.scoped("a trace without a span still gives a well-formed place, the same each time", () =>
      Effect.gen(function* () {
        const run = yield* CurrentRun
        expect(Option.getOrThrow(run.trace).trace_id).toBe(trace_id)
        expect(Option.getOrThrow(run.trace).span_id).toMatch(/^[0-9a-f]{16}$/)
      }).pipe(Effect.provide(layer({ runId: "run-001", trace: { trace_id } }))),
    )

    it.scoped("no two calls of a run ever share an id, however they are named and from whichever fiber", () =>
      Effect.gen(function* () {
        const run = yield* CurrentRun
        expect(yield* run.uniqueCallId("x~2")).toBe("x~2")
        expect(yield* run.uniqueCallId("x")).toBe("x")
        expect(yield* run.uniqueCallId("x")).toBe("x~3")
        expect(yield* run.uniqueCallId("x~2")).toBe("x~2~2")
        const ids = yield* Effect.forEach(Array.from({ length: 50 }), () => run.uniqueCallId("y"), {
          concurrency: "unbounded",
        })
        expect(new Set(ids).size).toBe(50)
        expect(ids).toContain("y")
        expect(ids).toContain("y~50")
      }).pipe(Effect.provide(layer({ runId: "run-001" }))),
    )

    it.scoped("attempts of a worker count from 1, each worker its own", () =>
      Effect.gen(function* () {
        const run = yield* CurrentRun
        expect(yield* run.nextAttempt("W2.FactsBuilder")).toBe(1)
        expect(yield* run.nextAttempt("W2.FactsBuilder")).toBe(2)
        expect(yield* run.nextAttempt("W4.Planner")).toBe(1)
      }).pipe(Effect.provide(layer({ runId: "run-001" }))),
    )
  })
}
