import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunStore } from "../../services/RunStore.js"
import { ask, send } from "../support/LiveServer.js"
import * as Runledger from "../support/Runledger.js"
import { run } from "../support/RunStores.js"

beforeAll(Runledger.build)

const RUNLEDGER = `"${process.execPath}" "${nodePath.join(Runledger.root, "dist", "bin", "runledger.js")}"`
/** 200,000 rows are written and read twice: minutes where others work, too. */
const PATIENCE = 300_000
const BODY = "x".repeat(900)

const rowsFrom = (first: number, count: number, fields: Readonly<Record<string, unknown>> = {}) =>
  Array.from({ length: count }, (_, n) => ({
    event_id: `e${first + n}`,
    run_id: `r${first + n}`,
    agent_name: "a",
    job_type: "job",
    start_time: "2026-01-01T00:00:00Z",
    status: "success",
    input_summary: BODY,
    ...fields,
  }))

const idsIn = (text: string): ReadonlyArray<string> =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line).event_id)

/** A server of a database of its own, with so many rows. */
const served = (count: number) =>
  Effect.gen(function* () {
    const { cwd, path } = yield* Runledger.workplace
    const server = yield* Runledger.listening(["serve", "--port", "0", "--db", "s.sqlite"], { cwd })
    yield* server.says(/Ctrl-C/)
    for (let first = 0; first < count; first += 1000) {
      const written = yield* send(
        "POST",
        `${server.url}/api/v1/runs/batch`,
        rowsFrom(first, Math.min(1000, count - first)),
      )
      expect(written.json.inserted).toBe(Math.min(1000, count - first))
    }
    return { cwd, path, server, options: { cwd, env: { TELEMETRY_API_URL: server.url } } }
  })

/** A database that nobody serves, with so many rows. */
const stored = (path: string, count: number) =>
  Effect.flatMap(RunStore, ({ insert }) => insert(rowsFrom(0, count).map(run))).pipe(
    Effect.provide(RunStoreSql.layer({ path })),
  )

describe("runledger export", () => {
  it.scopedLive("loses rows on a pipe, to a slow reader, or beside a reader that has seen enough", () =>
    Effect.gen(function* () {
      const rows = 2000
      const { options, path, server } = yield* served(rows)
      const counted = yield* Runledger.bash(`${RUNLEDGER} export | wc -l`, options)
      expect([counted.stderr, counted.stdout.trim()]).toEqual(["", String(rows)])
      const slow = `n=0; while IFS= read -r line; do n=$((n+1)); done; echo $n`
      const read = yield* Runledger.bash(`${RUNLEDGER} export | { ${slow}; }`, options)
      expect([read.stderr, read.stdout.trim()]).toEqual(["", String(rows)])
      const csv = yield* Runledger.bash(`${RUNLEDGER} export --format csv | wc -l`, options)
      expect(csv.stdout.trim()).toBe(String(rows + 1))
      const head = yield* Runledger.bash(`${RUNLEDGER} export | head -1; echo "$\{PIPESTATUS[0]}"`, options)
      const [first = "", code] = head.stdout.trimEnd().split("\n")
      expect([head.stderr, JSON.parse(first).event_id, code]).toEqual(["", `e${rows - 1}`, "0"])
      const none = yield* Runledger.run(["export", "--job-type", "nothing"], options)
      expect([none.code, none.stdout, none.stderr]).toEqual([0, "", ""])
      const file = yield* Runledger.run(["export", "-o", "all.ndjson"], options)
      expect([file.code, file.stdout]).toEqual([0, ""])
      expect(new Set(idsIn(fs.readFileSync(path("all.ndjson"), "utf8"))).size).toBe(rows)
      yield* server.signal("SIGTERM")
      yield* server.ended
      const closed = yield* Runledger.bash(`${RUNLEDGER} export --db s.sqlite | { ${slow}; }`, options)
      expect([closed.stderr, closed.stdout.trim()]).toEqual(["", String(rows)])
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("misses a row that was there, or gives one twice, while rows arrive and change", () =>
    Effect.gen(function* () {
      const rows = 3000
      const { options, server } = yield* served(rows)
      const write = (n: number) =>
        Effect.gen(function* () {
          yield* send("POST", `${server.url}/api/v1/runs/batch`, rowsFrom(rows + n * 20, 20))
          yield* send("PATCH", `${server.url}/api/v1/runs/e${(n * 37) % rows}`, { output_summary: `changed ${n}` })
          return n + 1
        })
      yield* Effect.fork(Effect.iterate(0, { while: () => true, body: write }))
      const { code, stdout } = yield* Runledger.run(["export"], options)
      expect(code).toBe(0)
      const ids = idsIn(stdout)
      expect(new Set(ids).size).toBe(ids.length)
      const found = new Set(ids)
      expect(rowsFrom(0, rows).filter(({ event_id }) => !found.has(event_id))).toEqual([])
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "grows with the number of rows",
    () =>
      Effect.gen(function* () {
        const { cwd, path } = yield* Runledger.workplace
        const file = path("large.sqlite")
        yield* stored(file, 1000)
        const database = new Sqlite(file)
        const columns = database
          .prepare<[], { readonly name: string }>("SELECT name FROM pragma_table_info('runs')")
          .all()
          .map(({ name }) => name)
          .filter((name) => name !== "id" && name !== "event_id")
        database.exec(`INSERT INTO runs (event_id, ${columns.join(", ")})
        WITH RECURSIVE copies (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < 199)
        SELECT event_id || '-' || n, ${columns.join(", ")} FROM runs, copies`)
        database.close()
        const bounded = `"${process.execPath}" --max-old-space-size=96 ${RUNLEDGER.slice(RUNLEDGER.indexOf(" ") + 1)}`
        const lines = yield* Runledger.bash(`${bounded} export --db large.sqlite | wc -l`, { cwd })
        expect([lines.stderr, lines.stdout.trim()]).toEqual(["", "200000"])
        const parquet = yield* Runledger.bash(`${bounded} export --db large.sqlite --format parquet | tail -c 4`, {
          cwd,
        })
        expect([parquet.stderr, parquet.stdout]).toEqual(["", "PAR1"])
      }).pipe(Effect.provide(NodeContext.layer)),
    PATIENCE,
  )
})

describe("runledger prune", () => {
  it.scopedLive(
    "--vacuum works beside a server, gives no room back, or the doctor does not tell of what it would mend",
    () =>
      Effect.gen(function* () {
        const { cwd, path } = yield* Runledger.workplace
        const env = { TELEMETRY_DB_PATH: path("s.sqlite") }
        yield* stored(path("s.sqlite"), 2000)
        const database = new Sqlite(path("s.sqlite"))
        database.pragma("auto_vacuum = NONE")
        database.exec("VACUUM")
        database.close()
        const checked = Effect.map(Runledger.run(["doctor", "--json"], { cwd, env }), ({ stdout, code }) => {
          const found: ReadonlyArray<{ readonly check: string }> = JSON.parse(stdout)
          return { code, found: found.find(({ check }) => check === "database") }
        })
        expect(yield* checked).toMatchObject({
          code: 0,
          found: { result: "warn", mend: expect.stringContaining("--vacuum") },
        })
        const server = yield* Runledger.listening(["serve", "--port", "0"], { cwd, env })
        const used = { ...env, TELEMETRY_API_URL: server.url }
        const refused = yield* Runledger.run(["prune", "--vacuum"], { cwd, env: used })
        expect([refused.code, refused.stderr.includes("in use by the server")]).toEqual([1, true])
        yield* server.signal("SIGTERM")
        yield* server.ended
        const size = fs.statSync(path("s.sqlite")).size
        const pruned = yield* Runledger.run(["prune", "--older-than", "1 min", "--json"], { cwd, env })
        expect(JSON.parse(pruned.stdout)).toMatchObject({ pruned: { rows: 0 }, size: { can_shrink: false } })
        const away = new Sqlite(path("s.sqlite"))
        away.exec("UPDATE runs SET input_summary = NULL")
        away.close()
        const done = yield* Runledger.run(["prune", "--vacuum"], { cwd, env })
        expect([done.code, done.stderr]).toEqual([0, ""])
        expect(fs.statSync(path("s.sqlite")).size).toBeLessThan(size)
        expect(yield* checked).toMatchObject({ code: 0, found: { result: "ok" } })
        const wrong = new Sqlite(path("s.sqlite"))
        wrong.exec("UPDATE rollups SET rows = rows + 1 WHERE span = 'day'")
        wrong.close()
        expect(yield* checked).toMatchObject({
          code: 3,
          found: { result: "fail", detail: expect.stringContaining("the roll-ups count 2001 rows, the rows 2000") },
        })
      }).pipe(Effect.provide(NodeContext.layer)),
  )
})

describe("runledger serve", () => {
  it.scopedLive(
    "does not notice that it was killed, does not say that it is whole again, or leaves its mark behind",
    () =>
      Effect.gen(function* () {
        const { cwd, path } = yield* Runledger.workplace
        const start = Runledger.listening(["serve", "--port", "0", "--db", "s.sqlite"], { cwd })
        const first = yield* start
        expect((yield* ask(`${first.url}/health`)).json.integrity).toBe("ok")
        yield* send("POST", `${first.url}/api/v1/runs/batch`, rowsFrom(0, 10))
        yield* first.signal("SIGKILL")
        yield* first.ended
        expect(fs.existsSync(path("s.sqlite.open"))).toBe(true)
        const second = yield* start
        yield* second.says(/was not closed cleanly before: its pages are checked meanwhile/)
        yield* ask(`${second.url}/health`).pipe(
          Effect.filterOrFail(({ json }) => json.integrity === "ok"),
          Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.compose(Schedule.recurs(400)))),
        )
        expect((yield* ask(`${second.url}/metrics`)).json.performance.integrity).toBe("ok")
        expect((yield* ask(`${second.url}/api/v1/maintenance`)).json).toMatchObject({
          last_stop: "unclean",
          quick_check: "ok",
        })
        yield* second.signal("SIGTERM")
        expect((yield* second.ended).code).toBe(130)
        expect(fs.readdirSync(cwd).filter((name) => /\.(?:open|server)$|-(?:wal|shm)$/.test(name))).toEqual([])
      }).pipe(Effect.provide(NodeContext.layer)),
  )
})
