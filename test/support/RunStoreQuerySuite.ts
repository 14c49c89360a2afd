import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { RunStoreService } from "../../services/RunStore.js"
import type { RunRecord } from "../../src/domain/Run.js"
import type { RunTreeNode } from "../../src/domain/RunTree.js"
import { call, creating, found, run, type StoreLayer, withStore } from "./RunStores.js"

const decoder = new TextDecoder()

const within5Percent = (value: number): unknown =>
  expect.toSatisfy((told: number) => Math.abs(told - value) <= value * 0.05, `within 5 % of ${value}`)

const flat = ({ run, children }: RunTreeNode): ReadonlyArray<RunRecord> => [run, ...children.flatMap(flat)]

/** A run's tree as it is sent, and the rows in it; nothing when there is none. */
const treeOf = (store: RunStoreService, id: string) =>
  Effect.map(store.json.tree(id), (json) => {
    const text = Option.match(json, { onNone: () => "null", onSome: (bytes) => decoder.decode(bytes) })
    const tree: RunTreeNode | null = JSON.parse(text)
    return { text, nodes: tree === null ? [] : flat(tree) }
  })

/** What every layer of the store promises about reading: part of the contract suite, which runs it on each of them. */
export const queries = ({ name, fresh }: StoreLayer): void => {
  const using = withStore(fresh)

  describe(`RunStore queries, kept by ${name}`, () => {
    it.live("lists newest first in a total order, page by page without loss or repeat", () =>
      using((store) =>
        Effect.gen(function* () {
          const same = "2026-01-01T00:00:00Z"
          yield* store.insert(
            Array.from({ length: 1203 }, (_, n) =>
              run({ event_id: `e${n}`, created_at: n % 7 === 0 ? same : `2026-01-01T00:0${n % 5}:00Z` }),
            ),
          )
          const all = yield* store.list({}, {})
          expect(all).toHaveLength(1203)
          const keys = all.map((row) => [row.created_at, row.id] as const)
          expect([...keys].sort((l, r) => (l[0] === r[0] ? r[1] - l[1] : l[0] < r[0] ? 1 : -1))).toEqual(keys)
          const streamed = yield* Stream.runCollect(store.stream({}))
          expect(Chunk.toReadonlyArray(streamed).map((row) => row.id)).toEqual(all.map((row) => row.id))
          const second = yield* store.list({}, { limit: 10, offset: 10 })
          const last = all[9]
          expect(second.map((row) => row.id)).toEqual(all.slice(10, 20).map((row) => row.id))
          expect(
            yield* store.list({}, { limit: 10, after: { createdAt: last?.created_at ?? "", id: last?.id ?? 0 } }),
          ).toEqual(second)
        }),
      ),
    )

    it.live("finds by every filter, bounds in- and exclusive as promised", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert([
            run({
              event_id: "1",
              run_id: "A",
              agent_name: "x",
              job_type: "worker",
              status: "partial",
              product: "p",
              parent_run_id: "P",
              created_at: "2026-01-02T00:00:00Z",
              start_time: "2026-01-01T00:00:00Z",
              context_json: { trace_id: "t1", model: "m1" },
            }),
            run({ event_id: "2", run_id: "B", created_at: "2026-01-03T00:00:00Z", start_time: "2026-01-05T00:00:00Z" }),
          ])
          const ids = (filter: Parameters<RunStoreService["list"]>[0]) =>
            Effect.map(store.list(filter, {}), (rows) => rows.map((row) => row.event_id))
          for (const filter of [
            { run_id: "A" },
            { parent_run_id: "P" },
            { trace_id: "t1" },
            { agent_name: "x" },
            { job_type: "worker" },
            { status: "partial" as const },
            { product: "p" },
            { model: "m1" },
            { created_before: "2026-01-03T00:00:00.000Z" },
            { start_time_to: "2026-01-01T00:00:00.000Z" },
          ]) {
            expect(yield* ids(filter), JSON.stringify(filter)).toEqual(["1"])
            expect(yield* store.count(filter)).toBe(1)
          }
          expect(yield* ids({ created_after: "2026-01-02T00:00:00.000Z" })).toEqual(["2"])
          expect(yield* ids({ start_time_from: "2026-01-05T00:00:00.000Z" })).toEqual(["2"])
          expect(yield* ids({ run_id: "A", agent_name: "y" })).toEqual([])
          expect(yield* ids({ run_id: "' OR 1=1 --" })).toEqual([])
        }),
      ),
    )

    it.live("gets by event_id before run_id, and of a run_id the newest row", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert([
            run({ event_id: "1", run_id: "same" }),
            run({ event_id: "2", run_id: "same" }),
            run({ event_id: "same", run_id: "other" }),
          ])
          expect((yield* found(store, "same")).run_id).toBe("other")
          yield* store.insert([run({ event_id: "3", run_id: "again" }), run({ event_id: "4", run_id: "again" })])
          expect((yield* found(store, "again")).event_id).toBe("4")
          expect(Option.isNone(yield* store.get("nothing"))).toBe(true)
        }),
      ),
    )

    it.live("finds a run's whole family, rings of parents included", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert([
            run({ event_id: "1", run_id: "root", parent_run_id: "leaf" }),
            run({ event_id: "2", run_id: "middle", parent_run_id: "root" }),
            run({ event_id: "3", run_id: "leaf", parent_run_id: "middle" }),
            run({ event_id: "4", run_id: "stranger" }),
          ])
          const ids = (id: string) =>
            Effect.map(treeOf(store, id), ({ nodes }) => nodes.map((row) => row.event_id).sort())
          expect(yield* ids("root")).toEqual(["1", "2", "3"])
          expect(yield* ids("3")).toEqual(["1", "2", "3"])
          expect(yield* ids("stranger")).toEqual(["4"])
          expect(yield* ids("nobody")).toEqual([])
        }),
      ),
    )

    it.live("sums calls by model: real money, simulated money and unknown prices each apart", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert([
            run({
              event_id: "launch",
              run_id: "run-001",
              metrics_json: { total_tokens: 999, cost_nanousd: 999, cost_status: "priced" },
            }),
            call(
              "1",
              { duration_ms: 100 },
              { input_tokens: 10, output_tokens: 5, total_tokens: 15, cost_nanousd: 7, cost_status: "priced" },
            ),
            call(
              "2",
              { duration_ms: 300 },
              {
                input_tokens: 1,
                output_tokens: 1,
                cost_nanousd: 50,
                cost_status: "simulated",
                time_to_first_token_ms: 4.5,
              },
            ),
            call(
              "3",
              { duration_ms: 200, status: "failed" },
              { prompt_tokens: 2, completion_tokens: 3, cost_status: "unpriced" },
            ),
            call("4", { status: "running" }),
            call("5", {}, { total_tokens: 4, cost_nanousd: 0, cost_status: "replayed" }, { model: "other" }),
          ])
          const groups = yield* store.stats("model", {})
          expect(groups.map((group) => group.group)).toEqual(["m", "other"])
          expect(groups[0]).toMatchObject({
            calls: 4,
            errors: 1,
            input_tokens: 13,
            output_tokens: 9,
            total_tokens: 22,
            cost_nanousd: 7,
            simulated_cost_nanousd: 50,
            unpriced_calls: 1,
            replayed_calls: 0,
            latency_ms: { p50: within5Percent(200), p95: within5Percent(300), p99: within5Percent(300) },
            time_to_first_token_ms: { p50: within5Percent(4.5) },
          })
          expect(groups[1]).toMatchObject({ calls: 1, replayed_calls: 1, cost_nanousd: 0, unpriced_calls: 0 })
          expect((yield* store.stats("run", {})).map((group) => [group.group, group.calls])).toEqual([["run-001", 5]])
          expect((yield* store.stats("day", {}))[0]?.group).toBe("2026-01-01")
          expect((yield* store.stats("hour", {}))[0]?.group).toBe("2026-01-01T00:00:00.000Z")
          expect(
            (yield* store.stats("job_type", {})).map((group) => [group.group, group.calls, group.cost_nanousd]),
          ).toEqual([
            ["launch", 1, 0],
            ["llm_call", 5, 7],
          ])
          for (const by of ["provider", "agent_name", "status"] as const) {
            expect(
              (yield* store.stats(by, {})).reduce((sum, group) => sum + group.calls, 0),
              by,
            ).toBe(5)
          }
          expect(yield* store.stats("model", { model: "none" })).toEqual([])
        }),
      ),
    )

    it.live("costs a call that wraps another only once, and survives sums beyond 2^63", () =>
      using((store) =>
        Effect.gen(function* () {
          const huge = {
            total_tokens: Number.MAX_SAFE_INTEGER,
            cost_nanousd: Number.MAX_SAFE_INTEGER,
            cost_status: "priced",
          }
          yield* store.insert([
            call("outer", {}, { total_tokens: 9, cost_nanousd: 9, cost_status: "priced" }),
            call("inner", {}, { total_tokens: 9, cost_nanousd: 9, cost_status: "priced" }, { parent_span_id: "outer" }),
          ])
          expect((yield* store.stats("model", {}))[0]).toMatchObject({ calls: 1, cost_nanousd: 9, total_tokens: 9 })
          yield* store.insert(Array.from({ length: 1100 }, (_, n) => call(`h${n}`, {}, huge)))
          expect((yield* store.stats("model", {}))[0]?.cost_nanousd).toBe(Number.MAX_SAFE_INTEGER)
        }),
      ),
    )

    it.live("never tells stale names after a write, and looks them up only once in between", () =>
      using((store) =>
        Effect.gen(function* () {
          expect(yield* store.metadata).toEqual({
            agent_names: [],
            job_types: [],
            counts: { agent_names: 0, job_types: 0 },
            cache_hit: false,
          })
          yield* store.insert([
            run({ event_id: "1", agent_name: "b" }),
            run({ event_id: "2", agent_name: "a" }),
            run({ event_id: "3", agent_name: "b" }),
          ])
          expect(yield* store.metadata).toEqual({
            agent_names: ["a", "b"],
            job_types: ["launch"],
            counts: { agent_names: 2, job_types: 1 },
            cache_hit: false,
          })
          expect((yield* store.metadata).cache_hit).toBe(true)
          yield* store.apply([creating("4", { agent_name: "c" })], {})
          expect(yield* store.metadata).toMatchObject({ agent_names: ["a", "b", "c"], cache_hit: false })
        }),
      ),
    )

    it.live("counts what it keeps and what clients say they lost", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert([
            run({ event_id: "1", created_at: "2026-01-01T00:00:00Z" }),
            run({ event_id: "2", created_at: "2026-01-03T00:00:00Z" }),
          ])
          yield* store.apply([], { run_id: "x", backlog: 1, dropped: 5, dead_letters: 1 })
          yield* store.apply([], { run_id: "x", backlog: 0, dropped: 6, dead_letters: 1 })
          yield* store.apply([], { run_id: "y", dropped: 1 })
          expect(yield* store.metrics(Date.parse("2026-01-03T12:00:00Z"))).toMatchObject({
            total_runs: 2,
            agents: { a: 2 },
            recent_24h: 1,
            performance: { client_dropped: 7, client_dead_letters: 1 },
          })
        }),
      ),
    )
  })
}
