import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { RunStoreError, RunStoreService } from "../../services/RunStore.js"
import { creating, event, found, run, type StoreLayer, updating, withStore } from "./RunStores.js"

const nowIso = Effect.map(Clock.currentTimeMillis, (millis) => new Date(millis).toISOString())

const START = Date.parse("2026-03-01T00:00:00.000Z")

/** Ends what was silent for an hour. */
const close = (store: RunStoreService) =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    store.closeStale({ before: new Date(now - 3_600_000).toISOString() }),
  )

const later = (duration: Duration.DurationInput) => TestClock.adjust(duration)

/** What the store does with rows of which nothing more is heard, and with endings that nobody reported. */
export const lives = ({ name, fresh }: StoreLayer): void => {
  const using = <A, E>(use: (store: RunStoreService) => Effect.Effect<A, E>) =>
    withStore(fresh)((store) => Effect.zipRight(TestClock.setTime(START), use(store)))

  describe(`RunStore lives, kept by ${name}`, () => {
    it.effect("ends a running row after the silence, at its last sign of life, and says so; others stay", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.apply(
            [
              creating("old", { start_time: "2026-02-28T23:59:00Z", created_at: "2020-01-01T00:00:00Z" }),
              creating("done", { status: "success" }),
            ],
            {},
          )
          yield* later("59 minutes")
          yield* store.apply([creating("young")], {})
          expect(yield* close(store)).toBe(0)
          yield* later("2 minutes")
          expect(yield* close(store)).toBe(1)
          expect(yield* found(store, "old")).toMatchObject({
            status: "timeout",
            end_time: "2026-03-01T00:00:00.000Z",
            duration_ms: 60_000,
          })
          expect((yield* found(store, "old")).error_summary).toMatch(/1h 1m, since 2026-03-01T00:00:00.000Z/)
          expect((yield* found(store, "young")).status).toBe("running")
          expect((yield* found(store, "done")).status).toBe("success")
          expect(yield* close(store)).toBe(0)
        }),
      ),
    )

    it.effect("takes an update, an event, a report, a child, a sibling and a parent's news for a sign of life", () =>
      using((store) =>
        Effect.gen(function* () {
          const signs: ReadonlyArray<
            readonly [string, (store: RunStoreService) => Effect.Effect<unknown, RunStoreError>]
          > = [
            ["an update that changes something", (s) => s.apply([updating("r", { input_summary: "x" })], {})],
            ["an update that changes nothing", (s) => s.apply([updating("r", { status: "running" })], {})],
            ["a change by hand", (s) => s.update("r", { items_failed: 1 })],
            ["an event of its run", (s) => s.apply([event("v", "r")], {})],
            ["an event of its parent", (s) => s.apply([event("w", "p")], {})],
            ["a report of its run", (s) => s.apply([], { run_id: "r" })],
            ["a report of its parent", (s) => s.apply([], { run_id: "p", backlog: 3 })],
            ["a child", (s) => s.insert([run({ event_id: "child", parent_run_id: "r", status: "success" })])],
            ["a child again", (s) => s.insert([run({ event_id: "child", parent_run_id: "r", status: "success" })])],
            ["a sibling", (s) => s.apply([creating("sibling", { parent_run_id: "p", status: "success" })], {})],
          ]
          yield* store.apply([creating("r", { parent_run_id: "p" })], {})
          for (const [what, sign] of signs) {
            yield* later("50 minutes")
            yield* sign(store)
            yield* later("50 minutes")
            expect(yield* close(store), what).toBe(0)
          }
          const last = new Date(START + (signs.length * 100 - 50) * 60_000).toISOString()
          yield* later("11 minutes")
          yield* store.apply([creating("stranger"), event("z", "other")], { run_id: "other" })
          expect(yield* close(store)).toBe(1)
          expect((yield* found(store, "r")).end_time).toBe(last)
        }),
      ),
    )

    it.effect("never gives a negative duration to a row whose client's clock is ahead", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.apply([creating("ahead", { start_time: "2030-01-01T00:00:00Z" })], {})
          yield* later("2 hours")
          yield* close(store)
          expect(yield* found(store, "ahead")).toMatchObject({ status: "timeout", duration_ms: 0 })
        }),
      ),
    )

    it.effect("ends more rows than one transaction takes", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert(Array.from({ length: 450 }, (_, n) => run({ event_id: `e${n}`, run_id: `r${n}` })))
          yield* later("2 hours")
          expect(yield* close(store)).toBe(450)
          expect(yield* store.count({ status: "running" })).toBe(0)
        }),
      ),
    )

    it.effect("lets the client's own ending replace the time-out, and leaves nothing of it behind", () =>
      using((store) =>
        Effect.gen(function* () {
          const ending = { status: "success", end_time: "2026-03-01T05:00:00Z", duration_ms: 7, output_summary: "ok" }
          yield* store.apply([creating("quiet"), creating("steady")], {})
          yield* later("2 hours")
          yield* store.apply([updating("steady", ending)], {})
          expect(yield* close(store)).toBe(1)
          yield* store.apply([updating("quiet", ending)], {})
          const { id: _i, event_id: _e, run_id: _r, ...quiet } = yield* found(store, "quiet")
          const { id: _j, event_id: _f, run_id: _s, ...steady } = yield* found(store, "steady")
          expect(quiet).toEqual(steady)
          yield* later("2 hours")
          expect(yield* close(store)).toBe(0)
        }),
      ),
    )

    it.effect("takes a dead process's ending for a running row, never for an ended one, and lets it yield", () =>
      using((store) =>
        Effect.gen(function* () {
          const died = { status: "failure", inferred: true, error_summary: "the process died", end_time: yield* nowIso }
          yield* store.apply([creating("1"), updating("1", died)], {})
          expect(yield* found(store, "1")).toMatchObject({ status: "failure", error_summary: "the process died" })
          expect(yield* store.apply([updating("1", { status: "success", end_time: yield* nowIso })], {})).toMatchObject(
            [{ status: "updated" }],
          )
          expect(yield* found(store, "1")).toMatchObject({ status: "success", error_summary: null })
          expect(yield* store.apply([updating("1", died)], {})).toMatchObject([{ status: "ignored" }])
          expect(yield* found(store, "1")).toMatchObject({ status: "success", error_summary: null })
          yield* store.apply([creating("2", { status: "success" }), updating("2", died)], {})
          expect((yield* found(store, "2")).status).toBe("success")
          yield* store.apply([updating("3", died), updating("3", { status: "success" }), creating("3")], {})
          expect(yield* found(store, "3")).toMatchObject({ status: "success", error_summary: null })
        }),
      ),
    )

    it.effect("makes of a create that already has its ending the very row of create and update, and once", () =>
      using((store) =>
        Effect.gen(function* () {
          const opening = {
            job_type: "llm_call",
            parent_run_id: "r",
            created_at: "2026-01-01T00:00:00Z",
            context_json: { trace_id: "t", span_id: "s", model: "m" },
          }
          const ending = {
            status: "success",
            end_time: "2026-01-01T00:00:09Z",
            duration_ms: 9000,
            output_summary: "cut \ud83d and \u0000 nul",
            metrics_json: { input_tokens: 3, output_tokens: 4, cost_nanousd: 5, cost_status: "priced" },
            context_json: { trace_id: "t", span_id: "s", model: "m", provider: "p", request_id: "q" },
          }
          const coalesced = creating("one", { ...opening, ...ending })
          yield* store.apply([coalesced, creating("two", opening), updating("two", ending)], {})
          const one = yield* found(store, "one")
          const two = yield* found(store, "two")
          expect({ ...one, id: 0, event_id: "", run_id: "" }).toEqual({
            ...two,
            id: 0,
            event_id: "",
            run_id: "",
            updated_at: null,
          })
          for (const group of ["model", "provider"] as const) {
            expect((yield* store.stats(group, {}))[0]).toMatchObject({ calls: 2, input_tokens: 6, cost_nanousd: 10 })
          }
          const again = [coalesced, creating("one", { ...opening, status: "failed" }), updating("one", ending)]
          expect((yield* store.apply(again, {})).map(({ status }) => status)).toEqual(Array(3).fill("duplicate"))
          expect(yield* found(store, "one")).toEqual(one)
          expect(yield* store.apply([updating("one", { status: "timeout", inferred: true })], {})).toMatchObject([
            { status: "ignored" },
          ])
        }),
      ),
    )

    it.effect("keeps a report without counts, and what it does not say as it was", () =>
      using((store) =>
        Effect.gen(function* () {
          expect(yield* store.apply([], { run_id: "x", dropped: 5, dead_letters: 2 })).toEqual([])
          expect(yield* store.apply([], { run_id: "x" })).toEqual([])
          expect((yield* store.metrics(0)).performance).toMatchObject({ client_dropped: 5, client_dead_letters: 2 })
          expect(Option.isNone(yield* store.logHead("x"))).toBe(true)
        }),
      ),
    )
  })
}
