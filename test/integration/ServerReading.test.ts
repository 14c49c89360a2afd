import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Answer, ask, run, send, start } from "../support/LiveServer.js"

const call = (n: number, fields: Readonly<Record<string, unknown>> = {}) =>
  run({
    event_id: `call-${n}`,
    run_id: `run-001-llm-c${n}`,
    parent_run_id: "run-001",
    agent_name: `launch.llm.c${n}`,
    job_type: "llm_call",
    status: "success",
    metrics_json: {
      input_tokens: n,
      output_tokens: n,
      total_tokens: 2 * n,
      api_cost_usd: n / 1000,
      cost_nanousd: n * 1e6,
      cost_status: "priced",
    },
    context_json: {
      trace_id: "abc123",
      span_id: `s${n}`,
      parent_span_id: "launch",
      model: n % 2 === 0 ? "even" : "odd",
    },
    ...fields,
  })

const ids = (answer: Answer): ReadonlyArray<string> => answer.json.map((row: { event_id: string }) => row.event_id)

/** What `Link: <…>; rel="next"` names. */
const next = (answer: Answer): string | undefined =>
  /^<([^>]+)>; rel="next"$/.exec(String(answer.headers["link"] ?? ""))?.[1]

describe("Server: reading runs", () => {
  const filled = Effect.gen(function* () {
    const server = yield* start()
    yield* send(
      "POST",
      `${server.url}/api/v1/runs`,
      run({ context_json: { trace_id: "abc123", span_id: "launch" }, product: "p" }),
    )
    yield* send(
      "POST",
      `${server.url}/api/v1/runs/batch`,
      Array.from({ length: 1200 / 2 }, (_, n) => call(n + 1)),
    )
    yield* send(
      "POST",
      `${server.url}/api/v1/runs/batch`,
      Array.from({ length: 1200 / 2 }, (_, n) => call(n + 601)),
    )
    yield* send("PATCH", `${server.url}/api/v1/runs/call-7`, { status: "failed" })
    return server
  })

  it.scopedLive("pages newest first, tells the total, and its Link leads through every row exactly once", () =>
    Effect.gen(function* () {
      const { url } = yield* filled
      const first = yield* ask(`${url}/api/v1/runs`)
      expect(first.json).toHaveLength(100)
      expect(first.headers["x-total-count"]).toBe("1201")
      const seen: Array<string> = []
      let at: string | undefined = "/api/v1/runs?job_type=llm_call&limit=500"
      while (at !== undefined) {
        const page: Answer = yield* ask(`${url}${at}`)
        seen.push(...ids(page))
        at = next(page)
      }
      expect(seen).toHaveLength(1200)
      expect(new Set(seen).size).toBe(1200)
      expect(ids(yield* ask(`${url}/api/v1/runs?limit=2&offset=3&job_type=llm_call`))).toEqual(seen.slice(3, 5))
    }),
  )

  it.scopedLive("sends every match of one run, parent or trace, so that no sum is cut", () =>
    Effect.gen(function* () {
      const { url } = yield* filled
      for (const query of [
        "parent_run_id=run-001",
        "parent_run_id=run-001&job_type=llm_call",
        "trace_id=abc123&job_type=llm_call",
      ]) {
        const all = yield* ask(`${url}/api/v1/runs?${query}`)
        expect(all.json, query).toHaveLength(1200)
        expect(all.headers["x-total-count"]).toBe("1200")
        expect(
          all.json.reduce(
            (sum: number, row: { metrics_json: { total_tokens: number } }) => sum + row.metrics_json.total_tokens,
            0,
          ),
        ).toBe(1200 * 1201)
      }
      expect((yield* ask(`${url}/api/v1/runs?parent_run_id=run-001&limit=5`)).json).toHaveLength(5)
      expect((yield* ask(`${url}/api/v1/runs?parent_run_id=run-001&offset=1195`)).json).toHaveLength(5)
      expect((yield* ask(`${url}/api/v1/runs?run_id=nobody`)).json).toEqual([])
    }),
  )

  it.scopedLive("finds by every filter of the contract", () =>
    Effect.gen(function* () {
      const { url } = yield* filled
      const count = (query: string) =>
        Effect.map(ask(`${url}/api/v1/runs?${query}`), (answer) => Number(answer.headers["x-total-count"]))
      for (const [query, expected] of [
        ["run_id=run-001", 1],
        ["agent_name=launch.llm.c5", 1],
        ["job_type=launch", 1],
        ["status=failed", 1],
        ["job_type=llm_call&status=failure", 1],
        ["product=p", 1],
        ["model=even", 600],
        ["created_after=2000-01-01T00:00:00Z", 1201],
        ["created_before=2000-01-01T00:00:00Z", 0],
        ["start_time_from=2026-01-31T12:00:00Z", 1201],
        ["start_time_to=2026-01-31T13:59:59%2B02:00", 0],
        ["start_time_to=2026-01-31T14:00:00+02:00", 1201],
        ["unknown=1&job_type=launch", 1],
      ] as const) {
        expect(yield* count(query), query).toBe(expected)
      }
    }),
  )

  it.scopedLive("refuses a bad status or timestamp with 400, a bad limit, offset or cursor with 422", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      for (const query of ["status=weird", "created_after=yesterday", "start_time_to=2026-01-31T12:00:00"]) {
        expect(yield* ask(`${url}/api/v1/runs?${query}`), query).toMatchObject({
          status: 400,
          json: { detail: expect.any(String) },
        })
      }
      for (const query of [
        "limit=0",
        "limit=1001",
        "limit=many",
        "limit=",
        "offset=-1",
        "cursor=nonsense",
        "limit=1&limit=2",
        "offset=1e3",
      ]) {
        const answer = yield* ask(`${url}/api/v1/runs?${query}`)
        expect(answer, query).toMatchObject({
          status: 422,
          json: { detail: [{ loc: ["query", query.split("=")[0]] }] },
        })
      }
      expect((yield* ask(`${url}/api/v1/stats?group_by=colour`)).status).toBe(422)
    }),
  )

  it.scopedLive("gives one run by event_id or run_id, and its tree with money rolled up", () =>
    Effect.gen(function* () {
      const { url } = yield* filled
      expect((yield* ask(`${url}/api/v1/runs/call-7`)).json.run_id).toBe("run-001-llm-c7")
      expect((yield* ask(`${url}/api/v1/runs/run-001`)).json.event_id).toBe("e-1")
      expect((yield* ask(`${url}/api/v1/runs/nobody`)).status).toBe(404)
      const tree = (yield* ask(`${url}/api/v1/runs/run-001/tree`)).json
      expect(tree.children).toHaveLength(1200)
      expect(tree.totals).toMatchObject({
        calls: 1200,
        errors: 1,
        total_tokens: 1200 * 1201,
        cost_nanousd: 600 * 1201 * 1e6,
      })
      expect((yield* ask(`${url}/api/v1/runs/e-1/tree`)).json.run.run_id).toBe("run-001")
      expect((yield* ask(`${url}/api/v1/runs/nobody/tree`)).status).toBe(404)
      expect((yield* ask(`${url}/api/v1/runs/${encodeURIComponent("x".repeat(1024))}`)).status).toBe(404)
    }),
  )

  it.scopedLive("rolls calls up, tells names and counts, and links commits of known hosts only", () =>
    Effect.gen(function* () {
      const { url } = yield* filled
      const stats = (yield* ask(`${url}/api/v1/stats?group_by=model&parent_run_id=run-001`)).json
      expect(stats.map((group: { group: string; calls: number }) => [group.group, group.calls])).toEqual([
        ["even", 600],
        ["odd", 600],
      ])
      const metadata = (yield* ask(`${url}/api/v1/metadata`)).json
      expect(metadata).toMatchObject({ job_types: ["launch", "llm_call"], counts: { agent_names: 1201, job_types: 2 } })
      expect((yield* ask(`${url}/metrics`)).json).toMatchObject({
        total_runs: 1201,
        recent_24h: 1201,
        performance: { synchronous: "full" },
      })
      const git = { git_repo: "https://gitlab.com/a/b/c", git_commit_hash: "0123456" }
      yield* send("POST", `${url}/api/v1/runs`, run({ event_id: "git", ...git }))
      yield* send(
        "POST",
        `${url}/api/v1/runs`,
        run({ event_id: "evil", ...git, git_repo: "https://gitlab.com.evil.example/a/b" }),
      )
      expect((yield* ask(`${url}/api/v1/runs/git/commit-url`)).json).toEqual({
        commit_url: "https://gitlab.com/a/b/c/-/commit/0123456",
      })
      expect((yield* ask(`${url}/api/v1/runs/git/repo-url`)).json).toEqual({ repo_url: "https://gitlab.com/a/b/c" })
      expect((yield* ask(`${url}/api/v1/runs/evil/commit-url`)).json).toEqual({ commit_url: null })
    }),
  )
})
