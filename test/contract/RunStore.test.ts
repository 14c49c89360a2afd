import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { changes } from "../support/RunStoreChangesSuite.js"
import { lives } from "../support/RunStoreLifeSuite.js"
import { logs } from "../support/RunStoreLogSuite.js"
import { queries } from "../support/RunStoreQuerySuite.js"
import { repricingParts } from "../support/RunStoreRepricePartsSuite.js"
import { repricing } from "../support/RunStoreRepriceSuite.js"
import { creating, found, LAYERS, op, run, updating, withStore } from "../support/RunStores.js"

const statuses = (results: ReadonlyArray<{ readonly status: string }>) => results.map((result) => result.status)

for (const layer of LAYERS) {
  const { name, fresh } = layer
  queries(layer)
  lives(layer)
  logs(layer)
  const using = withStore(fresh)

  describe(`RunStore, changes and commits kept by ${name}`, () => changes(using))
  describe(`RunStore, costs kept by ${name}`, () => {
    repricing(using)
    repricingParts(using)
  })

  describe(`RunStore, kept by ${name}`, () => {
    it.live("says that it keeps acknowledged rows through a power cut, and takes writes", () =>
      using((store) =>
        Effect.gen(function* () {
          expect(store.info).toMatchObject({ journalMode: "wal", synchronous: "full" })
          yield* store.ping
          yield* store.ping
        }),
      ),
    )

    it.live("inserts a run once: a known event_id changes nothing, within a batch and after it", () =>
      using((store) =>
        Effect.gen(function* () {
          expect(
            yield* store.insert([
              run({ event_id: "1", product: "first" }),
              run({ event_id: "1", product: "second" }),
              run({ event_id: "2" }),
            ]),
          ).toEqual(["created", "duplicate", "created"])
          expect(yield* store.insert([run({ event_id: "1", product: "third" })])).toEqual(["duplicate"])
          expect((yield* found(store, "1")).product).toBe("first")
          expect(yield* store.count({})).toBe(2)
        }),
      ),
    )

    it.live("gives back every field as it came, and texts that databases dislike exactly", () =>
      using((store) =>
        Effect.gen(function* () {
          const given = run({
            event_id: "x",
            product_family: "f",
            items_discovered: 9_007_199_254_740_991,
            error_summary: "cut \ud83d and \u0000 nul",
            api_posted: true,
            created_at: "2026-01-02T03:04:05+02:00",
            git_repo: "https://github.com/acme/widgets.git",
            git_commit_hash: "0123abc",
            metrics_json: { text: "\ud83d\u0000", deep: { list: [1, null, "ü"] } },
            context_json: JSON.parse('{"__proto__": {"polluted": true}, "trace_id": "t"}'),
          })
          yield* store.insert([given])
          const kept = yield* found(store, "x")
          expect(kept).toMatchObject(given)
          expect(JSON.stringify(kept.context_json)).toBe('{"__proto__":{"polluted":true},"trace_id":"t"}')
          expect(kept).toMatchObject({
            created_at: "2026-01-02T01:04:05.000Z",
            commit_url: "https://github.com/acme/widgets/commit/0123abc",
            repo_url: "https://github.com/acme/widgets",
            schema_version: 1,
            updated_at: null,
          })
        }),
      ),
    )

    it.live("applies operations in order and once, however often they come", () =>
      using((store) =>
        Effect.gen(function* () {
          const event = {
            event_id: "v1",
            run_id: "run-001",
            ts: "2026-01-01T00:00:00.000Z",
            trace_id: "a".repeat(32),
            span_id: "b".repeat(16),
            type: "RUN_STATE_CHANGED",
            payload: { old_state: "CREATED", new_state: "CLONED_INPUTS" },
          }
          const batch = [
            creating("1"),
            updating("1", { status: "success", duration_ms: 7 }),
            op({ op: "event", event_id: "v1", event }),
          ]
          expect(statuses(yield* store.apply(batch, {}))).toEqual(["created", "updated", "stored"])
          const once = yield* found(store, "1")
          expect(once).toMatchObject({ status: "success", duration_ms: 7 })
          expect(statuses(yield* store.apply(batch, {}))).toEqual(["duplicate", "duplicate", "duplicate"])
          expect(yield* found(store, "1")).toEqual(once)
          expect(statuses(yield* store.apply([...batch, ...batch], {})).filter((s) => s !== "duplicate")).toEqual([])
        }),
      ),
    )

    it.live("keeps an update that comes before its create, across requests, in order, and applies it then", () =>
      using((store) =>
        Effect.gen(function* () {
          const early = [
            updating("1", { output_summary: "older" }),
            updating("1", { output_summary: "newer", status: "success" }),
          ]
          expect(statuses(yield* store.apply(early, {}))).toEqual(["pending", "pending"])
          expect(statuses(yield* store.apply(early, {}))).toEqual(["pending", "pending"])
          expect((yield* store.metrics(0)).performance.pending_updates).toBe(2)
          expect(statuses(yield* store.apply([creating("1")], {}))).toEqual(["created"])
          expect(yield* found(store, "1")).toMatchObject({ status: "success", output_summary: "newer" })
          expect((yield* store.metrics(0)).performance.pending_updates).toBe(0)
          expect(statuses(yield* store.apply([updating("2", { status: "failed" })], {}))).toEqual(["pending"])
          yield* store.insert([run({ event_id: "2" })])
          expect((yield* found(store, "2")).status).toBe("failure")
        }),
      ),
    )

    it.live("never lets a finished run go back to running, unless it is reopened", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.apply([creating("1", { status: "success" })], {})
          const [back] = yield* store.apply([updating("1", { status: "running", output_summary: "late" })], {})
          expect(back).toMatchObject({ status: "ignored" })
          expect(back?.detail).toContain("success")
          expect(yield* found(store, "1")).toMatchObject({ status: "success", output_summary: null })
          expect(statuses(yield* store.apply([updating("1", { status: "failed" })], {}))).toEqual(["updated"])
          expect(statuses(yield* store.apply([updating("1", { status: "running", reopen: true })], {}))).toEqual([
            "updated",
          ])
          expect((yield* found(store, "1")).status).toBe("running")
        }),
      ),
    )

    it.live("lets an inferred ending yield to the client's own, and never the other way round", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.apply([creating("1"), updating("1", { status: "timeout", inferred: true })], {})
          expect((yield* found(store, "1")).status).toBe("timeout")
          expect(statuses(yield* store.apply([updating("1", { status: "success" })], {}))).toEqual(["updated"])
          expect(statuses(yield* store.apply([updating("1", { status: "timeout", inferred: true })], {}))).toEqual([
            "ignored",
          ])
          expect((yield* found(store, "1")).status).toBe("success")
          yield* store.apply([creating("2"), updating("2", { status: "timeout", inferred: true })], {})
          expect(statuses(yield* store.apply([updating("2", { status: "running" })], {}))).toEqual(["updated"])
        }),
      ),
    )

    it.live("changes only what a patch bears, and says what it did", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert([run({ event_id: "1", input_summary: "in", metrics_json: { a: 1, b: 2 } })])
          const changed = Option.getOrThrow(
            yield* store.update("1", { status: "success", metrics_json: { c: 3 }, items_failed: 0 }),
          )
          expect([...changed.fields].sort()).toEqual(["items_failed", "metrics_json", "status"])
          expect(changed.ignored).toBeNull()
          expect(changed.run).toMatchObject({ status: "success", input_summary: "in", metrics_json: { c: 3 } })
          expect(changed.run.updated_at).not.toBeNull()
          const ignored = Option.getOrThrow(yield* store.update("1", { status: "running" }))
          expect(ignored).toMatchObject({ fields: [], run: { status: "success" } })
          expect(ignored.ignored).toContain("does not go back")
          expect(Option.isNone(yield* store.update("nope", { status: "success" }))).toBe(true)
        }),
      ),
    )

    it.live("keeps concurrent batches whole", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* Effect.forEach(
            Array.from({ length: 20 }, (_, n) => n),
            (n) => store.insert(Array.from({ length: 60 }, (__, m) => run({ event_id: `${n}-${m}`, run_id: `r${n}` }))),
            { concurrency: "unbounded", discard: true },
          )
          expect(yield* store.count({})).toBe(1200)
        }),
      ),
    )
  })
}
