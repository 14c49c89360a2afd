import * as nodeFs from "node:fs"
import * as nodePath from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import * as RunStoreSqlBackup from "../../layers/RunStoreSqlBackup.js"
import * as RunStoreSqlHealth from "../../layers/RunStoreSqlHealth.js"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import { add, NOTHING, type PruneGoal, type PrunePlace, type PruneStep } from "../../src/domain/Pruning.js"
import { call, chained, creating, run } from "../support/RunStores.js"

const LATER = "9999-01-01T00:00:00.000Z"

const inFolder = <A, E>(use: (folder: string) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return yield* use(yield* fs.makeTempDirectoryScoped({ prefix: "runledger-keeping-" }))
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const using = <A, E>(path: string, use: (store: RunStoreService) => Effect.Effect<A, E>, ballastBytes?: number) =>
  Effect.flatMap(RunStore, use).pipe(
    Effect.provide(RunStoreSql.layer({ path, house: ballastBytes === undefined ? undefined : { ballastBytes } })),
  )

const executed = (filename: string, ...statements: ReadonlyArray<string>) =>
  Effect.flatMap(SqlClient.SqlClient, (client) => Effect.forEach(statements, (text) => client.unsafe(text))).pipe(
    Effect.provide(SqliteClient.layer({ filename, disableWAL: true })),
  )

const prune = (store: RunStoreService, goal: PruneGoal, options: { dryRun?: boolean; quietSince?: string } = {}) =>
  Effect.gen(function* () {
    let pruned = NOTHING
    let place: PrunePlace | null | undefined
    let step: PruneStep
    do {
      step = yield* store.keeping.prune({
        goal,
        dryRun: options.dryRun ?? false,
        quietSince: options.quietSince ?? LATER,
        place: place ?? undefined,
      })
      pruned = add(pruned, step.pruned)
      place = step.next
    } while (place !== null)
    return { pruned, size: step.size }
  })

const LARGE = "x".repeat(3000)

/** A launch with two calls and two events, begun on a day. */
const launch = (store: RunStoreService, id: string, day: string, status = "success") =>
  Effect.gen(function* () {
    const at = { created_at: `${day}T00:00:00Z`, start_time: `${day}T00:00:00Z` }
    const priced = { input_tokens: 3, output_tokens: 4, total_tokens: 7, cost_nanousd: 1000, cost_status: "priced" }
    yield* store.insert([
      run({ event_id: id, run_id: id, status, ...at }),
      call(`${id}-1`, { parent_run_id: id, output_summary: LARGE, ...at }, priced, { call_id: "one", extra: LARGE }),
      call(`${id}-2`, { parent_run_id: id, ...at }, priced),
    ])
    yield* store.apply([chained(`${id}-v1`, id, "1"), chained(`${id}-v2`, id, "2")], { run_id: id, backlog: 0 })
  })

const ids = (store: RunStoreService) =>
  Effect.map(store.list({}, {}), (rows) => rows.map((row) => row.event_id).toSorted())

describe("keeping house: retention", () => {
  it.live(
    "a run goes whole with all that is known of it, its neighbours stay, and the sums are those of what is left",
    () =>
      inFolder((folder) =>
        using(nodePath.join(folder, "s.sqlite"), (store) =>
          Effect.gen(function* () {
            yield* launch(store, "old", "2024-01-01")
            yield* launch(store, "going", "2024-01-02", "running")
            yield* launch(store, "new", "2025-06-01")
            yield* store.insert([
              call("late", { parent_run_id: "older", created_at: "2025-06-01T00:00:00Z" }),
              run({ event_id: "older", run_id: "older", status: "success", created_at: "2024-01-01T00:00:00Z" }),
            ])
            const goal: PruneGoal = { kind: "age", before: "2025-01-01T00:00:00.000Z" }
            const quiet = yield* prune(store, goal, { quietSince: "2020-01-01T00:00:00.000Z" })
            expect(quiet.pruned).toEqual(NOTHING)
            const dry = yield* prune(store, goal, { dryRun: true })
            expect(dry.pruned).toMatchObject({ runs: 1, rows: 3, calls: 2, events: 2, cost_nanousd: 2000 })
            expect(yield* store.count({})).toBe(11)
            const { pruned } = yield* prune(store, goal)
            expect(pruned).toEqual(dry.pruned)
            expect(yield* ids(store)).toEqual(
              ["going", "going-1", "going-2", "late", "new", "new-1", "new-2", "older"].toSorted(),
            )
            expect(yield* store.logHead("old")).toEqual(Option.none())
            expect(Option.isSome(yield* store.logHead("new"))).toBe(true)
            const [sums] = yield* store.stats("model", { model: "m" })
            expect(sums).toMatchObject({ calls: 5, cost_nanousd: 4000 })
          }),
        ),
      ),
  )

  it.live(
    "to a size: texts and events of the oldest go first and every figure stays; then whole runs; the file really shrinks",
    () =>
      inFolder((folder) =>
        Effect.gen(function* () {
          const path = nodePath.join(folder, "s.sqlite")
          yield* using(path, (store) =>
            Effect.gen(function* () {
              for (let n = 0; n < 60; n++)
                yield* launch(store, `r${n}`, `2024-${String(1 + (n % 12)).padStart(2, "0")}-01`)
              const before = yield* store.keeping.condition
              expect(before.size.can_shrink).toBe(true)
              const [sums] = yield* store.stats("model", {})
              const some = yield* prune(store, { kind: "size", to_bytes: Math.round(before.size.used_bytes * 0.96) })
              expect(some.pruned).toMatchObject({ runs: 0, rows: 0 })
              expect(some.pruned.emptied_runs).toBeGreaterThan(0)
              expect(some.size.used_bytes).toBeLessThanOrEqual(before.size.used_bytes * 0.96)
              expect((yield* store.stats("model", {}))[0]).toEqual(sums)
              const emptied = yield* store.get("r0-1")
              expect(Option.getOrThrow(emptied)).toMatchObject({
                output_summary: null,
                context_json: { call_id: "one", model: "m", bodies_pruned: true },
                metrics_json: { cost_nanousd: 1000 },
              })
              const target = Math.round(before.size.used_bytes * 0.7)
              const more = yield* prune(store, { kind: "size", to_bytes: target })
              expect(more.pruned.runs).toBeGreaterThan(0)
              expect(more.size.used_bytes).toBeLessThanOrEqual(target)
              expect(more.size.free_bytes).toBe(0)
              expect(yield* store.count({ run_id: "r0" })).toBe(0)
              expect(yield* store.count({ run_id: "r59" })).toBe(1)
              expect(nodeFs.statSync(path).size).toBeLessThanOrEqual(target)
            }),
          )
        }),
      ),
  )

  it.live("a database of an older version says that it keeps its size, until it is written anew", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = nodePath.join(folder, "s.sqlite")
        yield* using(path, () => Effect.void)
        yield* executed(path, "PRAGMA auto_vacuum = NONE", "VACUUM")
        yield* using(path, (store) =>
          Effect.gen(function* () {
            for (let n = 0; n < 40; n++) yield* launch(store, `r${n}`, "2024-01-01")
            const { size } = yield* prune(store, { kind: "age", before: LATER })
            expect(size).toMatchObject({ can_shrink: false })
            expect(size.free_bytes).toBeGreaterThan(100_000)
            yield* store.keeping.vacuum
            const after = yield* store.keeping.condition
            expect(after.size).toMatchObject({ can_shrink: true, free_bytes: 0 })
            expect(after.size.file_bytes).toBeLessThan(size.file_bytes)
          }),
        )
      }),
    ),
  )
})

describe("keeping house: backup", () => {
  it.live("a copy made while rows arrive is one moment of the database, its owner's alone, and serves as it is", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = nodePath.join(folder, "s.sqlite")
        const copy = nodePath.join(folder, "copy.sqlite")
        yield* using(path, (store) =>
          Effect.gen(function* () {
            yield* launch(store, "r", "2024-01-01")
            const writing = yield* Effect.iterate(0, {
              while: () => true,
              body: (n) =>
                Effect.as(store.apply([creating(`a${n}`), creating(`b${n}`, { input_summary: LARGE })], {}), n + 1),
            }).pipe(Effect.fork)
            const made = yield* RunStoreSqlBackup.backup({ from: path, to: copy, force: false })
            yield* Fiber.interrupt(writing)
            expect(nodeFs.statSync(copy).mode & 0o777).toBe(0o600)
            expect(made.rows % 2).toBe(1)
            expect(
              nodeFs.readdirSync(folder).filter((name) => name.startsWith("copy") || name.startsWith(".")),
            ).toEqual(["copy.sqlite"])
            const again = yield* Effect.flip(RunStoreSqlBackup.backup({ from: path, to: copy, force: false }))
            expect(again.message).toContain("--force")
            const own = yield* Effect.flip(RunStoreSqlBackup.backup({ from: path, to: path, force: true }))
            expect(own.message).toContain("the database itself")
            nodeFs.symlinkSync(folder, nodePath.join(folder, "linked"))
            for (const suffix of ["-wal", "-shm", "-journal", ".lock", ".ballast", ".open", ".server"]) {
              for (const to of [`${path}${suffix}`, nodePath.join(folder, "linked", `s.sqlite${suffix}`)]) {
                const beside = yield* Effect.flip(RunStoreSqlBackup.backup({ from: path, to, force: true }))
                expect(beside.message).toContain("belongs to the database itself")
              }
            }
            expect(yield* using(copy, (restored) => restored.count({}))).toBe(made.rows)
            yield* RunStoreSqlBackup.backup({ from: path, to: copy, force: true })
          }),
        )
      }),
    ),
  )

  it.live("a copy put back into the same file passes for the store that was there, and its readers miss changes", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = nodePath.join(folder, "s.sqlite")
        const copy = nodePath.join(folder, "copy.sqlite")
        const position = using(path, (store) => Effect.zipRight(store.apply([creating("a")], {}), store.position))
        const first = yield* position
        expect(first.store).toMatch(/^[0-9a-f]{8}$/)
        expect((yield* position).store).toBe(first.store)
        yield* RunStoreSqlBackup.backup({ from: path, to: copy, force: false })
        const { ino } = nodeFs.statSync(path)
        nodeFs.copyFileSync(copy, path)
        expect(nodeFs.statSync(path).ino).toBe(ino)
        const restored = yield* position
        expect(restored.store).toMatch(/^[0-9a-f]{8}$/)
        expect(restored.store).not.toBe(first.store)
      }),
    ),
  )

  it.live("what is no database of ours, or not there, is refused and nothing is left", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const other = nodePath.join(folder, "other.sqlite")
        yield* executed(other, "CREATE TABLE x (y)")
        const to = nodePath.join(folder, "copy")
        for (const from of [other, nodePath.join(folder, "none")]) {
          expect((yield* Effect.flip(RunStoreSqlBackup.backup({ from, to, force: false }))).message).toContain("--db")
        }
        expect(nodeFs.readdirSync(folder)).toEqual(["other.sqlite"])
      }),
    ),
  )
})

describe("keeping house: after a crash", () => {
  const checked = (store: RunStoreService) =>
    store.keeping.condition.pipe(
      Effect.filterOrFail(
        ({ quick_check }) => quick_check !== "running",
        () => "not yet" as const,
      ),
      Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.compose(Schedule.recurs(400)))),
    )

  it.live("an unclean stop is noticed and the pages are checked; a clean one leaves no mark", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = nodePath.join(folder, "s.sqlite")
        const first = yield* using(path, (store) => store.keeping.condition, 0)
        expect(first).toMatchObject({ last_stop: "new", quick_check: "not needed" })
        expect((yield* using(path, (store) => store.keeping.condition, 0)).last_stop).toBe("clean")
        nodeFs.writeFileSync(RunStoreSqlHealth.markerOf(path), "")
        const after = yield* using(path, checked, 0)
        expect(after).toMatchObject({ last_stop: "unclean", quick_check: "ok", problems: [] })
        expect(nodeFs.existsSync(RunStoreSqlHealth.markerOf(path))).toBe(false)
      }),
    ),
  )

  it.live("pages that do not hold are told", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const path = nodePath.join(folder, "s.sqlite")
        yield* using(path, (store) =>
          Effect.forEach(
            Array.from({ length: 60 }, (_, n) => n),
            (n) => launch(store, `r${n}`, "2024-01-01"),
          ),
        )
        const fd = nodeFs.openSync(path, "r+")
        nodeFs.writeSync(fd, Buffer.alloc(16_384, 0xa5), 0, 16_384, nodeFs.statSync(path).size - 40_960)
        nodeFs.closeSync(fd)
        nodeFs.writeFileSync(RunStoreSqlHealth.markerOf(path), "")
        const after = yield* using(path, checked, 0)
        expect(after.quick_check).toBe("damaged")
        expect(after.problems.length).toBeGreaterThan(0)
      }),
    ),
  )
})
