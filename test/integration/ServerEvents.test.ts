import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { RunStore } from "../../services/RunStore.js"
import { ask, send, start } from "../support/LiveServer.js"

const hash = (digit: string) => digit.repeat(64)

const event = (id: string, runId: string, more: object = {}) => ({
  event_id: id,
  run_id: runId,
  ts: "2026-01-01T00:00:00.000Z",
  trace_id: "a".repeat(32),
  span_id: "b".repeat(16),
  type: "RUN_STATE_CHANGED",
  payload: { old_state: "CREATED", new_state: "CLONED_INPUTS" },
  ...more,
})

const operation = (id: string, runId: string, more?: object) => ({
  op: "event",
  event_id: id,
  event: event(id, runId, more),
})

const post = (url: string, body: string) =>
  ask(`${url}/api/v1/ops`, { method: "POST", body, headers: { "content-type": "application/json" } })

const nextOf = (link: unknown): string | undefined => /^<([^>]+)>; rel="next"$/.exec(String(link ?? ""))?.[1]

describe("GET /api/v1/runs/{run_id}/events", () => {
  it.scopedLive("gives a run's events in the order of their arrival, page by page, with total, head and next", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const runId = "run 1/ü:W"
      const path = `${url}/api/v1/runs/${encodeURIComponent(runId)}/events`
      const sent = Array.from({ length: 250 }, (_, n) =>
        operation(`e${(n * 3) % 250}`, runId, { prev_hash: hash("0"), event_hash: hash(String(n % 10)) }),
      )
      const replies = yield* send("POST", `${url}/api/v1/ops`, { ops: [...sent, operation("x", "other")] })
      expect(replies.status).toBe(200)
      yield* send("POST", `${url}/api/v1/ops`, { ops: sent.slice(0, 3) })

      const seen: Array<unknown> = []
      let next: string | undefined = `${path}?limit=99`
      let pages = 0
      while (next !== undefined) {
        const answer = yield* ask(next)
        expect(answer.status).toBe(200)
        expect(answer.headers["content-type"]).toBe("application/json")
        expect(answer.headers["x-total-count"]).toBe("250")
        expect(answer.headers["x-log-head"]).toBe(hash("9"))
        seen.push(...answer.json)
        pages += 1
        const link = nextOf(answer.headers["link"])
        next = link === undefined ? undefined : `${url}${link}`
      }
      expect(pages).toBe(3)
      expect(seen).toEqual(sent.map(({ event: each }) => each))
      expect((yield* ask(path)).json).toHaveLength(100)
      expect((yield* ask(`${path}?after=e3&limit=1`)).json).toEqual([sent[2]?.event])
      const last = yield* ask(`${path}?after=${sent.at(-1)?.event_id}`)
      expect(last.text).toBe("[]")
      expect(last.headers["link"]).toBeUndefined()
    }),
  )

  it.scopedLive("gives events to the letter as they were written, and without a head when no chain is known", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const text = JSON.stringify(event("1", "r")).replace(
        '"payload":{',
        '"note": "\\u00e9é\\ud83d", "amount":1.50, "__proto__": {"a":1}, "payload":{ "9":1, ',
      )
      const answer = yield* post(url, `{"ops":[{"op":"event","event_id":"1","event": ${text}}]}`)
      expect(answer.json.results).toMatchObject([{ status: "stored" }])
      const read = yield* ask(`${url}/api/v1/runs/r/events`)
      expect(read.text).toBe(`[${text}]`)
      expect(read.headers["x-total-count"]).toBe("1")
      expect(read.headers["x-log-head"]).toBeUndefined()
    }),
  )

  it.scopedLive(
    "refuses a bad limit and an unknown event with 422, an unknown run with 404; a run without events is empty",
    () =>
      Effect.gen(function* () {
        const { url } = yield* start()
        yield* send("POST", `${url}/api/v1/ops`, { ops: [operation("1", "r"), operation("2", "other")] })
        for (const limit of ["0", "1001", "-1", "x", "1.5", ""]) {
          const answer = yield* ask(`${url}/api/v1/runs/r/events?limit=${limit}`)
          expect(answer.status, limit).toBe(422)
          expect(answer.json.detail[0].loc, limit).toEqual(["query", "limit"])
        }
        for (const after of ["2", "nobody", ""]) {
          const answer = yield* ask(`${url}/api/v1/runs/r/events?after=${after}`)
          expect(answer.status, after).toBe(422)
          expect(answer.json.detail[0].loc, after).toEqual(["query", "after"])
        }
        const stranger = yield* ask(`${url}/api/v1/runs/nobody/events`)
        expect(stranger.status).toBe(404)
        expect(stranger.json.detail).toContain("nobody")
        yield* send("POST", `${url}/api/v1/ops`, {
          ops: [
            {
              op: "create",
              event_id: "c",
              run_id: "bare",
              agent_name: "a",
              job_type: "launch",
              start_time: "2026-01-01T00:00:00Z",
            },
          ],
        })
        const bare = yield* ask(`${url}/api/v1/runs/bare/events`)
        expect([bare.status, bare.text, bare.headers["x-total-count"]]).toEqual([200, "[]", "0"])
        expect((yield* ask(`${url}/openapi.json`)).json.paths["/api/v1/runs/{id}/events"].get.parameters).toHaveLength(
          3,
        )
      }),
  )

  it.scopedLive("still refuses a bad event with an error in its place, and keeps its neighbours", () =>
    Effect.gen(function* () {
      const { url, store } = yield* start()
      const deep = `${"[".repeat(120)}${"]".repeat(120)}`
      const wrong = [
        operation("a", "r", { type: "NOT_A_TYPE" }),
        operation("b", "r", { trace_id: "short" }),
        operation("c", "r", { payload: { old_state: "CREATED" } }),
        { ...operation("d", "r"), event: "text" },
        { ...operation("e", "r"), event: null },
        { ...operation("", "r") },
        { ...operation("f", "r"), op: "evnt" },
      ].map((each) => JSON.stringify(each))
      const harsh = [
        JSON.stringify(operation("g", "r")).replace('"payload"', '"more":1e999,"payload"'),
        JSON.stringify(operation("h", "r")).replace('"payload"', `"more":${deep},"payload"`),
        `{"op":"create","event_id":"i","run_id":"r","agent_name":"a","job_type":"j","start_time":"now"}`,
      ]
      const bad = [...wrong, ...harsh]
      const good = (n: number) => JSON.stringify(operation(`good-${n}`, "r"))
      for (const batch of [wrong, bad]) {
        const mixed = batch.flatMap((each, n) => [each, good(n)])
        const { status, json } = yield* post(url, `{"ops":[${mixed.join(",")}]}`)
        expect(status).toBe(200)
        const statuses: ReadonlyArray<string> = json.results.map((result: { status: string }) => result.status)
        expect(statuses.filter((_, n) => n % 2 === 0)).toEqual(batch.map(() => "error"))
        expect(statuses.filter((_, n) => n % 2 === 1)).not.toContain("error")
      }
      const head = yield* Context.get(store, RunStore).logHead("r")
      expect(head).toMatchObject({ value: { events: bad.length } })
      const tooDeep = yield* post(url, `{"ops":${"[".repeat(1100)}${"]".repeat(1100)}}`)
      expect([tooDeep.status, tooDeep.json.detail]).toEqual([
        400,
        "The JSON nests deeper than 1000 levels. Flatten it.",
      ])
    }),
  )

  it.scopedLive("takes an empty batch with a client's name as a sign of life", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const answer = yield* send("POST", `${url}/api/v1/ops`, {
        ops: [],
        client: { run_id: "r", dropped: 2, backlog: 0 },
      })
      expect([answer.status, answer.json]).toEqual([200, { results: [] }])
      const bare = yield* send("POST", `${url}/api/v1/ops`, { ops: [], client: { run_id: "r" } })
      expect([bare.status, bare.json]).toEqual([200, { results: [] }])
      expect((yield* ask(`${url}/metrics`)).json.performance.client_dropped).toBe(2)
    }),
  )
})
