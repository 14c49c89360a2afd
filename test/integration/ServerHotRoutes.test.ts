import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as RequestBody from "../../src/server/RequestBody.js"
import { type Ask, ask, start } from "../support/LiveServer.js"

const run = { event_id: "e", run_id: "r", agent_name: "a", job_type: "j", start_time: "2026-01-31T12:00:00Z" }
const deep = `${"[".repeat(2000)}${"]".repeat(2000)}`

const BODIES: Readonly<Record<string, ReadonlyArray<string>>> = {
  "/api/v1/runs": [JSON.stringify(run), JSON.stringify({ ...run, start_time: "noon" }), "{", deep, "[]"],
  "/api/v1/runs/batch": [JSON.stringify([run, {}]), JSON.stringify({ runs: [run] }), "1", "{", deep],
  "/api/v1/ops": [JSON.stringify({ ops: [{ op: "create", ...run }, {}] }), "{}", "{", deep],
}

const JSON_TYPE = { "content-type": "application/json", "x-request-id": "same" }
const TOKEN = { ...JSON_TYPE, authorization: "Bearer t" }
const body = JSON.stringify(run)

/** Requests that never come to be understood. */
const REFUSED: ReadonlyArray<Ask> = [
  { body, headers: JSON_TYPE },
  { body, headers: { ...TOKEN, host: "evil.example" } },
  { body, headers: { ...TOKEN, origin: "http://evil.example" } },
  { body, headers: { ...TOKEN, "content-type": "text/plain" } },
  { body, headers: { ...TOKEN, "content-encoding": "gzip" } },
  { body: new Uint8Array([0xff]), headers: TOKEN },
  { body: "x".repeat(RequestBody.MAX_BODY_BYTES + 1), headers: TOKEN },
  { body: "x".repeat(RequestBody.MAX_BODY_BYTES + 1), headers: TOKEN, chunked: true },
]

type Told = Effect.Effect.Success<ReturnType<typeof ask>>

const told = ({ status, headers, json }: Told) => ({ status, json, headers: { ...headers, date: undefined } })

/** What is left of a minute's requests differs when a minute ends in between. */
const counted = (answer: Told) => {
  const left = answer.headers["x-ratelimit-remaining"] === undefined ? "uncounted" : "counted"
  return { ...told(answer), headers: { ...told(answer).headers, "x-ratelimit-remaining": left } }
}

describe("The writes that go past the router", () => {
  for (const [path, bodies] of Object.entries(BODIES))
    it.scopedLive(`POST ${path} is answered otherwise than through the router`, () =>
      Effect.gen(function* () {
        const direct = yield* start()
        const routed = yield* start()
        const post = (url: string, body: string) =>
          ask(url, { method: "POST", body, headers: { "content-type": "application/json", "x-request-id": "same" } })
        for (const body of [...bodies, ...bodies]) {
          const answer = yield* post(`${direct.url}${path}`, body)
          expect(told(answer)).toEqual(told(yield* post(`${routed.url}${path}?a=1`, body)))
        }
      }),
    )

  it.scopedLive(
    "a write is let in, counted, or shown to a page of another site otherwise than through the router",
    () =>
      Effect.gen(function* () {
        const settings = {
          token: Option.some(Redacted.make("t")),
          rateLimit: Option.some({ perMinute: 1000 }),
          corsOrigins: ["https://dash.example"],
        }
        const direct = yield* start(settings)
        const routed = yield* start(settings)
        const asPage = { body, headers: { ...TOKEN, origin: "https://dash.example" } }
        for (const refused of [...REFUSED, asPage, asPage]) {
          const answer = yield* ask(`${direct.url}/api/v1/runs`, { method: "POST", ...refused })
          const other = yield* ask(`${routed.url}/api/v1/runs?a=1`, { method: "POST", ...refused })
          expect(counted(answer)).toEqual(counted(other))
        }
      }),
  )
})
