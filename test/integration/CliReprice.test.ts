import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import * as Connection from "../../layers/RunStoreSqlConnection.js"
import { RunStore } from "../../services/RunStore.js"
import * as DeadRuns from "../support/DeadRuns.js"
import * as EventSamples from "../support/EventSamples.js"
import { ask, send } from "../support/LiveServer.js"
import * as Runledger from "../support/Runledger.js"
import { call } from "../support/RunStores.js"
import { kept, scanned } from "../support/StoreSums.js"
import * as TamperedLog from "../support/TamperedLog.js"

beforeAll(Runledger.build)

const UNTOLD = {
  input_tokens: 1000,
  output_tokens: 100,
  api_cost_usd: null,
  cost_nanousd: null,
  cost_status: "unpriced",
}
const MYSTERY = { model: "mystery-1", provider: "acme" }
const PRICES = "prices:\n  - { model: mystery-1, provider: acme, input: 2, output: 10 }\n"

const cli = (args: ReadonlyArray<string>, options: Runledger.Options) =>
  Effect.flatMap(Runledger.run([...args, "--json"], options), (ended) =>
    Effect.map(ended.code === 0 ? Runledger.json(ended.stdout) : Effect.succeed(undefined), (document) => ({
      ...ended,
      document,
    })),
  )

/** Every row to the letter, but for the numbers of changes. */
const rowsOf = (file: string) => {
  const database = new Sqlite(file, { readonly: true })
  const columns = database
    .prepare<[], { readonly name: string }>("SELECT name FROM pragma_table_info('runs') WHERE name <> 'revision'")
    .all()
    .map(({ name }) => name)
  const rows = database.prepare(`SELECT ${columns.join(", ")} FROM runs ORDER BY id`).all()
  database.close()
  return JSON.stringify(rows)
}

const sumsAgree = (file: string) =>
  Effect.gen(function* () {
    const sql = yield* Connection.make(file)
    expect(yield* kept(sql)).toEqual(yield* scanned(sql))
  }).pipe(Effect.scoped, Effect.withTracerEnabled(false), Effect.provide(Reactivity.layer))

describe("runledger reprice", () => {
  it.scopedLive("changes a database without --yes, beside its sums, or cannot give back what calls cost before", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const file = path(".runledger", "telemetry.sqlite")
      yield* Effect.flatMap(RunStore, ({ insert }) =>
        insert([
          call("a", {}, UNTOLD, MYSTERY),
          call("b", {}, UNTOLD, MYSTERY),
          call("c", {}, { ...UNTOLD, cost_nanousd: 7, cost_status: "priced" }, MYSTERY),
          call("d", {}, { ...UNTOLD, cost_status: "simulated" }, MYSTERY),
          call("e", {}, UNTOLD, { model: "unheard-of", provider: "acme" }),
        ]),
      ).pipe(Effect.provide(RunStoreSql.layer({ path: file })))
      fs.writeFileSync(path(".runledger", "prices.yaml"), PRICES)
      const before = rowsOf(file)
      const options = { cwd }
      const dry = yield* cli(["reprice"], options)
      expect(dry.document).toMatchObject({
        dry_run: true,
        repricing_id: null,
        repriced: { calls: 2, newly_priced: 2, old_cost_nanousd: 0, new_cost_nanousd: 6_000_000, still_unpriced: 1 },
      })
      expect(rowsOf(file)).toBe(before)
      const words = yield* Runledger.run(["reprice"], options)
      expect(words.stdout).toMatch(/2 calls would cost \$0\.006000, before: unpriced; 1 stays unpriced/)
      expect(words.stdout).toContain("--yes")
      const done = yield* cli(["reprice", "--yes"], options)
      expect(done.document).toMatchObject({
        dry_run: false,
        repricing_id: 1,
        repriced: { calls: 2, newly_priced: 2, new_cost_nanousd: 6_000_000, still_unpriced: 1 },
      })
      yield* sumsAgree(file)
      const once = rowsOf(file)
      expect((yield* cli(["reprice", "--yes"], options)).document).toMatchObject({ repriced: { calls: 0 } })
      expect(rowsOf(file)).toBe(once)
      const all = yield* cli(["reprice", "--all", "--yes", "--model", "mystery-1", "--to", "2026-01-01"], options)
      expect(all.document).toMatchObject({
        repricing_id: 2,
        repriced: { calls: 1, newly_priced: 0, old_cost_nanousd: 7, new_cost_nanousd: 3_000_000 },
      })
      yield* sumsAgree(file)
      expect((yield* cli(["reprice", "--history"], options)).document).toMatchObject([
        { id: 2, calls: 1, price_tables: expect.stringContaining("user (1 prices") },
        { id: 1, calls: 2, undone_calls: 0 },
      ])
      expect((yield* cli(["reprice", "--show", "2"], options)).document).toMatchObject([
        { event_id: "c", before: { cost_nanousd: 7 }, after: { cost_nanousd: 3_000_000 } },
      ])
      expect((yield* cli(["reprice", "--undo", "2"], options)).document).toMatchObject({ dry_run: true, restored: 1 })
      for (const id of ["2", "1"]) {
        expect((yield* cli(["reprice", "--undo", id, "--yes"], options)).code).toBe(0)
      }
      expect(rowsOf(file)).toBe(before)
      yield* sumsAgree(file)
      for (const args of [
        ["--undo", "9"],
        ["--undo", "1", "--history"],
        ["--from", "yesterday"],
        ["--db", "none"],
      ]) {
        expect((yield* Runledger.run(["reprice", ...args], options)).code, args.join(" ")).toBe(1)
      }
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("a server prices by a file that is gone, or not at all what comes after the file changed", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const server = yield* Runledger.listening(["serve", "--port", "0"], { cwd })
      yield* server.says(/Ctrl-C/)
      const options = { cwd, env: { TELEMETRY_API_URL: server.url } }
      const { cost_status: _, ...tokens } = UNTOLD
      const post = (id: string) =>
        send("POST", `${server.url}/api/v1/runs`, {
          ...call(id, {}, null),
          metrics_json: tokens,
          context_json: MYSTERY,
        })
      const statusOf = (id: string) =>
        Effect.map(ask(`${server.url}/api/v1/runs/${id}`), ({ json }) => json.metrics_json.cost_status)
      yield* post("first")
      expect(yield* statusOf("first")).toBe("unpriced")
      fs.writeFileSync(path("mine.yaml"), PRICES)
      expect((yield* cli(["prices", "update", "mine.yaml", "--yes"], options)).code).toBe(0)
      expect((yield* cli(["reprice", "--yes"], options)).document).toMatchObject({
        database: path(".runledger", "telemetry.sqlite"),
        repriced: { calls: 1, new_cost_nanousd: 3_000_000 },
      })
      yield* post("second")
      expect([yield* statusOf("first"), yield* statusOf("second")]).toEqual(["priced", "priced"])
      const unpriced = yield* cli(["calls", "--unpriced"], options)
      expect(unpriced.document).toEqual([])
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("a log that is delivered from its start again undoes it, or verify says nothing of it", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const server = yield* Runledger.listening(["serve", "--port", "0", "--db", "s.sqlite"], { cwd })
      yield* server.says(/Ctrl-C/)
      const options = { cwd, env: { TELEMETRY_API_URL: server.url } }
      const events = [
        EventSamples.runCreated(),
        ...[1, 2].flatMap((n) => [EventSamples.callStarted(n), EventSamples.callFinished(n)]),
        EventSamples.inSpan(EventSamples.completed),
      ]
      const log = yield* TamperedLog.write(path("runs"), events, "run-001", false)
      fs.writeFileSync(nodePath.join(log.directory, "telemetry.cursor"), DeadRuns.AT_START)
      const written = fs.readFileSync(log.file, "utf8")
      expect((yield* Runledger.run(["ship"], options)).code).toBe(0)
      const listed = () => Effect.map(ask(`${server.url}/api/v1/runs`), ({ text }) => text)
      expect(yield* listed()).toContain('"cost_status":"unpriced"')
      expect((yield* cli(["verify", log.directory], options)).document).toMatchObject({ repriced_calls: 0 })
      const done = yield* cli(["reprice", "--yes", "--run", "run-001"], options)
      expect(done.document).toMatchObject({ repriced: { calls: 2, new_cost_nanousd: 66_000, still_unpriced: 0 } })
      const after = yield* listed()
      const again = yield* Runledger.run(["ship", "--from-start"], options)
      expect([again.code, again.stdout]).toEqual([0, expect.stringContaining("6 events delivered")])
      expect(yield* listed()).toBe(after)
      expect(fs.readFileSync(log.file, "utf8")).toBe(written)
      expect((yield* cli(["verify", log.directory], options)).document).toMatchObject({
        intact: true,
        repriced_calls: 2,
      })
      const words = yield* Runledger.run(["verify", log.directory], options)
      expect(words.stdout).toContain("2 calls were repriced on the server since")
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
