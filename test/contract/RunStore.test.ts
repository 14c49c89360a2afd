import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import { type Operation, Operation as OperationSchema } from "../../src/domain/Operation.js"
import { RunCreate } from "../../src/domain/Run.js"

const toRun = Schema.decodeUnknownSync(RunCreate)
const toOperation = Schema.decodeUnknownSync(OperationSchema)

const run = (fields: Readonly<Record<string, unknown>>): RunCreate =>
  toRun({ run_id: "r", agent_name: "a", job_type: "launch", start_time: "2026-01-01T00:00:00Z", ...fields })

const op = (fields: Readonly<Record<string, unknown>>): Operation => toOperation(fields)
const creating = (event_id: string, fields: Readonly<Record<string, unknown>> = {}) =>
  op({
    op: "create",
    event_id,
    run_id: event_id,
    agent_name: "a",
    job_type: "launch",
    start_time: "2026-01-01T00:00:00Z",
    ...fields,
  })
const updating = (event_id: string, fields: Readonly<Record<string, unknown>>) =>
  op({ op: "update", event_id, ...fields })

const call = (
  event_id: string,
  fields: Readonly<Record<string, unknown>> = {},
  metrics: object | null = null,
  context: object = {},
) =>
  run({
    event_id,
    run_id: event_id,
    parent_run_id: "run-001",
    job_type: "llm_call",
    status: "success",
    metrics_json: metrics,
    context_json: { trace_id: "t", span_id: event_id, model: "m", provider: "p", ...context },
    ...fields,
  })

const sql = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "runledger-store-" })
  return RunStoreSql.layer({ path: path.join(folder, "made", "store.sqlite") })
})

const LAYERS = [{ name: "RunStoreSql", fresh: sql }] as const

const statuses = (results: ReadonlyArray<{ readonly status: string }>) => results.map((result) => result.status)

for (const { name, fresh } of LAYERS) {
  const withStore = <A, E>(use: (store: RunStoreService) => Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      const layer = yield* fresh
      return yield* Effect.flatMap(RunStore, use).pipe(Effect.provide(layer))
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

  const found = (store: RunStoreService, id: string) => Effect.map(store.get(id), Option.getOrThrow)

  describe(`RunStore, kept by ${name}`, () => {
    it.live("says that it keeps acknowledged rows through a power cut, and takes writes", () =>
      withStore((store) =>
        Effect.gen(function* () {
          expect(store.info).toMatchObject({ journalMode: "wal", synchronous: "full" })
          yield* store.ping
          yield* store.ping
        }),
      ),
    )

    it.live("inserts a run once: a known event_id changes nothing, within a batch and after it", () =>
      withStore((store) =>
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
      withStore((store) =>
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
      withStore((store) =>
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
      withStore((store) =>
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
      withStore((store) =>
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
      withStore((store) =>
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
      withStore((store) =>
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

    it.live("lists newest first in a total order, page by page without loss or repeat", () =>
      withStore((store) =>
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
      withStore((store) =>
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
      withStore((store) =>
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
      withStore((store) =>
        Effect.gen(function* () {
          yield* store.insert([
            run({ event_id: "1", run_id: "root", parent_run_id: "leaf" }),
            run({ event_id: "2", run_id: "middle", parent_run_id: "root" }),
            run({ event_id: "3", run_id: "leaf", parent_run_id: "middle" }),
            run({ event_id: "4", run_id: "stranger" }),
          ])
          const ids = (id: string) => Effect.map(store.family(id), (rows) => rows.map((row) => row.event_id).sort())
          expect(yield* ids("root")).toEqual(["1", "2", "3"])
          expect(yield* ids("stranger")).toEqual(["4"])
          expect(yield* ids("nobody")).toEqual([])
        }),
      ),
    )

    it.live("sums calls by model: real money, simulated money and unknown prices each apart", () =>
      withStore((store) =>
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
            latency_ms: { p50: 200, p95: 300, p99: 300 },
            time_to_first_token_ms: { p50: 4.5 },
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
      withStore((store) =>
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
      withStore((store) =>
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
      withStore((store) =>
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

    it.live("keeps concurrent batches whole", () =>
      withStore((store) =>
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

describe("RunStoreSql, its file", () => {
  const inFolder = <A, E>(
    use: (at: { readonly fs: FileSystem.FileSystem; readonly file: (name: string) => string }) => Effect.Effect<A, E>,
  ) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const folder = yield* fs.makeTempDirectoryScoped({ prefix: "runledger-store-" })
      return yield* use({ fs, file: (name) => path.join(folder, name) })
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

  const opened = (path: string) => Effect.scoped(Layer.build(RunStoreSql.layer({ path })))
  const using = <A, E>(path: string, use: (store: RunStoreService) => Effect.Effect<A, E>) =>
    Effect.flatMap(RunStore, use).pipe(Effect.provide(RunStoreSql.layer({ path })))

  it.live("is readable by its owner only, in a folder that is made for it, and keeps rows when it is closed", () =>
    inFolder(({ fs, file }) =>
      Effect.gen(function* () {
        const path = file("deep/er/store.sqlite")
        yield* using(path, (store) =>
          Effect.gen(function* () {
            yield* store.insert([run({ event_id: "1" })])
            for (const suffix of ["", "-wal", "-shm"]) {
              expect(Number((yield* fs.stat(`${path}${suffix}`)).mode) & 0o777, suffix).toBe(0o600)
            }
          }),
        )
        expect(yield* fs.exists(`${path}-wal`)).toBe(false)
        expect(yield* using(path, (store) => store.count({}))).toBe(1)
      }),
    ),
  )

  it.live("is refused with its name and the next step when it is no database, a folder, or cannot be made", () =>
    inFolder(({ fs, file }) =>
      Effect.gen(function* () {
        yield* fs.writeFileString(file("text"), "not a database, but long enough to be mistaken for one\n".repeat(200))
        yield* fs.makeDirectory(file("folder"))
        for (const path of [file("text"), file("folder"), file("text/below.sqlite")]) {
          const error = yield* Effect.flip(opened(path))
          expect(error._tag, path).toBe("RunStoreError")
          expect(error.message).toContain(path)
          expect(error.message).toMatch(/TELEMETRY_DB_PATH|--db/)
        }
        expect(yield* fs.readFileString(file("text"))).toContain("not a database")
      }),
    ),
  )

  it.live("is left alone when it is another program's database", () =>
    inFolder(({ fs, file }) =>
      Effect.gen(function* () {
        const { default: Sqlite } = yield* Effect.promise(() => import("better-sqlite3"))
        const other = new Sqlite(file("other.sqlite"))
        other.exec("CREATE TABLE runs (x)")
        other.close()
        const before = yield* fs.readFile(file("other.sqlite"))
        expect((yield* Effect.flip(opened(file("other.sqlite")))).message).toContain("something else")
        expect(yield* fs.readFile(file("other.sqlite"))).toEqual(before)
      }),
    ),
  )

  it.live("is left alone when a newer version made it", () =>
    inFolder(({ file }) =>
      Effect.gen(function* () {
        const { default: Sqlite } = yield* Effect.promise(() => import("better-sqlite3"))
        yield* opened(file("store.sqlite"))
        const newer = new Sqlite(file("store.sqlite"))
        newer.exec("INSERT INTO runledger_migrations (migration_id, name) VALUES (999, 'later')")
        newer.close()
        expect((yield* Effect.flip(opened(file("store.sqlite")))).message).toContain("newer Runledger")
      }),
    ),
  )
})
