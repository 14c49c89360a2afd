import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { expect, it } from "@effect/vitest"
import { GroupBy } from "../../src/domain/Stats.js"
import type { Over } from "./HttpApiWriteSuite.js"
import { run } from "./PlainClient.js"
import { chained } from "./RunStores.js"

const shell = promisify(execFile)

const call = (event_id: string, fields: Readonly<Record<string, unknown>> = {}, cost = 0.25) =>
  run(event_id, {
    run_id: `run-001-llm-${event_id}`,
    parent_run_id: "run-001",
    job_type: "llm_call",
    agent_name: `launch.llm.${event_id}`,
    status: "success",
    duration_ms: 1000,
    context_json: { trace_id: "abc123", span_id: event_id, model: "m", provider: "p" },
    metrics_json: {
      input_tokens: 10,
      output_tokens: 5,
      total_tokens: 15,
      api_cost_usd: cost,
      cost_nanousd: cost * 1e9,
      cost_status: "priced",
    },
    ...fields,
  })

const FAMILY = [run("root", { run_id: "run-001" }), call("c1"), call("c2"), call("c3", { status: "failure" })]

/** The lines of the contract; the last filter is jq's. */
const CURL: ReadonlyArray<readonly [string, string, unknown]> = [
  ["parent_run_id=run-001&job_type=llm_call", "length", 3],
  ["parent_run_id=run-001&job_type=llm_call", "[.[] | .metrics_json.total_tokens] | add", 45],
  ["parent_run_id=run-001&job_type=llm_call", "[.[] | .metrics_json.api_cost_usd] | add", 0.75],
  ["job_type=llm_call&status=failure", ".[].event_id", "c3"],
  ["job_type=llm_call", '[.[] | select(.context_json.trace_id == "abc123")] | length', 3],
]

/** What a plain client learns of runs it has told of. */
export const questions = (over: Over): void => {
  it.live("GET one, tree, urls: another run, another sum, or a link that leads elsewhere", () =>
    over(async ({ post, get, status }) => {
      await post("/api/v1/runs/batch", FAMILY)
      const byRunId = (await get("/api/v1/runs/run-001")).json
      expect(byRunId).toEqual((await get("/api/v1/runs/root")).json)
      expect(byRunId).toMatchObject({ id: expect.any(Number), schema_version: 1, updated_at: null, commit_url: null })
      const tree = (await get("/api/v1/runs/run-001/tree")).json
      expect(tree).toMatchObject({ run: byRunId, totals: { calls: 3, errors: 1, total_tokens: 45 } })
      expect(tree.children).toHaveLength(3)
      const links: ReadonlyArray<readonly [string | null, string | null]> = [
        ["https://github.com/o/n.git", "https://github.com/o/n"],
        ["https://gitlab.com/g/s/n", "https://gitlab.com/g/s/n"],
        ["https://bitbucket.org/o/n", "https://bitbucket.org/o/n"],
        ["http://github.com/o/n", null],
        ["https://github.com.evil.example/o/n", null],
        ["https://evil.example/github.com/o/n", null],
        ["https://github.com@evil.example/o/n", null],
        ["git@github.com:o/n.git", null],
        ["javascript:alert(1)", null],
        [null, null],
      ]
      for (const [index, [git_repo, repo_url]] of links.entries()) {
        await post("/api/v1/runs", run(`link${index}`, { git_repo, git_commit_hash: "abcdef1234" }))
        expect((await get(`/api/v1/runs/link${index}/repo-url`)).json, String(git_repo)).toEqual({ repo_url })
        const { commit_url } = (await get(`/api/v1/runs/link${index}/commit-url`)).json
        expect(commit_url === null ? null : commit_url.startsWith(`${repo_url}/`), String(git_repo)).toBe(
          repo_url === null ? null : true,
        )
      }
      for (const path of ["", "/tree", "/events", "/commit-url", "/repo-url"]) {
        expect(await status("GET", `/api/v1/runs/nobody${path}`), path).toBe(404)
      }
    }),
  )

  it.live("GET events: an event is lost, changed, or out of order", () =>
    over(async ({ post, get, status }) => {
      const ops = ["1", "2", "3"].map((digit) => chained(`ev-${digit}`, "run-e", digit))
      const told = await post("/api/v1/ops", { ops, client: { run_id: "run-e" } })
      expect(told.json.results.map((one: { readonly status: string }) => one.status)).toEqual([
        "stored",
        "stored",
        "stored",
      ])
      const all = await get("/api/v1/runs/run-e/events")
      expect(all.json).toEqual(ops.map(({ event }) => event))
      expect([all.headers.get("x-total-count"), all.headers.get("x-log-head")]).toEqual(["3", "3".repeat(64)])
      const first = await get("/api/v1/runs/run-e/events?limit=2")
      const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.get("link") ?? "")?.[1] ?? ""
      expect((await get(next)).json).toEqual([ops[2]?.event])
      expect((await get("/api/v1/runs/run-e/events?after=ev-3")).json).toEqual([])
      expect(await status("GET", "/api/v1/runs/run-e/events?after=nobody")).toBe(422)
      expect(await status("GET", "/api/v1/runs/run-e/events?limit=0")).toBe(422)
    }),
  )

  it.live("GET stats: money, tokens or errors of a group are not the rows' own", () =>
    over(async ({ post, get, status }) => {
      await post("/api/v1/runs/batch", FAMILY)
      const [group] = (await get("/api/v1/stats")).json
      expect(group).toMatchObject({ group: "m", calls: 3, errors: 1, total_tokens: 45 })
      expect(group.cost_usd).toBeCloseTo(0.75, 9)
      for (const by of GroupBy.literals) {
        const groups = (await get(`/api/v1/stats?group_by=${by}&parent_run_id=run-001`)).json
        const calls = groups.reduce((sum: number, one: { readonly calls: number }) => sum + one.calls, 0)
        expect([by, calls]).toEqual([by, 3])
      }
      expect((await get("/api/v1/stats?status=failed")).json).toMatchObject([{ calls: 1, errors: 1 }])
      expect(await status("GET", "/api/v1/stats?group_by=nonsense")).toBe(422)
      expect(await status("GET", "/api/v1/stats?status=nonsense")).toBe(400)
      const metrics = (await get("/metrics")).json
      expect([metrics.total_runs, metrics.agents["launch.llm.c1"]]).toEqual([4, 1])
    }),
  )

  it.live("GET stream: a change does not come, or cannot be gone on from", () =>
    over(async ({ url, post, get }) => {
      const leave = new AbortController()
      const response = await fetch(`${url}/api/v1/stream`, { signal: leave.signal })
      expect([response.status, response.headers.get("content-type"), response.headers.get("cache-control")]).toEqual([
        200,
        "text/event-stream",
        "no-store",
      ])
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
      const opening = (await reader?.read())?.value ?? ""
      const id = /^id: (\S+)$/m.exec(opening)?.[1] ?? ""
      await post("/api/v1/runs", run("told"))
      const text = (await reader?.read())?.value ?? ""
      expect(text).toMatch(/^id: \S+\nevent: run\ndata: \{.*\}\n\n$/)
      expect(JSON.parse(/^data: (.*)$/m.exec(text)?.[1] ?? "")).toEqual((await get("/api/v1/runs/told")).json)
      leave.abort()
      const again = await fetch(`${url}/api/v1/stream`, { headers: { "last-event-id": id } })
      const missed = again.body?.pipeThrough(new TextDecoderStream()).getReader()
      let seen = ""
      while (!seen.includes('"event_id":"told"')) seen += (await missed?.read())?.value ?? '"event_id":"told"'
      expect(seen).toContain("event: run")
      await missed?.cancel()
      expect((await get("/api/v1/stream?status=nonsense")).status).toBe(400)
    }),
  )

  it.live("the lines of the contract do not work as written, through curl and jq", () =>
    over(async ({ url, post }) => {
      await post("/api/v1/runs/batch", FAMILY)
      const tools = await Promise.allSettled([shell("curl", ["--version"]), shell("jq", ["--version"])])
      if (tools.some(({ status }) => status === "rejected")) return
      for (const [query, filter, wanted] of CURL) {
        const { stdout } = await shell("sh", ["-c", `curl -sS '${url}/api/v1/runs?${query}' | jq -c '${filter}'`])
        expect(JSON.parse(stdout), filter).toEqual(wanted)
      }
    }),
  )
}
