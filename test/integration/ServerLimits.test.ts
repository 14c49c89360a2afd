import { statSync } from "node:fs"
import type { Server } from "node:http"
import { connect, type Socket } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as HttpListener from "../../src/server/HttpListener.js"
import { ask, run, send, start } from "../support/LiveServer.js"

const ROUTES = [
  "/health",
  "/",
  "/docs",
  "/openapi.json",
  "/metrics",
  "/api/v1/runs",
  "/api/v1/runs/x",
  "/api/v1/stream",
  "/api/v1/stats",
  "/nothing",
]

const SAFE = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  "content-security-policy": expect.stringContaining("frame-ancestors 'none'"),
}

/** What a server answers to bytes that a client of HTTP would not send, until it closes the connection. */
const raw = (port: number, bytes: string) =>
  Effect.async<string>((resume) => {
    let text = ""
    const socket: Socket = connect(port, "127.0.0.1", () => socket.write(bytes))
    socket.setEncoding("utf8")
    socket.on("data", (part) => {
      text += part
    })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(text)))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeout("30 seconds"))

/** Two requests on one connection; the second is written when the connection is about to be closed as idle, by a process that is then held up. */
const late = (port: number) =>
  Effect.async<string>((resume) => {
    let text = ""
    const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    const heldUp = () => {
      socket.write(request)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500)
    }
    const socket: Socket = connect(port, "127.0.0.1", () => socket.write(request))
    socket.setEncoding("utf8")
    socket.on("data", (part) => {
      const isFirst = text === ""
      text += part
      if (isFirst) setTimeout(() => setImmediate(heldUp), 5)
      else socket.destroy()
    })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(text)))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeout("30 seconds"))

/** The answer of a listener of its own limits, which answers what is a request with 200. */
const listening = (limits: Partial<HttpListener.Limits>) =>
  Effect.acquireRelease(
    Effect.async<Server>((resume) => {
      const http = HttpListener.create({ ...HttpListener.LIMITS, ...limits })
      http.on("request", (request, response) => request.on("end", () => response.end("{}")).resume())
      http.listen(0, "127.0.0.1", () => resume(Effect.succeed(http)))
    }),
    (http) => Effect.sync(() => http.close().closeAllConnections()),
  ).pipe(
    Effect.map((http) => {
      const address = http.address()
      return typeof address === "object" && address !== null ? address.port : 0
    }),
  )

describe("Server: limits and rules on every route", () => {
  it.scopedLive("a route answers a wrong Host or the page of another site, or forgets a safety header", () =>
    Effect.gen(function* () {
      const { url } = yield* start({ maxStreams: 0 })
      for (const path of ROUTES) {
        const [well, host, page] = [
          yield* ask(`${url}${path}`),
          yield* ask(`${url}${path}`, { headers: { host: "evil.example" } }),
          yield* ask(`${url}${path}`, { headers: { origin: "http://evil.example" } }),
        ]
        expect([path, host.status, page.status]).toEqual([path, 421, 403])
        for (const answer of [well, host, page]) expect(answer.headers, path).toMatchObject(SAFE)
        expect(well.headers["access-control-allow-origin"]).toBe(undefined)
      }
    }),
  )

  it.scopedLive("an address or headers without end are read, or what is just short enough is refused", () =>
    Effect.gen(function* () {
      const { url, port } = yield* start()
      const long = yield* ask(`${url}/api/v1/runs?product=${"x".repeat(17_000)}`)
      expect([long.status, long.json.detail]).toEqual([414, expect.any(String)])
      expect((yield* ask(`${url}/api/v1/runs?product=${"x".repeat(16_000)}`)).status).toBe(200)
      const many = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`x-${n}`, "1"]))
      expect((yield* ask(`${url}/api/v1/runs`, { headers: many })).status).toBe(431)
      const large = yield* raw(port, `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${"y".repeat(40_000)}\r\n\r\n`)
      expect(large).toMatch(/^HTTP\/1\.1 431 [\s\S]*\r\n\r\n\{"detail":"[^"]+"\}$/)
    }),
  )

  it.scopedLive("bytes that are no request are answered without the safety headers, or end the server", () =>
    Effect.gen(function* () {
      const { url, port } = yield* start()
      for (const bytes of [
        "nonsense\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n",
        "\u0000\u0001\u0002\r\n\r\n",
      ]) {
        const answer = yield* raw(port, bytes)
        expect(answer, bytes).toMatch(/^HTTP\/1\.1 400 /)
        expect(answer, bytes).toContain("x-content-type-options: nosniff")
        expect(answer, bytes).toMatch(/\{"detail":"[^"]+"\}$/)
      }
      expect(yield* raw(port, "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /)
      const expecting = "GET /health HTTP/1.1\r\nHost: localhost\r\nExpect: wonders\r\nConnection: close\r\n\r\n"
      expect(yield* raw(port, expecting)).toMatch(/^HTTP\/1\.1 417 [\s\S]*nosniff/)
      expect((yield* ask(`${url}/health`)).status).toBe(200)
    }),
  )

  it.scopedLive("a client that sends a byte now and then holds its connection for ever", () =>
    Effect.gen(function* () {
      const quick = { headersTimeout: 300, requestTimeout: 600, checkEvery: 50 }
      const port = yield* listening(quick)
      expect(yield* raw(port, "GET /health HTTP/1.1\r\nHost: lo")).toMatch(/^HTTP\/1\.1 408 [\s\S]*nosniff/)
      const body = yield* raw(port, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")
      expect(body).toMatch(/^HTTP\/1\.1 408 /)
      expect(HttpListener.LIMITS.headersTimeout).toBeLessThanOrEqual(60_000)
      expect(HttpListener.LIMITS.requestTimeout).toBeLessThanOrEqual(300_000)
    }),
  )

  it.scopedLive("an idle connection is kept for ever, or closed although the next request already stands in it", () =>
    Effect.gen(function* () {
      const port = yield* listening({ idleTimeout: 60 })
      expect((yield* late(port)).match(/HTTP\/1\.1 200/g)).toHaveLength(2)
      expect(yield* raw(port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /)
    }),
  )

  it.scopedLive("a page that is let in cannot ask, or one that is not can", () =>
    Effect.gen(function* () {
      const dash = "https://dash.example"
      const { url } = yield* start({ corsOrigins: [dash], token: Option.some(Redacted.make("t")) })
      const preflight = (origin: string) =>
        ask(`${url}/api/v1/runs`, {
          method: "OPTIONS",
          headers: { origin, "access-control-request-method": "POST", "sec-fetch-site": "cross-site" },
        })
      const may = yield* preflight(dash)
      expect([may.status, may.headers["access-control-allow-origin"]]).toEqual([204, dash])
      expect(may.headers["access-control-allow-methods"]).toContain("PATCH")
      expect(may.headers["access-control-allow-headers"]).toContain("Authorization")
      expect(may.headers["access-control-allow-headers"]).toContain("Prefer")
      for (const other of ["https://dash.example.evil", "http://dash.example", "https://dash.example:8443", "null"]) {
        const mayNot = yield* preflight(other)
        expect([other, mayNot.status, mayNot.headers["access-control-allow-origin"]]).toEqual([other, 403, undefined])
      }
      const authorization = "Bearer t"
      const read = yield* ask(`${url}/api/v1/runs`, { headers: { origin: dash, authorization } })
      expect([read.status, read.headers["access-control-allow-origin"], read.headers["vary"]]).toEqual([
        200,
        dash,
        "Origin",
      ])
      expect(read.headers["access-control-expose-headers"]).toContain("X-Total-Count")
      const stranger = yield* ask(`${url}/api/v1/runs`, { headers: { origin: dash } })
      expect([stranger.status, stranger.headers["access-control-allow-origin"]]).toEqual([401, dash])
      expect((yield* send("POST", `${url}/api/v1/runs`, run(), { origin: dash, authorization })).status).toBe(201)
      const other = { origin: "https://other.example", authorization }
      expect((yield* send("POST", `${url}/api/v1/runs`, run(), other)).status).toBe(403)
    }),
  )

  it.scopedLive("another user of this machine can read the database", () =>
    Effect.gen(function* () {
      const { url, dbPath } = yield* start()
      yield* send("POST", `${url}/api/v1/runs`, run())
      for (const file of [dbPath, `${dbPath}-wal`, `${dbPath}-shm`]) expect(statSync(file).mode & 0o077, file).toBe(0)
    }),
  )
})

describe("Server: the access log", () => {
  const lines = (accessLog: boolean) =>
    Effect.gen(function* () {
      const logged = yield* Queue.unbounded<Readonly<Record<string, unknown>>>()
      const logger = Logger.make<unknown, void>(({ message, annotations }) => {
        const [text] = Array.isArray(message) ? message : [message]
        if (text === "request") logged.unsafeOffer(Object.fromEntries(HashMap.toEntries(annotations)))
      })
      const token = Option.some(Redacted.make("s3cret"))
      const { url } = yield* Effect.provide(
        start({ accessLog: Option.some(accessLog), token }),
        Logger.replace(Logger.defaultLogger, logger),
      )
      const headers = { authorization: "Bearer s3cret", "x-request-id": "mine-1" }
      const listed = yield* ask(`${url}/api/v1/runs?product=private`, { headers })
      const one = yield* ask(`${url}/api/v1/runs/secret-id`, { headers: { authorization: "Bearer s3cret" } })
      yield* ask(`${url}/private-path`)
      yield* send("POST", `${url}/api/v1/runs`, run({ product: "private" }), headers)
      return { logged, listed, one }
    })

  it.scopedLive("a request leaves no line, or a line tells an id, a query, a path, a body or the token", () =>
    Effect.gen(function* () {
      const { logged, listed, one } = yield* lines(true)
      const found = yield* Queue.takeN(logged, 4).pipe(Effect.timeout("30 seconds"))
      const [first, second, third, fourth] = Chunk.toReadonlyArray(found)
      expect(first).toEqual({
        method: "GET",
        route: "/api/v1/runs",
        status: 200,
        duration_ms: expect.any(Number),
        bytes: Buffer.byteLength(listed.text),
        request_id: "mine-1",
      })
      expect(second).toMatchObject({ route: "/api/v1/runs/:id", status: 404, request_id: one.headers["x-request-id"] })
      expect(third).toMatchObject({ route: "none", status: 401 })
      expect(fourth).toMatchObject({ method: "POST", status: 201 })
      expect(JSON.stringify(Chunk.toReadonlyArray(found))).not.toMatch(/s3cret|private|secret-id/)
    }),
  )

  it.scopedLive("a server that nobody asked for lines writes them", () =>
    Effect.gen(function* () {
      const { logged, listed } = yield* lines(false)
      expect(listed.headers["x-request-id"]).toBe("mine-1")
      expect(yield* Queue.size(logged)).toBe(0)
    }),
  )
})
