import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ask, run, send, start } from "../support/LiveServer.js"

const call = (n: number, fields: Readonly<Record<string, unknown>> = {}) =>
  run({
    event_id: `c-${n}`,
    run_id: `call-${n}`,
    parent_run_id: "run-001",
    job_type: "llm_call",
    start_time: `2026-01-31T12:00:00.${String(n % 1000).padStart(3, "0")}Z`,
    created_at: `2026-01-31T12:00:00.${String(n % 7).padStart(3, "0")}Z`,
    metrics_json: { input_tokens: n, output_tokens: 1, cost_nanousd: n, cost_status: "priced" },
    ...fields,
  })

const linesOf = (text: string): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  text.split("\n").flatMap((line) => (line === "" ? [] : JSON.parse(line)))

describe("GET /api/v1/calls", () => {
  it.scopedLive("more calls than one page holds come each once, newest first, and add up", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const many = 4500
      for (let from = 0; from < many; from += 500) {
        const rows = Array.from({ length: 500 }, (_, n) => call(from + n))
        yield* send("POST", `${url}/api/v1/runs/batch`, rows)
      }
      yield* send("POST", `${url}/api/v1/runs`, run())
      for (const query of ["", "?under=run-001"]) {
        const answer = yield* ask(`${url}/api/v1/calls${query}`)
        expect(answer.headers["content-type"]).toContain("application/x-ndjson")
        const lines = linesOf(answer.text)
        expect(new Set(lines.map((line) => line["run_id"])).size).toBe(many)
        expect(lines).toHaveLength(many)
        const listed: ReadonlyArray<{ readonly run_id: string }> = (yield* ask(
          `${url}/api/v1/runs?parent_run_id=run-001`,
        )).json
        expect(lines.map((line) => line["run_id"])).toEqual(listed.map(({ run_id }) => run_id))
      }
      const sum = linesOf((yield* ask(`${url}/api/v1/calls?start_time_from=2026-01-31T12:00:00.500Z`)).text).length
      expect(sum).toBe(2000)
    }),
  )

  it.scopedLive(
    "odd rows keep their texts to the letter, a bad filter is 400, and a call around calls is no line",
    () =>
      Effect.gen(function* () {
        const { url } = yield* start()
        const odd = {
          git_branch: "a\u0000b\ud800",
          context_json: {
            model: "m\u0000",
            worker: { not: "a text" },
            prompt_hash: 5,
            call_id: "ü\n",
            more: "left out",
          },
          metrics_json: { text: "\u2028", cost_nanousd: 1 },
        }
        yield* send("POST", `${url}/api/v1/runs/batch`, [
          call(1, odd),
          call(2, { metrics_json: null, context_json: null }),
          call(3, { parent_run_id: "call-4" }),
          call(4),
          run({ event_id: "w", job_type: "worker", metrics_json: { cost_nanousd: 9, total_tokens: 9 } }),
        ])
        const lines = linesOf((yield* ask(`${url}/api/v1/calls`)).text)
        expect(lines.map((line) => line["run_id"]).sort()).toEqual(["call-1", "call-2", "call-3"])
        const found = lines.find((line) => line["run_id"] === "call-1")
        const { more: _more, ...context } = odd.context_json
        expect(found).toMatchObject({ ...odd, context_json: { ...context, response_model: null } })
        expect(found?.["context_json"]).not.toHaveProperty("more")
        expect(lines.find((line) => line["run_id"] === "call-2")).toMatchObject({ metrics_json: null })
        expect((yield* ask(`${url}/api/v1/calls?status=nonsense`)).status).toBe(400)
        expect((yield* ask(`${url}/api/v1/calls?start_time_from=yesterday`)).status).toBe(400)
        expect((yield* ask(`${url}/api/v1/calls?under=nobody`)).text).toBe("")
      }),
  )
})
