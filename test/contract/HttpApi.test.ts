import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as ServerSettings from "../../src/server/ServerSettings.js"
import { filtersAndPages } from "../support/HttpApiListSuite.js"
import { oddities } from "../support/HttpApiOddSuite.js"
import { questions } from "../support/HttpApiQuestionSuite.js"
import { repricing } from "../support/HttpApiRepriceSuite.js"
import { writes } from "../support/HttpApiWriteSuite.js"
import * as PlainClient from "../support/PlainClient.js"
import { LAYERS } from "../support/RunStores.js"

const WORKING = [
  "GET /health 200",
  "GET /ready 200",
  "GET / 307",
  "GET /docs 200",
  "GET /openapi.json 200",
  "GET /metrics 200",
  "GET /api/v1/metadata 200",
  "POST /api/v1/runs 201",
  "POST /api/v1/runs 200",
  "POST /api/v1/runs/batch 200",
  "POST /api/v1/runs/batch 201",
  "PATCH /api/v1/runs/{id} 200",
  "GET /api/v1/runs 200",
  "GET /api/v1/runs/{id} 200",
  "GET /api/v1/runs/{id}/tree 200",
  "GET /api/v1/runs/{id}/events 200",
  "GET /api/v1/runs/{id}/commit-url 200",
  "GET /api/v1/runs/{id}/repo-url 200",
  "POST /api/v1/runs/{id}/associate-commit 200",
  "POST /api/v1/ops 200",
  "GET /api/v1/stats 200",
  "POST /api/v1/maintenance/reprice 200",
  "GET /api/v1/maintenance/repricings 200",
  "GET /api/v1/maintenance/repricings/{id}/calls 200",
  "POST /api/v1/maintenance/repricings/{id}/undo 200",
]

describe.each(LAYERS)("HTTP API over $name, by a client that knows nothing but HTTP", ({ fresh }) => {
  const over = (
    use: (client: PlainClient.PlainClient) => Promise<void>,
    settings: Partial<ServerSettings.ServerSettings> = {},
    headers: Readonly<Record<string, string>> = {},
  ) =>
    PlainClient.serve(fresh, settings, headers).pipe(
      Effect.flatMap((client) => Effect.promise(() => use(client))),
      Effect.scoped,
      Effect.provide(NodeContext.layer),
    )

  it.live("gives a document that is no OpenAPI, or forgets a route", () =>
    over(async ({ document }) => {
      await document.valid()
      expect(document.operations).toEqual(expect.arrayContaining(WORKING.map((one) => one.replace(/ \d+$/, ""))))
      expect(document.operations).toContain("GET /api/v1/stream")
    }),
  )

  it.live("says how it stands in another way than the contract has it", () =>
    over(async ({ get, status }) => {
      expect((await get("/health")).json).toMatchObject({
        status: "ok",
        version: expect.any(String),
        db_path: expect.any(String),
      })
      expect((await get("/ready")).json).toEqual({ status: "ready" })
      const home = await get("/")
      expect([home.status, home.headers.get("location")]).toEqual([307, "/docs"])
      expect((await get("/openapi.json")).json).toMatchObject({ openapi: "3.1.0" })
      expect((await get("/docs")).text).toContain("/api/v1/stream")
      expect((await get("/metrics")).json).toMatchObject({ total_runs: 0, agents: {}, recent_24h: 0, performance: {} })
      expect(await status("GET", "/nothing")).toBe(404)
      expect(await status("DELETE", "/api/v1/runs/x")).toBe(405)
    }),
  )

  it.live("lets somebody in without the token", () =>
    over(
      async ({ url, get }) => {
        expect((await get("/api/v1/runs")).status).toBe(200)
        const stranger = await fetch(`${url}/api/v1/runs`)
        expect([stranger.status, stranger.headers.get("www-authenticate")]).toEqual([401, "Bearer"])
        expect(await stranger.json()).toEqual({ detail: expect.any(String) })
        expect((await fetch(`${url}/api/v1/stream`)).status).toBe(401)
        expect((await fetch(`${url}/health`)).status).toBe(200)
      },
      { token: Option.some(Redacted.make("s3cret")) },
      { authorization: "Bearer s3cret" },
    ),
  )

  it.live("counts requests in another way than it says", () =>
    over(
      async ({ get }) => {
        const replies = [
          await get("/api/v1/runs"),
          await get("/api/v1/runs"),
          await get("/api/v1/runs"),
          await get("/api/v1/runs"),
        ]
        expect(replies[0]?.headers.get("x-ratelimit-limit")).toBe("2")
        const refused = replies.find(({ status }) => status === 429)
        expect(refused?.json).toEqual({ detail: expect.any(String) })
        expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1)
        expect(refused?.headers.get("x-ratelimit-remaining")).toBe("0")
      },
      { rateLimit: Option.some({ perMinute: 2 }) },
    ),
  )

  writes(over)
  filtersAndPages(over)
  questions(over)
  oddities(over)
  repricing(over)

  it("a route has never been met as it works", () => {
    expect(WORKING.filter((one) => !PlainClient.met.has(one))).toEqual([])
  })
})
