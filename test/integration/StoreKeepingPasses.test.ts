import * as nodeFs from "node:fs"
import * as nodePath from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import * as RunStoreSqlHealth from "../../layers/RunStoreSqlHealth.js"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import { add, NOTHING, type PruneGoal, type PrunePlace } from "../../src/domain/Pruning.js"
import { event, run } from "../support/RunStores.js"
import { kept, scanned } from "../support/StoreSums.js"

const LATER = "9999-01-01T00:00:00.000Z"
const LARGE = "x".repeat(60_000)

const inStore = <A, E>(use: (store: RunStoreService, path: string) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = nodePath.join(yield* fs.makeTempDirectoryScoped({ prefix: "runledger-passes-" }), "s.sqlite")
    return yield* Effect.flatMap(RunStore, (store) => use(store, path)).pipe(
      Effect.provide(RunStoreSql.layer({ path })),
    )
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const inDatabase = <A, E>(path: string, use: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>) =>
  Effect.flatMap(SqlClient.SqlClient, use).pipe(
    Effect.provide(SqliteClient.layer({ filename: path, disableWAL: true })),
  )

/** A whole pruning, and how many runs it emptied or removed. */
const prune = (store: RunStoreService, goal: PruneGoal, dryRun = false, quietSince = LATER) =>
  Effect.gen(function* () {
    let pruned = NOTHING
    let place: PrunePlace | null | undefined
    do {
      const step = yield* store.keeping.prune({ goal, dryRun, quietSince, place: place ?? undefined })
      pruned = add(pruned, step.pruned)
      place = step.next
    } while (place !== null)
    return pruned
  })

/** Only texts and events go: as much as is in use, but for so many bytes. */
const sparing = (store: RunStoreService, bytes: number) =>
  Effect.map(
    store.keeping.condition,
    ({ size }): PruneGoal => ({ kind: "size", to_bytes: Math.max(1, size.used_bytes - bytes) }),
  )

const one = (id: string, minute: number, fields: Readonly<Record<string, unknown>> = {}) =>
  run({
    event_id: id,
    run_id: id,
    status: "success",
    created_at: `2999-01-01T00:${String(minute).padStart(2, "0")}:00Z`,
    input_summary: LARGE,
    ...fields,
  })

const eventAt = (id: string, runId: string, second: number, digit: string) => {
  const operation = event(id, runId)
  const ts = `2026-01-01T00:00:${String(second).padStart(2, "0")}.000Z`
  const hashes = { prev_hash: "0".repeat(64), event_hash: digit.repeat(64) }
  return { ...operation, event: { ...operation.event, ts, ...hashes } }
}

const emptiedOf = (store: RunStoreService) =>
  Effect.map(store.list({}, {}), (rows) =>
    rows
      .filter((row) => row.input_summary === null)
      .map((row) => row.event_id)
      .toSorted(),
  )

/** The smallest step: one run's texts are enough. */
const LEAST = 1

describe("keeping house: emptying old runs", () => {
  it.live("begins with the oldest run again at every turn, or forgets one that grew or was not quiet meanwhile", () =>
    inStore((store, path) =>
      Effect.gen(function* () {
        yield* store.insert([
          one("a", 0),
          one("b", 1),
          one("going", 2, { status: "running" }),
          one("c", 3),
          one("d", 4),
        ])
        const some: PruneGoal = yield* sparing(store, LEAST)
        expect((yield* prune(store, some)).emptied_runs).toBe(1)
        expect(yield* emptiedOf(store)).toEqual(["a"])
        const place = inDatabase(path, (sql) => sql`SELECT created_at, row_id FROM emptied`)
        expect(yield* place).toEqual([{ created_at: "2999-01-01T00:01:00.000Z", row_id: 1 }])
        yield* store.insert([one("a2", 5, { parent_run_id: "a" })])
        const all: PruneGoal = { kind: "size", to_bytes: 1 }
        const first = yield* store.keeping.prune({ goal: all, dryRun: true, quietSince: LATER })
        expect(first.pruned.emptied_runs).toBe(4)
        const really = yield* store.keeping.prune({ goal: all, dryRun: false, quietSince: LATER })
        expect(really.pruned.emptied_runs).toBe(4)
        expect(yield* emptiedOf(store)).toEqual(["a", "a2", "b", "c", "d"])
        yield* store.update("going", { status: "success" })
        const again = yield* store.keeping.prune({ goal: all, dryRun: false, quietSince: LATER })
        expect(again.pruned.emptied_runs).toBe(1)
        expect(yield* emptiedOf(store)).toEqual(["a", "a2", "b", "c", "d", "going"])
      }),
    ),
  )

  it.live("events that are sent again after they were let go count twice, or newer ones do not count", () =>
    inStore((store) =>
      Effect.gen(function* () {
        yield* store.insert([one("r", 0)])
        const sent = [eventAt("v1", "r", 1, "1"), eventAt("v2", "r", 2, "2")]
        yield* store.apply(sent, { run_id: "r" })
        const head = store.logHead("r")
        expect(yield* head).toEqual(Option.some({ hash: "2".repeat(64), events: 2 }))
        expect(yield* prune(store, yield* sparing(store, LEAST))).toMatchObject({ emptied_runs: 1, events: 2 })
        expect(yield* head).toEqual(Option.some({ hash: "2".repeat(64), events: 2 }))
        expect((yield* store.apply(sent.slice(0, 1), { run_id: "r" })).map(({ status }) => status)).toEqual(["stored"])
        expect(yield* head).toEqual(Option.some({ hash: "2".repeat(64), events: 2 }))
        yield* store.apply([...sent, eventAt("v3", "r", 3, "3")], { run_id: "r" })
        expect(yield* head).toEqual(Option.some({ hash: "3".repeat(64), events: 3 }))
        const page = Option.getOrThrow(yield* store.events("r", { limit: 10 }))
        expect(page.events.map(({ eventId }) => eventId)).toEqual(["v1", "v2", "v3"])
      }),
    ),
  )

  it.live(
    "a run of thousands of rows, many of one run or one of many, goes in part, or counts what it did not hold",
    () =>
      inStore((store, path) =>
        Effect.gen(function* () {
          const root = one("root", 0, { input_summary: null })
          const numbers = Array.from({ length: 1300 }, (_, n) => n)
          const together = numbers.map((n) =>
            one(`same-${n}`, 1, { run_id: "same", parent_run_id: "root", input_summary: null }),
          )
          const apart = numbers.map((n) =>
            one(`own-${n}`, 2, { parent_run_id: n % 2 ? "root" : "same", input_summary: null }),
          )
          for (const rows of [[root], together, apart]) yield* store.insert(rows)
          yield* store.insert([one("other", 3)])
          yield* store.apply(
            Array.from({ length: 2100 }, (_, n) => eventAt(`v${n}`, "root", 1, "1")),
            {},
          )
          const goal: PruneGoal = { kind: "age", before: "2999-01-01T00:03:00.000Z" }
          const dry = yield* prune(store, goal, true)
          expect(dry).toMatchObject({ runs: 1, rows: 2601, events: 2100 })
          expect(yield* prune(store, goal)).toEqual(dry)
          expect((yield* store.list({}, {})).map((row) => row.event_id)).toEqual(["other"])
          yield* inDatabase(path, (sql) =>
            Effect.gen(function* () {
              expect(yield* sql`SELECT run_id FROM run_logs`).toEqual([])
              expect(yield* kept(sql)).toEqual(yield* scanned(sql))
            }),
          )
        }),
      ),
  )
})

describe("keeping house: the mark of an open database", () => {
  const watched = <A, E>(use: (path: string) => Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      return yield* use(nodePath.join(yield* fs.makeTempDirectoryScoped({ prefix: "runledger-mark-" }), "s.sqlite"))
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

  it.live("goes although closing failed, although nothing was opened, or although the pages do not hold", () =>
    watched((path) =>
      Effect.gen(function* () {
        const isMarked = () => nodeFs.existsSync(RunStoreSqlHealth.markerOf(path))
        const failed = RunStoreSqlHealth.make(path, true)
        yield* Effect.scoped(failed.opened)
        expect([failed.integrity(), isMarked()]).toEqual(["ok", true])
        yield* failed.closed(Exit.die(new Error("busy")))
        expect(isMarked()).toBe(true)
        const unopened = RunStoreSqlHealth.make(path, true)
        expect(unopened.integrity()).toBe("checking")
        yield* unopened.closed(Exit.void)
        expect(isMarked()).toBe(true)
        const stopped = RunStoreSqlHealth.make(path, true)
        yield* Effect.scoped(stopped.opened)
        yield* stopped.closed(Exit.void)
        expect([stopped.integrity(), isMarked()]).toEqual(["checking", true])
        nodeFs.rmSync(RunStoreSqlHealth.markerOf(path))
        const clean = RunStoreSqlHealth.make(path, true)
        yield* Effect.scoped(clean.opened)
        yield* clean.closed(Exit.void)
        expect([clean.integrity(), isMarked()]).toEqual(["ok", false])
      }),
    ),
  )

  it.live("stands while the store is open, and is gone with the log once it has been closed", () =>
    watched((path) =>
      Effect.gen(function* () {
        const marker = RunStoreSqlHealth.markerOf(path)
        yield* Effect.flatMap(RunStore, (store) =>
          Effect.zipRight(
            store.insert([one("r", 0)]),
            Effect.sync(() => expect(nodeFs.existsSync(marker)).toBe(true)),
          ),
        ).pipe(Effect.provide(RunStoreSql.layer({ path, house: { ballastBytes: 0 } })))
        expect([marker, `${path}-wal`].map((file) => nodeFs.existsSync(file))).toEqual([false, false])
      }),
    ),
  )
})
