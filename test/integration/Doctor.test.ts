import * as fs from "node:fs"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as DeadLetterFile from "../../layers/DeadLetterFile.js"
import type { Event, EventBody } from "../../src/domain/Event.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import { VERSION } from "../../src/domain/Version.js"
import * as EventSamples from "../support/EventSamples.js"
import * as HandledServer from "../support/HandledServer.js"
import * as LiveServer from "../support/LiveServer.js"
import * as Runledger from "../support/Runledger.js"
import * as TamperedLog from "../support/TamperedLog.js"

beforeAll(Runledger.build)

const Findings = Schema.parseJson(
  Schema.Array(
    Schema.Struct({
      check: Schema.String,
      result: Schema.Literal("ok", "warn", "fail"),
      detail: Schema.String,
      mend: Schema.NullOr(Schema.String),
    }),
  ),
)

/** What the doctor finds, by what it looked at. */
const doctor = (cwd: string, env: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const ended = yield* Runledger.run(["doctor", "--json"], { cwd, env })
    const found = yield* Schema.decodeUnknown(Findings)(ended.stdout)
    return { ...ended, found: Object.fromEntries(found.map((finding) => [finding.check, finding])) }
  })

const opened: ReadonlyArray<EventBody> = [
  EventSamples.created,
  {
    type: "LLM_CALL_STARTED",
    payload: {
      call_id: "one",
      model: "claude-sonnet-4-5",
      provider_base_url: null,
      prompt_hash: null,
      temperature: null,
      max_tokens: null,
    },
  },
]
const whole: ReadonlyArray<EventBody> = [EventSamples.created, EventSamples.completed]

/** Events of a run; those of its opening and its ending are of one span, as a run's are. */
const eventsOf = (runId: string, bodies: ReadonlyArray<EventBody>): ReadonlyArray<Event> =>
  bodies.map((body, n) => {
    const { parent_span_id, ...event } = EventSamples.event(body.type === "LLM_CALL_STARTED" ? 1 : 0, body)
    const id = { event_id: `${runId}-${n}`, run_id: runId }
    return body.type === "LLM_CALL_STARTED" && parent_span_id !== undefined
      ? { ...event, ...id, parent_span_id: EventSamples.event(0).span_id }
      : { ...event, ...id }
  })

const START = JSON.stringify({ offset: 0, lines: 0, hash: GENESIS_HASH })

/** A runs folder with one run of every kind of trouble. */
const troubled = Effect.gen(function* () {
  const { cwd, path } = yield* Runledger.workplace
  const write = (runId: string, bodies: ReadonlyArray<EventBody>, acknowledged: boolean) =>
    TamperedLog.write(path("runs"), eventsOf(runId, bodies), runId, acknowledged)
  const cursor = (runId: string, text: string) => fs.writeFileSync(path("runs", runId, "telemetry.cursor"), text)
  yield* write("delivered", whole, true)
  yield* write("behind", whole, false)
  cursor("behind", START)
  yield* write("dead", opened, true)
  fs.writeFileSync(path("runs", "dead", "lock"), JSON.stringify({ pid: process.pid, start_time: "long ago" }))
  yield* write("local", whole, false)
  yield* write(
    "gappy",
    [...whole, { type: "TELEMETRY_GAP", payload: { dropped: 7, reason: "the disk was full" } }],
    true,
  )
  yield* write("odd", whole, true)
  cursor("odd", JSON.stringify({ offset: 10, lines: 1, hash: "a".repeat(64) }))
  yield* write("refused", whole, true)
  const letter = {
    at: "2026-01-31T12:00:00.000Z",
    run_id: "refused",
    op: "create",
    event_id: "refused-0",
    status: 422,
    reason: "no such field",
    operation: null,
  } as const
  yield* Effect.promise(() => DeadLetterFile.make(path("runs", "refused", DeadLetterFile.FILE)).add([letter]))
  return { cwd, path }
})

describe("runledger doctor", () => {
  it.scopedLive("finds nothing wrong in an empty folder, tells the versions, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const { cwd } = yield* Runledger.workplace
      const before = fs.readdirSync(cwd)
      const { code, found } = yield* doctor(cwd)
      expect(code).toBe(0)
      expect(found["runledger"]?.detail).toMatch(/^\d+\.\d+\.\d+, on effect 3\.\d+\.\d+$/)
      expect(found["sqlite"]?.detail).toMatch(/^version 3\.\d+/)
      expect(found["node"]?.detail).toBe(process.versions.node)
      for (const check of ["backlog", "open spans", "dead letters", "gaps", "logs", "clock", "database"])
        expect([check, found[check]?.result]).toEqual([check, "ok"])
      expect(found["server"]).toMatchObject({ result: "warn", mend: expect.stringContaining("runledger serve") })
      expect(fs.readdirSync(cwd)).toEqual(before)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "finds backlog, offline runs, dead letters, gaps, odd cursors and open spans, each with its mend, and exits 0",
    () =>
      Effect.gen(function* () {
        const { cwd, path } = yield* troubled
        const { code, found } = yield* doctor(cwd)
        expect(code).toBe(0)
        const warned = (check: string, detail: RegExp, mend: string) =>
          expect(found[check]).toMatchObject({
            result: "warn",
            detail: expect.stringMatching(detail),
            mend: expect.stringContaining(mend),
          })
        warned("backlog", /events not delivered in .*behind.*the oldest of 2025-10-09/, "runledger ship")
        expect(found["offline runs"]).toMatchObject({
          result: "ok",
          detail: expect.stringMatching(/1 run with 2 events recorded offline stay here \(local\).*--include-offline/),
        })
        warned("open spans", /2 spans left open by dead processes in 1 run \(dead\)/, "runledger ship")
        warned("dead letters", /1 operation refused .*refused\/telemetry\.dead-letters\.ndjson/, "reason")
        warned("gaps", /7 events lost in 1 run \(gappy\): the disk was full/, "cannot be had back")
        warned("logs", /odd/, `runledger verify ${path("runs", "odd")}`)
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("is content again after ship has delivered what it asked to be shipped", () =>
    Effect.gen(function* () {
      const { cwd } = yield* troubled
      const { url } = yield* LiveServer.start()
      const env = { TELEMETRY_API_URL: url }
      yield* Runledger.run(["ship"], { cwd, env })
      const { code, found } = yield* doctor(cwd, env)
      expect(code).toBe(0)
      for (const check of ["server", "token", "backlog", "open spans", "logs"])
        expect([check, found[check]?.result, found[check]?.detail]).toEqual([check, "ok", expect.any(String)])
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("warns of events from the future", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const late = eventsOf("late", whole).map((event) => ({ ...event, ts: "2999-01-01T00:00:00.000Z" }))
      yield* TamperedLog.write(path("runs"), late, "late")
      const { found } = yield* doctor(cwd)
      expect(found["clock"]).toMatchObject({ result: "warn", detail: expect.stringContaining("2999-01-01") })
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("tells a missing, a wrong, a right and a forbidden token apart, and shows none", () =>
    Effect.gen(function* () {
      const { cwd } = yield* Runledger.workplace
      const { url } = yield* LiveServer.start({ token: Option.some(Redacted.make("right-token-123")) })
      const env = { TELEMETRY_API_URL: url }
      const missing = yield* doctor(cwd, env)
      const wrong = yield* doctor(cwd, { ...env, TELEMETRY_API_TOKEN: "wrong-token-123" })
      const right = yield* doctor(cwd, { ...env, TELEMETRY_API_TOKEN: "right-token-123" })
      expect([missing.code, missing.found["token"]?.detail]).toEqual([3, "the server wants one (401)"])
      expect([wrong.code, wrong.found["token"]?.detail]).toEqual([3, "the server does not accept it (401)"])
      expect([right.code, right.found["token"]?.detail]).toEqual([0, "the server accepts it"])
      expect(wrong.stdout + wrong.stderr + right.stdout).not.toMatch(/(?:wrong|right)-token/)
      const health = { status: "ok", version: VERSION, db_path: "/x", journal_mode: "wal", synchronous: "full" }
      const proxy = yield* HandledServer.serve((request, response) => {
        response.writeHead(request.url === "/health" ? 200 : 403, { "content-type": "application/json" })
        response.end(JSON.stringify(request.url === "/health" ? health : { detail: "no" }))
      })
      const forbidden = yield* doctor(cwd, { TELEMETRY_API_URL: proxy, TELEMETRY_API_TOKEN: "right-token-123" })
      expect([forbidden.code, forbidden.found["token"]?.detail]).toEqual([3, expect.stringContaining("(403)")])
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("tells a mistyped address from a server that is away, says what one looks like, and exits 3", () =>
    Effect.gen(function* () {
      const { cwd } = yield* Runledger.workplace
      for (const url of ["htp://x", "http://localhost:99999", "localhost:8765"]) {
        const { code, found } = yield* doctor(cwd, { TELEMETRY_API_URL: url })
        expect([url, code, found["server"]]).toEqual([
          url,
          3,
          expect.objectContaining({
            detail: expect.stringMatching(/^TELEMETRY_API_URL is wrong: .* looks like http:\/\/localhost:8765$/),
            mend: expect.stringContaining("TELEMETRY_API_URL"),
          }),
        ])
      }
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("shows no control character that a server sends, and no secret of its address", () =>
    Effect.gen(function* () {
      const { cwd } = yield* Runledger.workplace
      const health = {
        status: "ok",
        version: "9\u001b]0;owned\u0007\u009b2J",
        db_path: "/x\u001b[2J",
        journal_mode: "wal",
      }
      const evil = yield* HandledServer.serve((_request, response) => {
        response.writeHead(200, { "content-type": "application/json" })
        response.end(JSON.stringify(health))
      })
      const shown = yield* Runledger.run(["doctor"], { cwd, env: { TELEMETRY_API_URL: evil } })
      expect(shown.stdout).toContain("is version 9\ufffd]0;owned\ufffd\ufffd2J")
      const json = yield* doctor(cwd, { TELEMETRY_API_URL: evil })
      expect(json.found["server"]?.detail).toContain(health.version)
      const secret = evil.replace("http://", "http://ann:hunter2@")
      const env = { TELEMETRY_API_URL: `${secret}?key=hunter3#hunter4` }
      const hidden = [yield* doctor(cwd, env), yield* Runledger.run(["doctor"], { cwd, env })]
      for (const { stdout, stderr } of hidden) expect(stdout + stderr).toContain(evil)
      for (const { stdout, stderr } of [shown, json, ...hidden]) {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
        expect(stdout + stderr).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/)
        expect(stdout + stderr).not.toMatch(/hunter|ann:/)
      }
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("checks every page of a database that no server holds, changes nothing of it, and makes none", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const file = path("db", "telemetry.sqlite")
      const env = { TELEMETRY_DB_PATH: file }
      expect((yield* doctor(cwd, env)).found["database"]?.result).toBe("ok")
      expect(fs.existsSync(path("db"))).toBe(false)
      const server = yield* Runledger.listening(["serve", "--port", "0"], { cwd, env })
      yield* server.signal("SIGTERM")
      yield* server.ended
      const bytes = fs.readFileSync(file)
      const beside = fs.readdirSync(path("db"))
      const sound = yield* doctor(cwd, env)
      expect(sound.found["database"]).toMatchObject({ result: "ok", detail: expect.stringContaining("every page") })
      expect(fs.readdirSync(path("db"))).toEqual(beside)
      expect(fs.readFileSync(file).equals(bytes)).toBe(true)
      const damaged = Buffer.from(bytes)
      damaged.fill(0x5a, 4096 * 2, 4096 * 4)
      fs.writeFileSync(file, damaged)
      const ill = yield* doctor(cwd, env)
      expect([ill.code, ill.found["database"]?.result]).toEqual([3, "fail"])
      expect(ill.found["database"]?.mend).toContain("TELEMETRY_DB_PATH")
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("leaves the database of a running server to it", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const env = { TELEMETRY_DB_PATH: path("telemetry.sqlite") }
      const { url } = yield* Runledger.listening(["serve", "--port", "0"], { cwd, env })
      const { found } = yield* doctor(cwd, { ...env, TELEMETRY_API_URL: url })
      expect(found["database"]).toMatchObject({ result: "ok", detail: expect.stringContaining("in use by the server") })
      expect(found["token"]?.detail).toBe("the server wants none")
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
