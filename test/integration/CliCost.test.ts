import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ask, send } from "../support/LiveServer.js"
import * as Runledger from "../support/Runledger.js"

beforeAll(Runledger.build)

const SHA = "0123456789abcdef0123456789abcdef01234567"
/** Each command line is a process of its own. */
const MINUTES = 300_000

const KEYS = ["model", "day", "worker", "launch", "commit", "branch"]

/** A project in a checkout, a server, and what a command says as JSON from both sources. */
const place = Effect.gen(function* () {
  const { cwd, project } = yield* Runledger.workplace
  const server = yield* Runledger.listening(["serve", "--port", "0"], { cwd })
  const env = { TELEMETRY_API_URL: server.url, NO_COLOR: "1" }
  const git = (line: string) =>
    Effect.map(
      Runledger.bash(`git -C ${project} -c user.name=Ada -c user.email=a@b.c -c commit.gpgsign=false ${line}`, { cwd }),
      ({ stdout }) => stdout.trim(),
    )
  yield* git("init -q -b main")
  yield* git("add .")
  yield* git("commit -qm one")
  yield* git("remote add origin git@github.com:acme/widget.git")
  const said = (args: ReadonlyArray<string>) =>
    Effect.map(Runledger.run([...args, "--json"], { cwd, env }), ({ stdout }) => JSON.parse(stdout))
  const launched = (runId: string) =>
    Effect.flatMap(Runledger.run(["launch", project, "--run-id", runId, "--json"], { cwd, env }), Runledger.resultOf)
  return { cwd, env, git, said, launched, url: server.url }
})

const call = (fields: Readonly<Record<string, unknown>>, nano: number) => ({
  agent_name: "outside",
  job_type: "llm_call",
  status: "success",
  start_time: "2026-01-31T12:00:00Z",
  metrics_json: { input_tokens: 1000, output_tokens: 10, cost_nanousd: nano, cost_status: "priced" },
  ...fields,
})

describe("cost", () => {
  it.scopedLive(
    "a launch in a checkout is paid for by its commit, calls and workers included, until another commit is named",
    () =>
      Effect.gen(function* () {
        const { cwd, env, git, said, launched, url } = yield* place
        const result = yield* launched("run-001")
        const head = yield* git("rev-parse HEAD")
        const commit = { git_repo: "https://github.com/acme/widget.git", git_branch: "main", git_commit_hash: head }
        const rows: ReadonlyArray<unknown> = (yield* ask(`${url}/api/v1/runs?parent_run_id=run-001`)).json
        expect(rows.length).toBeGreaterThan(result.calls)
        for (const row of rows) expect(row).toMatchObject(commit)
        const { json: launch } = yield* ask(`${url}/api/v1/runs/run-001`)
        expect(launch).toMatchObject({
          ...commit,
          git_commit_source: null,
          git_commit_author: "Ada",
          commit_url: `https://github.com/acme/widget/commit/${head}`,
          context_json: { git_dirty: false },
        })
        const names: Readonly<Record<string, string>> = {
          launch: "run-001",
          commit: head,
          branch: "main (github.com/acme/widget)",
        }
        for (const by of KEYS) {
          const online = yield* said(["cost", "--by", by])
          if (by === "worker" || by === "branch") expect(yield* said(["cost", "--by", by, "--local"])).toEqual(online)
          expect([by, online.total.calls, online.total.total_tokens]).toEqual([
            by,
            result.calls,
            result.input_tokens + result.output_tokens,
          ])
          if (by in names) expect(online.groups).toMatchObject([{ group: names[by] }])
          expect(online.total.simulated_cost_nanousd).toBe(Math.round((result.cost_usd ?? 0) * 1e9))
        }
        yield* Runledger.run(["associate-commit", "--propagate", "run-001", SHA], { cwd, env })
        expect((yield* said(["cost", "--by", "commit"])).groups).toMatchObject([{ group: SHA, calls: result.calls }])
        const table = yield* Runledger.run(["cost"], { cwd, env })
        expect(table.stdout.split("\n")[0]).toMatch(/^MODEL +CALLS +ERRORS +IN +CACHED +OUT +SAVED +COST$/)
      }).pipe(Effect.provide(NodeContext.layer)),
    MINUTES,
  )

  it.scopedLive(
    "what comes from outside with sums of its own is never added: tree, stats, runs and cost say the same",
    () =>
      Effect.gen(function* () {
        const { said, url } = yield* place
        const span = (span_id: string, parent_span_id: string | null) => ({
          trace_id: "f".repeat(32),
          span_id,
          parent_span_id,
          model: "model-x",
        })
        const sums = { total_tokens: 99_999, input_tokens: 99_999, cost_nanousd: 5_000_000, cost_status: "priced" }
        const rows = [
          call(
            { event_id: "l", run_id: "outer", job_type: "launch", metrics_json: sums, context_json: span("a", null) },
            0,
          ),
          call({ event_id: "w", run_id: "outer:w", parent_run_id: "outer", job_type: "worker", metrics_json: sums }, 0),
          call({ event_id: "c", run_id: "outer-c", parent_run_id: "outer", context_json: span("b", "a") }, 900),
          call({ event_id: "d", run_id: "outer-d", parent_run_id: "outer:w", context_json: span("c", "b") }, 300),
          call({ event_id: "e", run_id: "outer-e", parent_run_id: "outer", context_json: span("d", "b") }, 600),
          call({ event_id: "f", run_id: "outer-f", parent_run_id: "outer-e" }, 70),
        ]
        expect((yield* send("POST", `${url}/api/v1/runs/batch`, rows)).json).toMatchObject({ inserted: rows.length })
        const expected = { calls: 2, input_tokens: 2000, total_tokens: 2020, cost_nanousd: 370 }
        expect((yield* ask(`${url}/api/v1/runs/outer/tree`)).json.totals).toMatchObject(expected)
        expect((yield* ask(`${url}/api/v1/stats?group_by=day`)).json).toMatchObject([expected])
        for (const args of [["cost"], ["cost", "--run", "outer"], ["cost", "--by", "launch"]]) {
          expect((yield* said(args)).total).toMatchObject({ ...expected, cost_usd: 3.7e-7 })
        }
        expect((yield* said(["cost", "--run", "outer:w"])).total).toMatchObject({ calls: 1, cost_nanousd: 300 })
        expect((yield* said(["runs"]))[0].totals).toMatchObject(expected)
      }).pipe(Effect.provide(NodeContext.layer)),
    MINUTES,
  )

  it.scopedLive(
    "cost --as prices the same tokens as another model, and names those that are near an unknown one",
    () =>
      Effect.gen(function* () {
        const { cwd, env, said, url } = yield* place
        const metrics = (more: Readonly<Record<string, unknown>>) => ({
          metrics_json: { input_tokens: 1_000_000, cache_read_tokens: 400_000, output_tokens: 100_000, ...more },
        })
        const rows = [
          call({ event_id: "1", run_id: "1", ...metrics({ cost_nanousd: 5_000_000_000, cost_status: "priced" }) }, 0),
          call({ event_id: "2", run_id: "2", ...metrics({ cost_nanousd: 7, cost_status: "simulated" }) }, 0),
          call({ event_id: "3", run_id: "3", ...metrics({ cost_nanousd: null, cost_status: "unpriced" }) }, 0),
          call({ event_id: "4", run_id: "4", ...metrics({ cost_nanousd: 0, cost_status: "replayed" }) }, 0),
        ]
        yield* send("POST", `${url}/api/v1/runs/batch`, rows)
        // Haiku 4.5: 600,000 at $1, 400,000 reads at $0.10, 100,000 out at $5 a million.
        const each = 600_000_000 + 40_000_000 + 500_000_000
        for (const name of ["claude-haiku-4-5", "anthropic/claude-haiku-4-5", "claude-haiku-4-5-20251001"]) {
          expect((yield* said(["cost", "--as", name])).total).toMatchObject({
            calls: 4,
            cost_nanousd: 5_000_000_000,
            as_nanousd: each,
            difference_nanousd: each - 5_000_000_000,
            as_simulated_nanousd: each,
            simulated_difference_nanousd: each - 7,
            unpriced_calls: 1,
            as_unpriced_nanousd: each,
            left_out_calls: 1,
            left_out_cost_nanousd: 0,
          })
        }
        const unknown = yield* Runledger.run(["cost", "--as", "claude-haiku-4-7"], { cwd, env })
        expect([unknown.code, unknown.stdout]).toEqual([1, ""])
        expect(unknown.stderr).toMatch(/No price is known for claude-haiku-4-7.*claude-haiku-4-5/)
        const both = yield* Runledger.run(["cost", "--as", "claude-haiku-4-5", "--duplicates"], { cwd, env })
        expect(both.code).toBe(1)
        const table = yield* Runledger.run(["cost", "--as", "claude-haiku-4-5"], { cwd, env })
        expect(table.stdout).toContain("tokenizer")
      }).pipe(Effect.provide(NodeContext.layer)),
    MINUTES,
  )

  it.scopedLive(
    "cost says what caching saved, lists unpriced calls by model, and cost --duplicates what was asked twice",
    () =>
      Effect.gen(function* () {
        const { cwd, env, said, launched, url } = yield* place
        yield* launched("run-001")
        yield* launched("run-002")
        const { duplicates, total } = yield* said(["cost", "--duplicates", "--limit", "1000"])
        expect(yield* said(["cost", "--duplicates", "--limit", "1000", "--local"])).toEqual({ duplicates, total })
        expect(total.prompts).toBeGreaterThan(1)
        expect(total).toMatchObject({
          calls: 0,
          spent_nanousd: 0,
          wasted_nanousd: 0,
          simulated_calls: 2 * total.prompts,
        })
        expect(total.simulated_wasted_nanousd * 2).toBe(total.simulated_spent_nanousd)
        expect(duplicates[0].asked.map(({ launch }: { readonly launch: string }) => launch)).toEqual([
          "run-001",
          "run-002",
        ])
        const cached = {
          input_tokens: 11_000,
          output_tokens: 0,
          cache_read_tokens: 10_000,
          cost_nanousd: 6_000_000,
          cost_status: "priced",
          cost_breakdown: {
            uncached_input: 3_000_000,
            cache_read: 3_000_000,
            cache_write_5m: 0,
            cache_write_1h: 0,
            output: 0,
          },
        }
        const model = (name: string) => ({ context_json: { provider: "anthropic", model: name } })
        const unknown = { input_tokens: 5, output_tokens: 6, cost_status: "unpriced" }
        const rows = [
          call({ event_id: "k", run_id: "k", metrics_json: cached, ...model("claude-sonnet-4-5") }, 0),
          call({ event_id: "u", run_id: "u", metrics_json: cached, ...model("no-such-model") }, 0),
          call({ event_id: "n", run_id: "n", metrics_json: unknown, ...model("no-such-model") }, 0),
        ]
        yield* send("POST", `${url}/api/v1/runs/batch`, rows)
        const told = yield* said(["cost", "--since", "2026-01-31"])
        const named = Object.fromEntries(told.groups.map((group: { readonly group: string }) => [group.group, group]))
        expect(named["no-such-model"]).toMatchObject({
          cache_savings_nanousd: 0,
          cache_savings_unknown_calls: 1,
          cache_savings_unknown_tokens: 10_000,
        })
        expect(told.total).toMatchObject({ cache_savings_nanousd: 27_000_000, cache_savings_usd: 0.027 })
        expect(told.unpriced).toEqual([
          { provider: "anthropic", model: "no-such-model", calls: 1, input_tokens: 5, output_tokens: 6 },
        ])
        expect(told.prices).toMatchObject({ is_old: expect.any(Boolean) })
        const table = (yield* Runledger.run(["cost"], { cwd, env })).stdout
        expect(table).toMatch(/anthropic\/no-such-model: 1 call, 5 tokens in, 6 out/)
        expect(table).toContain("$0.0270")
      }).pipe(Effect.provide(NodeContext.layer)),
    MINUTES,
  )
})
