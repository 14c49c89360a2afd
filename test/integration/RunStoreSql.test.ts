import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import { chained, creating, found, run } from "../support/RunStores.js"

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

  const executed = (filename: string, statement: string) =>
    Effect.flatMap(SqlClient.SqlClient, (client) => client.unsafe(statement)).pipe(
      Effect.provide(SqliteClient.layer({ filename, disableWAL: true })),
    )
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
        yield* executed(file("other.sqlite"), "CREATE TABLE runs (x)")
        const before = yield* fs.readFile(file("other.sqlite"))
        expect((yield* Effect.flip(opened(file("other.sqlite")))).message).toContain("something else")
        expect(yield* fs.readFile(file("other.sqlite"))).toEqual(before)
      }),
    ),
  )

  it.live("is brought forward from the first version's file: nothing is lost, and the old silence ends no row", () =>
    inFolder(({ fs, file }) =>
      Effect.gen(function* () {
        const path = file("first.sqlite")
        const script = yield* fs.readFileString(new URL("../support/fixtures/store-1.sql", import.meta.url).pathname)
        yield* Effect.gen(function* () {
          const client = yield* SqlClient.SqlClient
          for (const statement of script.split(/;\n/).filter((text) => text.trim() !== ""))
            yield* client.unsafe(statement)
        }).pipe(Effect.provide(SqliteClient.layer({ filename: path, disableWAL: true })))
        const before = yield* Clock.currentTimeMillis
        yield* using(path, (store) =>
          Effect.gen(function* () {
            expect(yield* found(store, "e-1")).toMatchObject({
              status: "running",
              repo_url: "https://github.com/acme/widgets",
            })
            expect(yield* found(store, "e-2")).toMatchObject({ status: "success", metrics_json: { input_tokens: 3 } })
            expect(yield* store.logHead("run-001")).toEqual(Option.some({ hash: "2".repeat(64), events: 3 }))
            const page = Option.getOrThrow(yield* store.events("run-001", { limit: 10 }))
            expect(page.events.map(({ eventId }) => eventId)).toEqual(["v-1", "v-2", "v-3"])
            expect((yield* store.metrics(0)).performance).toMatchObject({ pending_updates: 1, client_dropped: 1 })
            expect(yield* store.closeStale({ before: new Date(before - 1).toISOString() })).toBe(0)
            yield* store.apply(
              [chained("v-4", "run-001", "4"), creating("e-9", { run_id: "run-001", parent_run_id: "run-001" })],
              {},
            )
            expect(yield* store.logHead("run-001")).toEqual(Option.some({ hash: "4".repeat(64), events: 4 }))
            expect((yield* found(store, "e-9")).status).toBe("success")
            expect(yield* store.closeStale({ before: "9999-01-01T00:00:00.000Z" })).toBe(1)
          }),
        )
        expect(yield* using(path, (store) => store.count({ status: "timeout" }))).toBe(1)
      }),
    ),
  )

  it.live("is left alone when a newer version made it", () =>
    inFolder(({ file }) =>
      Effect.gen(function* () {
        yield* opened(file("store.sqlite"))
        yield* executed(
          file("store.sqlite"),
          "INSERT INTO runledger_migrations (migration_id, name) VALUES (999, 'later')",
        )
        expect((yield* Effect.flip(opened(file("store.sqlite")))).message).toContain("newer Runledger")
      }),
    ),
  )
})
