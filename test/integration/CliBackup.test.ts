import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as nodePath from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunStore } from "../../services/RunStore.js"
import { ask } from "../support/LiveServer.js"
import * as Runledger from "../support/Runledger.js"
import { run } from "../support/RunStores.js"

beforeAll(Runledger.build)

const PATIENCE = 120_000

/** A database that holds one row of that name. */
const stored = (path: string, event_id: string) =>
  Effect.flatMap(RunStore, ({ insert }) =>
    insert([run({ event_id, run_id: event_id, agent_name: "a", job_type: "job", start_time: "2026-01-01T00:00:00Z" })]),
  ).pipe(Effect.provide(RunStoreSql.layer({ path })))

const rowsOf = (path: string): ReadonlyArray<unknown> => {
  const database = new Sqlite(path, { readonly: true })
  try {
    return database.prepare("SELECT event_id FROM runs").pluck().all()
  } finally {
    database.close()
  }
}

/** Another server, which gives one answer to everything. */
const answering = (body: string) =>
  Effect.acquireRelease(
    Effect.async<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((_, response) => response.setHeader("content-type", "application/json").end(body))
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, close }))
      })
    }),
    ({ close }) => Effect.sync(close),
  ).pipe(Effect.map(({ url }) => url))

/** A folder with a database where one is by default, and another one that a server has. */
const place = Effect.gen(function* () {
  const { cwd } = yield* Runledger.workplace
  const usual = nodePath.join(cwd, ".runledger", "telemetry.sqlite")
  const served = nodePath.join(cwd, "served.sqlite")
  yield* stored(usual, "of the folder")
  yield* stored(served, "of the server")
  const server = yield* Runledger.listening(["serve", "--port", "0", "--db", served], { cwd })
  yield* server.says(/Ctrl-C/)
  const backup = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>> = {}) =>
    Runledger.run(["backup", ...args], { cwd, env: { TELEMETRY_API_URL: server.url, ...env } })
  return { cwd, usual, served, server, backup }
})

describe("which database is backed up", () => {
  it.scopedLive(
    "is another one than that of the server that answers",
    () =>
      Effect.gen(function* () {
        const { cwd, usual, served, server, backup } = yield* place
        const copied = yield* backup(["server.sqlite"])
        expect(copied).toMatchObject({ code: 0, stderr: "" })
        expect(copied.stdout).toContain(served)
        expect(rowsOf(nodePath.join(cwd, "server.sqlite"))).toEqual(["of the server"])

        const named = yield* backup(["named.sqlite", "--db", usual])
        expect(named.code).toBe(0)
        expect(rowsOf(nodePath.join(cwd, "named.sqlite"))).toEqual(["of the folder"])

        const torn = yield* backup(["torn.sqlite"], { TELEMETRY_DB_PATH: usual })
        expect(torn).toMatchObject({ code: 1, stdout: "" })
        expect(torn.stderr).toContain(`--db ${usual}`)
        expect(torn.stderr).toContain(`--db ${served}`)

        yield* server.signal("SIGTERM")
        yield* server.ended
        const away = yield* backup(["away.sqlite"])
        expect(away).toMatchObject({ code: 1, stdout: "" })
        expect(away.stderr).toContain("--db")
        const settled = yield* backup(["settled.sqlite"], { TELEMETRY_DB_PATH: served })
        expect(settled.code).toBe(0)
        expect(rowsOf(nodePath.join(cwd, "settled.sqlite"))).toEqual(["of the server"])
      }).pipe(Effect.provide(NodeContext.layer)),
    PATIENCE,
  )

  it.scopedLive(
    "is a file of this machine that only has the name of the one that a server elsewhere serves",
    () =>
      Effect.gen(function* () {
        const { served, backup, server } = yield* place
        const elsewhere = yield* answering(JSON.stringify((yield* ask(`${server.url}/health`)).json))
        const refused = yield* backup(["copy.sqlite"], { TELEMETRY_API_URL: elsewhere })
        expect(refused).toMatchObject({ code: 1, stdout: "" })
        expect(refused.stderr).toContain(`The server at ${elsewhere} serves ${served}`)
        expect(refused.stderr).toContain("--db")
      }).pipe(Effect.provide(NodeContext.layer)),
    PATIENCE,
  )
})
