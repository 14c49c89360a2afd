import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Answer, ask, run, send, start } from "../support/LiveServer.js"

const ids = (answer: Answer): ReadonlyArray<string> => answer.json.map((row: { event_id: string }) => row.event_id)

describe("Server: system routes", () => {
  it.scopedLive("says how it is, and leads people and programs to what it offers, all without the network", () =>
    Effect.gen(function* () {
      const { url, dbPath } = yield* start()
      const health = yield* ask(`${url}/health`)
      expect(health.status).toBe(200)
      expect(health.json).toEqual({
        status: "ok",
        version: expect.any(String),
        db_path: dbPath,
        journal_mode: "wal",
        synchronous: "full",
        integrity: "ok",
      })
      expect(yield* ask(`${url}/ready`)).toMatchObject({ status: 200, json: { status: "ready" } })
      const home = yield* ask(`${url}/`)
      expect([home.status, home.headers["location"]]).toEqual([307, "/docs"])
      const docs = yield* ask(`${url}/docs`)
      expect(docs.headers["content-type"]).toMatch(/^text\/html/)
      expect(docs.text).not.toMatch(/<script|src=|https?:\/\/|url\(/)
      expect(docs.headers["content-security-policy"]).toContain("style-src 'sha256-")
      const spec = (yield* ask(`${url}/openapi.json`)).json
      expect(Object.keys(spec.paths)).toEqual(
        expect.arrayContaining([
          "/health",
          "/api/v1/runs",
          "/api/v1/runs/batch",
          "/api/v1/runs/{id}",
          "/api/v1/ops",
          "/api/v1/stats",
        ]),
      )
      expect(Object.keys(spec.paths["/api/v1/runs"].post.responses).sort()).toEqual([
        "200",
        "201",
        "400",
        "408",
        "413",
        "415",
        "422",
        "503",
        "default",
      ])
      expect(JSON.stringify(spec)).not.toContain("HttpApiDecodeError")
    }),
  )

  it.scopedLive("gives every answer its safety headers, refusals and errors included, and no CORS", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      for (const answer of [
        yield* ask(`${url}/health`),
        yield* ask(`${url}/nothing`),
        yield* ask(`${url}/docs`),
        yield* ask(`${url}/api/v1/runs?limit=x`),
        yield* ask(`${url}/api/v1/runs`, { headers: { host: "evil.example" } }),
        yield* send("POST", `${url}/api/v1/runs`, {}),
      ]) {
        expect(answer.headers).toMatchObject({ "x-content-type-options": "nosniff", "cache-control": "no-store" })
        expect(answer.headers["content-security-policy"]).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
        expect(answer.headers).not.toHaveProperty("access-control-allow-origin")
      }
    }),
  )

  it.scopedLive("answers an unknown path with 404 and a known one with 405, both as {detail}", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      expect(yield* ask(`${url}/api/v2/runs`)).toMatchObject({ status: 404, json: { detail: expect.any(String) } })
      const wrong = yield* ask(`${url}/api/v1/runs`, { method: "DELETE" })
      expect(wrong).toMatchObject({ status: 405, json: { detail: expect.any(String) } })
      expect(String(wrong.headers["allow"])).toContain("POST")
      expect((yield* ask(`${url}/api/v1/runs/%zz`)).status).toBe(404)
      expect((yield* ask(`${url}/health`, { method: "HEAD" })).status).toBe(200)
    }),
  )

  it.scopedLive("is reached by 127.0.0.1, localhost and [::1] alike", () =>
    Effect.gen(function* () {
      const { port } = yield* start()
      expect((yield* ask(`http://127.0.0.1:${port}/health`)).status).toBe(200)
      expect((yield* ask(`http://localhost:${port}/health`)).status).toBe(200)
      const six = yield* Effect.option(ask(`http://[::1]:${port}/health`))
      if (six._tag === "Some") expect(six.value.status).toBe(200)
    }),
  )
})

describe("Server: writing runs", () => {
  it.scopedLive("creates a run with 201, and answers a known event_id with 200 and no change", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const created = yield* send("POST", `${url}/api/v1/runs`, run({ product: "first", unknown_field: 1 }))
      expect([created.status, created.json]).toEqual([201, { status: "created", event_id: "e-1", run_id: "run-001" }])
      const again = yield* send("POST", `${url}/api/v1/runs`, run({ product: "second" }))
      expect(again).toMatchObject({
        status: 200,
        json: { status: "duplicate", event_id: "e-1", run_id: "run-001", message: expect.any(String) },
      })
      const kept = (yield* ask(`${url}/api/v1/runs/e-1`)).json
      expect(kept).toMatchObject({
        product: "first",
        status: "running",
        duration_ms: 0,
        end_time: null,
        start_time: "2026-01-31T12:00:00.000Z",
      })
      expect(kept).not.toHaveProperty("unknown_field")
    }),
  )

  it.scopedLive("refuses what is wrong with 422 and the place of each mistake", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const bad = yield* send("POST", `${url}/api/v1/runs`, {
        event_id: "",
        run_id: "a\u0000b",
        agent_name: "a",
        start_time: "2026-01-31T12:00:00",
        items_failed: -1,
        status: "weird",
        metrics_json: [],
      })
      expect(bad.status).toBe(422)
      const places = bad.json.detail.map((issue: { loc: ReadonlyArray<string> }) => issue.loc.join("."))
      expect(places).toEqual([
        "body.event_id",
        "body.run_id",
        "body.job_type",
        "body.start_time",
        "body.status",
        "body.items_failed",
        "body.metrics_json",
      ])
      for (const issue of bad.json.detail) {
        expect(issue).toEqual({ loc: expect.any(Array), msg: expect.any(String), type: expect.any(String) })
      }
      expect(bad.json.detail[2]).toEqual({ loc: ["body", "job_type"], msg: "is required", type: "missing" })
      expect((yield* send("POST", `${url}/api/v1/runs`, [])).status).toBe(422)
      expect((yield* ask(`${url}/api/v1/runs`)).json).toEqual([])
    }),
  )

  it.scopedLive("normalises the aliases of a status wherever one is read", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const aliases = [
        ["failed", "failure"],
        ["completed", "success"],
        ["succeeded", "success"],
        ["canceled", "cancelled"],
      ] as const
      for (const [alias, status] of aliases) {
        yield* send("POST", `${url}/api/v1/runs`, run({ event_id: alias, status: alias }))
        expect((yield* ask(`${url}/api/v1/runs/${alias}`)).json.status).toBe(status)
        yield* send("PATCH", `${url}/api/v1/runs/${alias}`, { status: alias })
        expect(ids(yield* ask(`${url}/api/v1/runs?status=${alias}`))).toContain(alias)
      }
    }),
  )

  it.scopedLive("takes a batch in both forms, and one bad row never rejects its neighbours", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const rows = [
        run({ event_id: "1" }),
        run({ event_id: "bad", start_time: "soon" }),
        7,
        run({ event_id: "1" }),
        run({ event_id: "2" }),
      ]
      const bare = yield* send("POST", `${url}/api/v1/runs/batch`, rows)
      expect(bare).toMatchObject({ status: 200, json: { inserted: 2, duplicates: 1, total: 5 } })
      expect(bare.json.errors).toEqual([expect.stringMatching(/^bad: start_time: /), expect.stringMatching(/^#2: /)])
      const wrapped = yield* send("POST", `${url}/api/v1/runs/batch`, { runs: [run({ event_id: "3" })] })
      expect(wrapped).toMatchObject({ status: 201, json: { inserted: 1, duplicates: 0, errors: [], total: 1 } })
      expect((yield* send("POST", `${url}/api/v1/runs/batch`, { rows: [] })).json.detail[0].loc).toEqual([
        "body",
        "runs",
      ])
      const many = Array.from({ length: 1001 }, (_, n) => run({ event_id: `m${n}` }))
      expect((yield* send("POST", `${url}/api/v1/runs/batch`, many)).status).toBe(422)
      expect((yield* send("POST", `${url}/api/v1/runs/batch`, many.slice(1))).json.inserted).toBe(1000)
    }),
  )

  it.scopedLive("changes a run by PATCH, says which fields, and refuses the unknown and the empty", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      yield* send("POST", `${url}/api/v1/runs`, run({ event_id: "a/b:c", metrics_json: { a: 1 } }))
      const at = `${url}/api/v1/runs/${encodeURIComponent("a/b:c")}`
      const changed = yield* send("PATCH", at, {
        status: "completed",
        end_time: "2026-01-31T13:00:00+01:00",
        metrics_json: { b: 2 },
        x: 1,
      })
      expect(changed).toMatchObject({ status: 200, json: { event_id: "a/b:c", updated: true } })
      expect([...changed.json.fields_updated].sort()).toEqual(["end_time", "metrics_json", "status"])
      const kept = (yield* ask(at)).json
      expect(kept).toMatchObject({ status: "success", end_time: "2026-01-31T12:00:00.000Z", metrics_json: { b: 2 } })
      expect(kept.updated_at).not.toBeNull()
      const back = yield* send("PATCH", at, { status: "running" })
      expect(back).toMatchObject({
        status: 200,
        json: { updated: false, fields_updated: [], message: expect.stringContaining("ignored") },
      })
      expect((yield* send("PATCH", at, { nothing: 1 })).status).toBe(400)
      expect((yield* send("PATCH", at, { status: "weird" })).status).toBe(422)
      expect((yield* send("PATCH", `${url}/api/v1/runs/nobody`, { status: "failed" })).status).toBe(404)
    }),
  )

  it.scopedLive("applies operations one by one, in order and idempotently, an update before its create included", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const ops = [
        { op: "update", event_id: "1", status: "completed", duration_ms: 5 },
        { op: "create", ...run({ event_id: "1" }) },
        { op: "create", ...run({ event_id: "bad", start_time: "soon" }) },
        { op: "strange", event_id: "2" },
        null,
        {
          op: "event",
          event_id: "v",
          event: {
            event_id: "v",
            run_id: "run-001",
            ts: "2026-01-31T12:00:00.000Z",
            type: "TELEMETRY_GAP",
            payload: { dropped: 1, reason: "full" },
            trace_id: "a".repeat(32),
            span_id: "b".repeat(16),
          },
        },
      ]
      const first = yield* send("POST", `${url}/api/v1/ops`, {
        ops,
        client: { backlog: 1, dropped: 2, dead_letters: 0, log_head: null },
      })
      expect(first.status).toBe(200)
      const statuses = (answer: Answer) => answer.json.results.map((result: { status: string }) => result.status)
      expect(statuses(first)).toEqual(["pending", "created", "error", "error", "error", "stored"])
      expect(first.json.results[2]).toMatchObject({
        op: "create",
        event_id: "bad",
        detail: expect.stringContaining("start_time"),
      })
      expect((yield* ask(`${url}/api/v1/runs/1`)).json).toMatchObject({ status: "success", duration_ms: 5 })
      const again = yield* send("POST", `${url}/api/v1/ops`, { ops })
      expect(statuses(again)).toEqual(["duplicate", "duplicate", "error", "error", "error", "duplicate"])
      expect((yield* ask(`${url}/metrics`)).json).toMatchObject({ total_runs: 1, performance: { client_dropped: 2 } })
      const tooMany = Array.from({ length: 1001 }, () => ops[0])
      expect((yield* send("POST", `${url}/api/v1/ops`, { ops: tooMany })).status).toBe(422)
      expect((yield* send("POST", `${url}/api/v1/ops`, {})).json.detail[0].loc).toEqual(["body", "ops"])
    }),
  )
})
