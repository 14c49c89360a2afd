import { connect } from "node:net"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ask, run, send, start } from "../support/LiveServer.js"

const nested = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`)

/** The status line that a raw request gets: what no HTTP client would send. */
const raw = (port: number, text: string): Effect.Effect<string> =>
  Effect.async((resume) => {
    let answer = ""
    const socket = connect(port, "127.0.0.1", () => socket.end(text))
    socket.on("data", (part) => {
      answer += part.toString("utf8")
    })
    socket.on("close", () => resume(Effect.succeed(answer.split("\r\n")[0] ?? "")))
  })

describe("Server: odd rows", () => {
  it.scopedLive("a row that nests too deep, or holds a number beyond a double, does not reject its neighbours", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const rows = [
        run({ event_id: "fits", context_json: nested(99) }),
        run({ event_id: "deep", context_json: nested(100) }),
        run({ event_id: "good" }),
      ]
      const batch = yield* send("POST", `${url}/api/v1/runs/batch`, { runs: rows })
      expect(batch.json).toMatchObject({ inserted: 2, errors: [expect.stringMatching(/^deep: .*100 levels/)] })
      const ops = rows.map((row) => ({ op: "create", ...row, event_id: `op-${row.event_id}` }))
      const applied = yield* send("POST", `${url}/api/v1/ops`, { ops })
      expect(applied.json.results.map((result: { status: string }) => result.status)).toEqual([
        "created",
        "error",
        "created",
      ])
      const body = JSON.stringify(run({ event_id: "huge", metrics_json: { n: 0 } })).replace('"n":0', '"n":1e999')
      const huge = yield* ask(`${url}/api/v1/runs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      })
      expect(huge.status).toBe(422)
      expect(huge.json.detail[0].msg).toContain("beyond the range")
    }),
  )

  it.scopedLive("null counts are 0 in an update as in a create, and a parent is named as strictly as a run", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      yield* send("POST", `${url}/api/v1/runs`, run({ event_id: "e", duration_ms: 5, items_failed: 2 }))
      const changed = yield* send("PATCH", `${url}/api/v1/runs/e`, { duration_ms: null, items_failed: null })
      expect(changed.json).toMatchObject({ updated: true })
      expect((yield* ask(`${url}/api/v1/runs/e`)).json).toMatchObject({ duration_ms: 0, items_failed: 0 })
      const odd = yield* send("POST", `${url}/api/v1/runs`, run({ event_id: "f", parent_run_id: "a\u0000b" }))
      expect(odd.status).toBe(422)
      expect((yield* send("POST", `${url}/api/v1/runs`, null)).json.detail[0].msg).toBe("expected a JSON object")
    }),
  )

  it.scopedLive("a request target that is no address is answered, not stumbled over", () =>
    Effect.gen(function* () {
      const { url, port } = yield* start()
      for (const event_id of ["a", "b"]) yield* send("POST", `${url}/api/v1/runs`, run({ event_id }))
      const line = yield* raw(
        port,
        "GET http://[::bad/api/v1/runs?limit=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
      )
      expect(line).toMatch(/^HTTP\/1\.1 (?:200|4\d\d) /)
    }),
  )
})
