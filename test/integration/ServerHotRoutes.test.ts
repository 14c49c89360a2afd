import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ask, start } from "../support/LiveServer.js"

const run = { event_id: "e", run_id: "r", agent_name: "a", job_type: "j", start_time: "2026-01-31T12:00:00Z" }
const deep = `${"[".repeat(2000)}${"]".repeat(2000)}`

const BODIES: Readonly<Record<string, ReadonlyArray<string>>> = {
  "/api/v1/runs": [JSON.stringify(run), JSON.stringify({ ...run, start_time: "noon" }), "{", deep, "[]"],
  "/api/v1/runs/batch": [JSON.stringify([run, {}]), JSON.stringify({ runs: [run] }), "1", "{", deep],
  "/api/v1/ops": [JSON.stringify({ ops: [{ op: "create", ...run }, {}] }), "{}", "{", deep],
}

describe("The writes that go past the router", () => {
  for (const [path, bodies] of Object.entries(BODIES))
    it.scopedLive(`POST ${path} is answered otherwise than through the router`, () =>
      Effect.gen(function* () {
        const direct = yield* start()
        const routed = yield* start()
        const post = (url: string, body: string) =>
          ask(url, { method: "POST", body, headers: { "content-type": "application/json", "x-request-id": "same" } })
        const told = ({ status, headers, json }: Effect.Effect.Success<ReturnType<typeof ask>>) => ({
          status,
          json,
          headers: { ...headers, date: undefined },
        })
        for (const body of [...bodies, ...bodies]) {
          const answer = yield* post(`${direct.url}${path}`, body)
          expect(told(answer)).toEqual(told(yield* post(`${routed.url}${path}?a=1`, body)))
        }
      }),
    )
})
