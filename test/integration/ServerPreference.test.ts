import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Sample from "../support/EventSamples.js"
import { ask, start } from "../support/LiveServer.js"

const event = (n: number) => ({ op: "event", event_id: Sample.event(n).event_id, event: Sample.event(n) })
const create = (id: string) => ({
  op: "create",
  event_id: id,
  run_id: `run-${id}`,
  agent_name: "a",
  job_type: "llm_call",
  start_time: "2026-01-31T12:00:00Z",
})
const update = (id: string) => ({ op: "update", event_id: id, status: "success" })

const post = (url: string, ops: ReadonlyArray<object>, prefer?: string) =>
  ask(`${url}/api/v1/ops`, {
    method: "POST",
    body: JSON.stringify({ ops }),
    headers: { "content-type": "application/json", ...(prefer === undefined ? {} : { prefer }) },
  })

describe("POST /api/v1/ops with Prefer", () => {
  it.scopedLive("return=minimal is told of nothing but what was not plainly done, each with its place", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const first = yield* post(url, [create("a"), update("a"), event(1)], "return=minimal")
      expect(first.status).toBe(200)
      expect(first.headers["preference-applied"]).toBe("return=minimal")
      expect(first.json).toEqual({ operations: 3, results: [] })
      const second = yield* post(
        url,
        [event(2), create("a"), { op: "nonsense" }, update("unknown"), event(1), create("b")],
        'respond-async, Return="Minimal"; x=1',
      )
      expect(second.json.operations).toBe(6)
      expect(second.json.results).toMatchObject([
        { index: 1, op: "create", event_id: "a", status: "duplicate" },
        { index: 2, op: "unknown", status: "error", detail: expect.any(String) },
        { index: 3, op: "update", event_id: "unknown", status: "pending" },
        { index: 4, op: "event", status: "duplicate" },
      ])
      expect((yield* ask(`${url}/api/v1/runs?run_id=run-a`)).json[0].status).toBe("success")
    }),
  )

  for (const prefer of [undefined, "return=representation", "return=representation, return=minimal", "minimal"])
    it.scopedLive(`${prefer ?? "nothing"} gets one result an operation, as ever`, () =>
      Effect.gen(function* () {
        const { url } = yield* start()
        const answer = yield* post(url, [create("a"), event(1)], prefer)
        expect(answer.headers["preference-applied"]).toBeUndefined()
        expect(Object.keys(answer.json)).toEqual(["results"])
        expect(answer.json.results.map(({ status }: { readonly status: string }) => status)).toEqual([
          "created",
          "stored",
        ])
      }),
    )
})
