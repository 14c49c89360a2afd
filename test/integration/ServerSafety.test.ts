import { createServer } from "node:http"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { RunStoreError } from "../../services/RunStore.js"
import { ask, run, send, serveOver, start } from "../support/LiveServer.js"

const JSON_TYPE = { "content-type": "application/json" }
const post = (url: string, body: string | Uint8Array, chunked = false) =>
  ask(url, { method: "POST", headers: JSON_TYPE, body, chunked })

describe("Server: who is let in", () => {
  it.scopedLive("refuses a Host that it is not known by, so that no rebound name reaches it", () =>
    Effect.gen(function* () {
      const { url, port } = yield* start({ allowedHosts: ["ledger.example"] })
      const status = (host: string) =>
        Effect.map(ask(`${url}/api/v1/runs`, { headers: { host } }), (answer) => answer.status)
      for (const host of [
        "localhost",
        `LOCALHOST:${port}`,
        `127.0.0.1:${port}`,
        `[::1]:${port}`,
        "ledger.example:443",
      ]) {
        expect(yield* status(host), host).toBe(200)
      }
      for (const host of [
        "evil.example",
        "localhost.evil.example",
        "evil.example:8765",
        "0.0.0.0",
        "a b",
        "localhost@evil.example",
      ]) {
        expect(yield* status(host), host).toBe(421)
      }
    }),
  )

  it.scopedLive("refuses pages of other sites, and lets its own pages and plain links through", () =>
    Effect.gen(function* () {
      const { url, port } = yield* start()
      const status = (headers: Readonly<Record<string, string>>) =>
        Effect.map(ask(`${url}/api/v1/runs`, { headers }), (answer) => answer.status)
      expect(yield* status({ origin: url })).toBe(200)
      expect(yield* status({ origin: "http://evil.example" })).toBe(403)
      expect(yield* status({ origin: "null" })).toBe(403)
      expect(yield* status({ origin: `http://localhost:${port + 1}` })).toBe(403)
      expect(yield* status({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" })).toBe(403)
      expect(yield* status({ "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" })).toBe(200)
      expect((yield* send("POST", `${url}/api/v1/runs`, run(), { origin: "http://evil.example" })).status).toBe(403)
      expect((yield* ask(`${url}/api/v1/runs/e-1`)).status).toBe(404)
    }),
  )

  it.scopedLive("asks every route but /health for the token", () =>
    Effect.gen(function* () {
      const { url } = yield* start({ token: Option.some(Redacted.make("s3cret")) })
      expect((yield* ask(`${url}/health`)).status).toBe(200)
      for (const path of [
        "/",
        "/docs",
        "/openapi.json",
        "/ready",
        "/metrics",
        "/api/v1/metadata",
        "/api/v1/runs",
        "/api/v1/stats",
        "/nothing",
      ]) {
        const refused = yield* ask(`${url}${path}`)
        expect([refused.status, refused.headers["www-authenticate"]], path).toEqual([401, "Bearer"])
        expect(refused.json.detail).toEqual(expect.any(String))
      }
      for (const authorization of ["Bearer wrong", "Bearer ", "Basic s3cret", "s3cret", "Bearer s3cret2"]) {
        expect((yield* ask(`${url}/api/v1/runs`, { headers: { authorization } })).status, authorization).toBe(401)
      }
      expect((yield* ask(`${url}/api/v1/runs`, { headers: { authorization: "Bearer s3cret" } })).status).toBe(200)
      expect((yield* send("POST", `${url}/api/v1/runs`, run(), { authorization: "bearer s3cret" })).status).toBe(201)
    }),
  )

  it.scopedLive("limits requests a minute, says how many are left, and when to come back", () =>
    Effect.gen(function* () {
      const { url } = yield* start({ rateLimit: Option.some({ perMinute: 3 }) })
      const answers = yield* Effect.forEach(Array.from({ length: 8 }), () => ask(`${url}/api/v1/runs`))
      const refused = answers.filter((answer) => answer.status === 429)
      expect(refused.length).toBeGreaterThanOrEqual(2)
      expect(answers[0]?.headers).toMatchObject({ "x-ratelimit-limit": "3", "x-ratelimit-remaining": "2" })
      expect(refused[0]).toMatchObject({
        headers: { "x-ratelimit-remaining": "0" },
        json: { detail: expect.any(String) },
      })
      expect(Number(refused[0]?.headers["retry-after"])).toBeGreaterThanOrEqual(1)
      expect((yield* ask(`${url}/health`)).status).toBe(200)
    }),
  )

  it.scopedLive("does not start where other machines reach it without a token", () =>
    Effect.gen(function* () {
      for (const host of ["0.0.0.0", "::", "192.0.2.1", "example.com"]) {
        const error = yield* Effect.flip(start({ host }))
        expect(error, host).toMatchObject({ _tag: "ServerError", reason: "Unprotected" })
        expect(error.message).toContain("TELEMETRY_API_AUTH_TOKEN")
      }
      const { port } = yield* start({ host: "0.0.0.0", token: Option.some(Redacted.make("t")) })
      expect((yield* ask(`http://127.0.0.1:${port}/api/v1/runs`)).status).toBe(401)
    }),
  )

  it.scopedLive("says that the port is taken, and by whom it is not", () =>
    Effect.gen(function* () {
      const { port } = yield* start()
      const error = yield* Effect.flip(start({ port }))
      expect(error).toMatchObject({ _tag: "ServerError", reason: "PortTaken", port })
      expect(error.message).toContain(String(port))
    }),
  )

  it.scopedLive("gives the first address back when somebody else holds its port on the second", () =>
    Effect.gen(function* () {
      const held = createServer()
      const port = yield* Effect.async<number>((resume) => {
        held.once("error", () => resume(Effect.succeed(0)))
        held.listen(0, "::1", () => {
          const address = held.address()
          resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
        })
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => held.close()))
      if (port === 0) return
      expect(yield* Effect.flip(start({ port }))).toMatchObject({ reason: "PortTaken" })
      expect(Exit.isFailure(yield* Effect.exit(ask(`http://127.0.0.1:${port}/health`)))).toBe(true)
    }),
  )
})

describe("Server: what it takes in", () => {
  it.scopedLive("refuses a write that is not plain UTF-8 JSON by its headers with 415", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const status = (headers: Readonly<Record<string, string>>) =>
        Effect.map(
          ask(`${url}/api/v1/runs`, { method: "POST", body: JSON.stringify(run()), headers }),
          (answer) => answer.status,
        )
      for (const type of [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/json; charset=latin1",
        "",
      ]) {
        expect(yield* status({ "content-type": type }), type).toBe(415)
      }
      expect(yield* status({})).toBe(415)
      expect(yield* status({ ...JSON_TYPE, "content-encoding": "gzip" })).toBe(415)
      expect(yield* status({ "content-type": "Application/JSON; charset=UTF-8" })).toBe(201)
    }),
  )

  it.scopedLive("refuses bodies over 16 MiB, operations over 4 MiB, told or found out, and goes on serving", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const padded = (bytes: number) => `{"x":"${"y".repeat(bytes)}"}`
      for (const chunked of [false, true]) {
        expect((yield* post(`${url}/api/v1/runs`, padded(16 * 1024 * 1024), chunked)).status).toBe(413)
        const ops = yield* post(`${url}/api/v1/ops`, padded(4 * 1024 * 1024), chunked)
        expect(ops).toMatchObject({ status: 413, json: { detail: expect.stringContaining("4 MiB") } })
      }
      expect((yield* post(`${url}/api/v1/runs`, padded(5 * 1024 * 1024))).status).toBe(422)
      expect((yield* send("POST", `${url}/api/v1/runs`, run({ output_summary: "z".repeat(5_000_000) }))).status).toBe(
        201,
      )
    }),
  )

  it.scopedLive("refuses deep nesting, bad UTF-8 and broken JSON with 400, and takes what is just deep enough", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels)
      const body = (levels: number) =>
        `{"event_id":"d${levels}","run_id":"r","agent_name":"a","job_type":"j","start_time":"2026-01-01T00:00:00Z","context_json":{"deep":${nested(levels)}}}`
      expect((yield* post(`${url}/api/v1/runs`, body(98))).status).toBe(201)
      expect((yield* post(`${url}/api/v1/runs`, body(99))).status).toBe(400)
      expect((yield* post(`${url}/api/v1/runs`, nested(200_000))).status).toBe(400)
      expect((yield* post(`${url}/api/v1/runs`, new Uint8Array([0x22, 0xc3, 0x28, 0x22]))).status).toBe(400)
      for (const broken of ["", "{", "undefined", '{"a":1}}', "NaN"]) {
        expect(yield* post(`${url}/api/v1/runs`, broken), broken).toMatchObject({
          status: 400,
          json: { detail: expect.any(String) },
        })
      }
      expect((yield* ask(`${url}/api/v1/runs/d98`)).json.context_json.deep).toEqual(JSON.parse(nested(98)))
    }),
  )

  it.scopedLive("keeps half characters, NUL and members named __proto__ as they came", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const context = '{"__proto__":{"trace_id":"polluted"},"constructor":1,"odd":"\\ud83d"}'
      const body = `{"event_id":"odd","run_id":"r","agent_name":"a","job_type":"j","start_time":"2026-01-01T00:00:00Z","error_summary":"\\ud83d\\u0000","context_json":${context}}`
      expect((yield* post(`${url}/api/v1/runs`, body)).status).toBe(201)
      const kept = yield* ask(`${url}/api/v1/runs/odd`)
      expect(kept.text).toContain(`"context_json":${context}`)
      expect(kept.json.error_summary).toBe("\ud83d\u0000")
      expect((yield* ask(`${url}/api/v1/runs?trace_id=polluted`)).json).toEqual([])
    }),
  )

  it.scopedLive("tells nothing of its inside when the store fails or something unforeseen happens", () =>
    Effect.gen(function* () {
      const failing = yield* serveOver(() => ({
        get: () => Effect.fail(new RunStoreError({ operation: "get", message: "disk /secret/path is gone" })),
        metadata: Effect.die(new Error("secret defect")),
      }))
      const unavailable = yield* ask(`${failing.url}/api/v1/runs/x`)
      expect(unavailable).toMatchObject({ status: 503, json: { detail: expect.any(String) } })
      const defect = yield* ask(`${failing.url}/api/v1/metadata`)
      expect(defect).toMatchObject({ status: 500, json: { detail: expect.any(String) } })
      expect(unavailable.text + defect.text).not.toContain("secret")
    }),
  )
})
