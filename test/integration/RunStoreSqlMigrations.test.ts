import * as Reactivity from "@effect/experimental/Reactivity"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import type * as SqlClient from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Connection from "../../layers/RunStoreSqlConnection.js"
import { LATEST, migrate } from "../../layers/RunStoreSqlMigrations.js"
import { kept, scanned } from "../support/StoreSums.js"

const filled = (sql: SqlClient.SqlClient, version: number) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const at = new URL(`../support/fixtures/store-${version}.sql`, import.meta.url).pathname
    const script = yield* fs.readFileString(at)
    const statements = script.split(/;\n/).filter((text) => text.trim() !== "")
    yield* Effect.forEach(statements, (text) => sql.unsafe(text), { discard: true })
  })

const shape = (sql: SqlClient.SqlClient) =>
  sql.unsafe(
    "SELECT name, group_concat(column_name, ', ') AS columns FROM (SELECT m.name, p.name AS column_name FROM sqlite_master AS m, pragma_table_info(m.name) AS p WHERE m.type = 'table' ORDER BY m.name, p.name) GROUP BY name",
  )

const indexes = (sql: SqlClient.SqlClient) =>
  sql.unsafe("SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name")

const memory = Connection.make(":memory:")
const forward = migrate

describe("RunStoreSql, brought forward", () => {
  for (let version = 1; version < LATEST; version += 1) {
    it.scoped(`from version ${version} it has the same rows, the sums of a scan, and the tables of a new one`, () =>
      Effect.gen(function* () {
        const old = yield* memory
        yield* filled(old, version)
        const columns = (yield* old.unsafe<{ readonly name: string }>("SELECT name FROM pragma_table_info('runs')"))
          .map(({ name }) => name)
          .join(", ")
        const rows = () => old.unsafe(`SELECT ${columns} FROM runs ORDER BY id`)
        const before = yield* rows()
        expect(before.length).toBeGreaterThan(1)
        yield* forward(old)
        expect(yield* rows()).toEqual(before)
        const sums = yield* kept(old)
        expect(sums).toEqual(yield* scanned(old))
        expect(sums.rollups.length).toBeGreaterThan(0)
        const [revised] = yield* old.unsafe<{
          readonly last: number
          readonly newest: number
          readonly different: number
        }>(
          "SELECT last, (SELECT max(revision) FROM runs) AS newest, (SELECT count(DISTINCT revision) FROM runs) AS different FROM revisions",
        )
        expect(revised).toEqual({ last: revised?.newest, newest: revised?.newest, different: before.length })
        const fresh = yield* memory
        yield* forward(fresh)
        expect(yield* shape(old)).toEqual(yield* shape(fresh))
        expect(yield* indexes(old)).toEqual(yield* indexes(fresh))
        yield* forward(old)
        expect(yield* rows()).toEqual(before)
      }).pipe(Effect.withTracerEnabled(false), Effect.provide([Reactivity.layer, NodeContext.layer])),
    )
  }

  it.scoped("marks the calls that others ran inside of, by span and by run, and no other row", () =>
    Effect.gen(function* () {
      const old = yield* memory
      yield* filled(old, 2)
      yield* forward(old)
      expect((yield* kept(old)).bare).toEqual([{ event_id: "e-3" }, { event_id: "e-5" }])
    }).pipe(Effect.withTracerEnabled(false), Effect.provide([Reactivity.layer, NodeContext.layer])),
  )
})
