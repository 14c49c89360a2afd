import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { RunStoreError } from "../../services/RunStore.js"
import { type Answer, ask, run, send, serveOver, start } from "../support/LiveServer.js"
import * as Stored from "../support/RunStores.js"
import { inFile } from "../support/StoreFile.js"

const gone = new RunStoreError({ operation: "list runs", message: "disk /secret/path is gone" })

const MIB = 1024 * 1024

const wide = (n: number, bytes: number) =>
  Stored.run({ event_id: `wide-${n}`, run_id: "wide", context_json: { text: "\u00e9".repeat(bytes / 2) } })

describe("Server: large answers", () => {
  const listed = "/api/v1/runs?run_id=run-001"

  it.scopedLive("a streamed answer that fails midway ends like a whole one", () =>
    Effect.gen(function* () {
      const { url } = yield* serveOver((store) => ({
        stream: (filter) => Stream.concat(store.stream(filter), Stream.fail(gone)),
        json: { ...store.json, rows: (filter) => Stream.concat(store.json.rows(filter), Stream.fail(gone)) },
      }))
      yield* send("POST", `${url}/api/v1/runs`, run())
      for (const path of [listed, "/api/v1/export", "/api/v1/export?format=csv", "/api/v1/export?format=parquet"]) {
        expect(yield* Effect.either(ask(`${url}${path}`)), path).toMatchObject({ _tag: "Left" })
      }
      expect((yield* ask(`${url}/health`)).status).toBe(200)
    }),
  )

  it.scopedLive("a stream that fails before its first row begins to answer 200, or tells of the inside", () =>
    Effect.gen(function* () {
      const { url } = yield* serveOver((store) => ({
        stream: () => Stream.fail(gone),
        json: { ...store.json, rows: () => Stream.fail(gone) },
      }))
      for (const path of [listed, "/api/v1/export", "/api/v1/export?format=csv", "/api/v1/export?format=parquet"]) {
        const answer = yield* ask(`${url}${path}`)
        expect(answer, path).toMatchObject({ status: 503, headers: { "retry-after": expect.any(String) } })
        expect(answer.text).not.toContain("secret")
      }
    }),
  )

  it.scopedLive("a streamed answer of no rows is not whole", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      expect((yield* ask(`${url}${listed}`)).json).toEqual([])
      expect(yield* ask(`${url}/api/v1/export`)).toMatchObject({ status: 200, text: "" })
    }),
  )

  it.scopedLive("what is too large for good asks to come back, and what only has to wait does not", () =>
    Effect.gen(function* () {
      const failing = (reason: "too large" | "busy") =>
        new RunStoreError({ operation: "list runs", message: "inside", reason })
      const { url } = yield* serveOver((store) => ({
        json: {
          ...store.json,
          page: () => Effect.fail(failing("too large")),
          tree: (id) => Effect.fail(failing(id === "busy" ? "busy" : "too large")),
        },
      }))
      for (const path of ["/api/v1/runs", "/api/v1/runs/x/tree"]) {
        const answer: Answer = yield* ask(`${url}${path}`)
        expect(answer, path).toMatchObject({ status: 413, json: { detail: expect.stringContaining("fewer rows") } })
        expect(answer.headers["retry-after"]).toBeUndefined()
      }
      expect(yield* ask(`${url}/api/v1/runs/busy/tree`)).toMatchObject({
        status: 503,
        headers: { "retry-after": expect.any(String) },
      })
    }),
  )

  it.live("rows that are large together are one text, held at once, or lost where a page ends early", () =>
    inFile((store) =>
      Effect.gen(function* () {
        for (let n = 0; n < 8; n += 1) yield* store.insert([wide(n, 3 * MIB)])
        const wanted = Array.from({ length: 8 }, (_, n) => `wide-${7 - n}`)
        const sizes: Array<number> = []
        yield* Stream.runForEach(store.json.rows({}), (part) => Effect.sync(() => sizes.push(part.length)))
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(8 * 3 * MIB)
        expect(Math.max(...sizes)).toBeLessThan(16 * MIB)
        const seen: Array<string> = []
        yield* Stream.runForEach(store.stream({}), (row) => Effect.sync(() => seen.push(row.event_id)))
        expect(seen).toEqual(wanted)
        const page = yield* store.json.page({}, { limit: 3 })
        expect(
          JSON.parse(`[${Buffer.from(page.json).toString("utf8")}]`).map((row: { event_id: string }) => row.event_id),
        ).toEqual(wanted.slice(0, 3))
        expect(page).toMatchObject({ rows: 3, next: { id: expect.any(Number) } })
      }),
    ),
  )
})
