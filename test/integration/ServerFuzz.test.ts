import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as LiveServer from "../support/LiveServer.js"
import * as ServerFuzz from "../support/ServerFuzz.js"

const SEED = Number(process.env["FUZZ_SEED"] ?? 20260131)
const REQUESTS = 3000

it.scopedLive(
  `the server keeps and answers what the contract says, whatever ${REQUESTS} requests ask (FUZZ_SEED=${SEED})`,
  () =>
    Effect.gen(function* () {
      const { url } = yield* LiveServer.start()
      const report = yield* Effect.promise(() => ServerFuzz.run({ url, seed: SEED, requests: REQUESTS, clients: 4 }))
      expect(report.examples).toEqual([])
      expect(report).toMatchObject({ problems: 0, differingRows: 0 })
      expect([...report.statuses.keys()].filter((status) => status >= 500 && status !== 503)).toEqual([])
      expect(report.rows).toBeGreaterThan(REQUESTS / 50)
      expect([...report.statuses.keys()]).toEqual(expect.arrayContaining([200, 201, 400, 403, 404, 405, 415, 421, 422]))
    }),
  300_000,
)

it.scopedLive("the fuzz sees a server that gives one field of a row back otherwise than it was sent", () =>
  Effect.gen(function* () {
    const { url } = yield* LiveServer.serveOver((store) => ({
      get: (id) =>
        Effect.map(
          store.get(id),
          Option.map((row) => ({ ...row, host: "elsewhere" })),
        ),
    }))
    const report = yield* Effect.promise(() => ServerFuzz.run({ url, seed: SEED, requests: 600, clients: 2 }))
    expect(report.problems).toBeGreaterThan(0)
    expect(report.examples.join("\n")).toContain('host is "elsewhere"')
  }),
)
