import * as nodePath from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import * as RunStoreSqlSpace from "../../layers/RunStoreSqlSpace.js"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import type { PruneGoal, PrunePlace } from "../../src/domain/Pruning.js"
import { event, run } from "../support/RunStores.js"

const LATER = "9999-01-01T00:00:00.000Z"

const inFolder = <A, E>(use: (path: string) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return yield* use(nodePath.join(yield* fs.makeTempDirectoryScoped({ prefix: "runledger-meanwhile-" }), "s.sqlite"))
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const inStore = <A, E>(use: (store: RunStoreService, path: string) => Effect.Effect<A, E>) =>
  inFolder((path) =>
    Effect.flatMap(RunStore, (store) => use(store, path)).pipe(Effect.provide(RunStoreSql.layer({ path }))),
  )

const inDatabase = <A, E>(path: string, use: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>) =>
  Effect.flatMap(SqlClient.SqlClient, use).pipe(
    Effect.provide(SqliteClient.layer({ filename: path, disableWAL: true })),
  )

const prune = (store: RunStoreService, goal: PruneGoal, quietSince = LATER) =>
  Effect.gen(function* () {
    let runs = 0
    let place: PrunePlace | null | undefined
    do {
      const step = yield* store.keeping.prune({ goal, dryRun: false, quietSince, place: place ?? undefined })
      runs += step.pruned.runs
      place = step.next
    } while (place !== null)
    return runs
  })

const ALL: PruneGoal = { kind: "age", before: LATER }

/** A run of more rows and events than one transaction takes. */
const large = (store: RunStoreService) =>
  Effect.gen(function* () {
    const numbers = Array.from({ length: 250 }, (_, n) => n)
    yield* store.insert(numbers.map((n) => run({ event_id: `r${n}`, run_id: "r", status: "success" })))
    yield* store.apply(
      numbers.map((n) => event(`v${n}`, "r")),
      { run_id: "r" },
    )
  })

/** What happens in the transaction that removes the first of the events. */
const meanwhile = (path: string, ...statements: ReadonlyArray<string>) =>
  inDatabase(path, (sql) =>
    sql.unsafe(
      `CREATE TRIGGER meanwhile AFTER DELETE ON events WHEN old.event_id = 'v0' BEGIN ${statements.join("; ")}; END`,
    ),
  )

const left = (store: RunStoreService) =>
  Effect.gen(function* () {
    const page = yield* store.events("r", { limit: 500 })
    return {
      rows: (yield* store.list({}, { limit: 500 })).map((row) => row.event_id),
      events: Option.match(page, { onNone: () => [], onSome: ({ events }) => events.map(({ eventId }) => eventId) }),
    }
  })

const NEW_EVENT =
  "INSERT INTO events (event_id, run_id, type, ts, event_json) VALUES ('late', 'r', 'run.note', '2026-01-01T00:00:00.000Z', '{}')"

describe("keeping house: what is written while old runs go", () => {
  it.live("a run that is heard of again while it goes is taken all the same", () =>
    inStore((store, path) =>
      Effect.gen(function* () {
        yield* large(store)
        yield* meanwhile(path, NEW_EVENT, `UPDATE run_logs SET received_at = '${LATER}' WHERE run_id = 'r'`)
        expect(yield* prune(store, ALL)).toBe(0)
        const { rows, events } = yield* left(store)
        expect(rows.length).toBe(250)
        expect(events.length).toBe(51)
        expect(events).toContain("late")
      }),
    ),
  )

  it.live("a row or an event that came after its run was judged is taken with it", () =>
    inStore((store, path) =>
      Effect.gen(function* () {
        yield* large(store)
        yield* meanwhile(path, NEW_EVENT, `UPDATE runs SET received_at = '${LATER}' WHERE event_id = 'r7'`)
        yield* prune(store, ALL)
        expect(yield* left(store)).toEqual({ rows: ["r7"], events: ["late"] })
        expect(Option.isSome(yield* store.logHead("r"))).toBe(true)
      }),
    ),
  )

  it.live("changes that wait for a row that never comes stay for ever where only a size is named", () =>
    inStore((store, path) =>
      Effect.gen(function* () {
        const waiting = (id: string, at: string) =>
          inDatabase(
            path,
            (sql) => sql`INSERT INTO pending_updates (event_id, update_hash, update_json, received_at)
              VALUES (${id}, 'h', '{}', ${at})`,
          )
        yield* waiting("old", "2998-12-31T11:59:59.000Z")
        yield* waiting("young", "2998-12-31T12:00:01.000Z")
        yield* prune(store, { kind: "size", to_bytes: 1 }, "2999-01-01T12:00:00.000Z")
        expect(yield* inDatabase(path, (sql) => sql`SELECT event_id FROM pending_updates`)).toEqual([
          { event_id: "young" },
        ])
      }),
    ),
  )
})

describe("keeping house: the log", () => {
  /** Longer than the test may take: who waits for the reader fails by time. */
  const WAIT_MILLIS = 150_000

  it.live("folding waits for a reader on the one thread that serves, or leaves the writer without its patience", () =>
    inFolder((path) =>
      inDatabase(path, (sql) =>
        Effect.gen(function* () {
          yield* sql`PRAGMA journal_mode = WAL`
          yield* sql.unsafe(`PRAGMA busy_timeout = ${WAIT_MILLIS}`)
          yield* sql`CREATE TABLE x (y)`
          const { fold } = RunStoreSqlSpace.make(sql, path)
          yield* inDatabase(path, (reader) =>
            Effect.gen(function* () {
              yield* reader`BEGIN`
              yield* reader`SELECT * FROM x`
              yield* sql`INSERT INTO x VALUES (1)`
              yield* fold
              yield* reader`COMMIT`
            }),
          )
          expect(yield* sql`PRAGMA busy_timeout`).toEqual([{ timeout: WAIT_MILLIS }])
        }),
      ),
    ),
  )
})
