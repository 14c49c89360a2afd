import { connect } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { start } from "../support/LiveServer.js"

const body = JSON.stringify({
  event_id: "e",
  run_id: "r",
  agent_name: "a",
  job_type: "j",
  start_time: "2026-01-31T12:00:00Z",
})

const PLAIN = ["Host: localhost", "Content-Type: application/json", "X-Request-Id: same"]
const CLOSE = "Connection: close"
const LENGTH = `Content-Length: ${body.length}`

const post = (path: string, headers: ReadonlyArray<string>, sent = body, version = "1.1"): string =>
  [`POST ${path} HTTP/${version}`, ...headers, "", sent].join("\r\n")

const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\nX-Trailer: 1\r\n\r\n`

/** What a client of HTTP may send, seldom as it is. */
const ODD: Readonly<Record<string, (path: string) => string>> = {
  "asks whether it may go on": (path) => post(path, [...PLAIN, "Expect: 100-continue", CLOSE, LENGTH]),
  "expects wonders": (path) => post(path, [...PLAIN, "Expect: wonders", CLOSE, LENGTH]),
  "wants another protocol": (path) => post(path, [...PLAIN, "Upgrade: h2c", "Connection: Upgrade, close", LENGTH]),
  "has two hosts": (path) => post(path, ["Host: evil.example", ...PLAIN, CLOSE, LENGTH]),
  "has no host": (path) => post(path, [...PLAIN.slice(1), CLOSE, LENGTH]),
  "is of HTTP/1.0": (path) => post(path, [...PLAIN, LENGTH], body, "1.0"),
  "prefers two things": (path) => post(path, [...PLAIN, "Prefer: x", "Prefer: return=minimal", CLOSE, LENGTH]),
  "has two types": (path) => post(path, [...PLAIN, "Content-Type: text/plain", CLOSE, LENGTH]),
  "has two tokens": (path) =>
    post(path, [...PLAIN, "Authorization: Bearer a", "Authorization: Bearer b", CLOSE, LENGTH]),
  "has no body": (path) => post(path, [...PLAIN, CLOSE], ""),
  "has a body of less than nothing": (path) => post(path, [...PLAIN, "Content-Length: -1"], ""),
  "has a body of two lengths": (path) => post(path, [...PLAIN, LENGTH, "Transfer-Encoding: chunked"], chunked),
  "comes in chunks with a trailer": (path) => post(path, [...PLAIN, CLOSE, "Transfer-Encoding: chunked"], chunked),
  "has 120 headers more": (path) =>
    post(path, [...PLAIN, ...Array.from({ length: 120 }, (_, n) => `x-${n}: 1`), CLOSE, LENGTH]),
  "is followed by two without a pause": (path) =>
    post(path, [...PLAIN, LENGTH]) + post(path, [...PLAIN, LENGTH]) + post(path, [...PLAIN, CLOSE, LENGTH]),
}

/** All that a server says until it closes the connection. */
const said = (port: number, bytes: string) =>
  Effect.async<string>((resume) => {
    let text = ""
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes))
    socket.setEncoding("utf8")
    socket.on("data", (part) => {
      text += part
    })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(text)))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeout("30 seconds"))

/** The order of headers tells nothing, and the time is another. */
const ordered = (text: string): ReadonlyArray<string> =>
  text
    .replace(/^date: .*\r\n/gim, "")
    .split(/\r\n/)
    .map((line) => (/^[\w-]+: /.test(line) ? line.replace(/^[^:]+/, (name) => name.toLowerCase()) : line))
    .sort()

describe("A write that goes past the router", () => {
  it.scopedLive.each(Object.keys(ODD))("and %s is answered otherwise than through the router", (name) =>
    Effect.gen(function* () {
      const direct = yield* start()
      const routed = yield* start()
      const bytes = ODD[name] ?? ((path: string) => path)
      for (const path of ["/api/v1/runs", "/api/v1/ops"]) {
        const answer = yield* said(direct.port, bytes(path))
        expect(answer).toMatch(/^HTTP\/1\.1 \d/)
        expect(ordered(answer)).toEqual(ordered(yield* said(routed.port, bytes(`${path}?a=1`))))
      }
    }),
  )
})
