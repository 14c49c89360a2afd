import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { send } from "../support/LiveServer.js"
import * as Runledger from "../support/Runledger.js"

beforeAll(Runledger.build)

/** Each command line is a process of its own. */
const MINUTES = 300_000

const call = (id: string, more: Readonly<Record<string, unknown>>) => ({
  event_id: id,
  run_id: id,
  agent_name: "outside",
  job_type: "llm_call",
  status: "success",
  start_time: "2026-01-31T12:00:00Z",
  metrics_json: { input_tokens: 1000, output_tokens: 10, cost_nanousd: 7, cost_status: "priced" },
  ...more,
})

const place = Effect.gen(function* () {
  const { cwd, path, project } = yield* Runledger.workplace
  const { url } = yield* Runledger.listening(["serve", "--port", "0"], { cwd })
  const env = { TELEMETRY_API_URL: url, NO_COLOR: "1" }
  const run = (...args: ReadonlyArray<string>) => Runledger.run(args, { cwd, env })
  const said = (...args: ReadonlyArray<string>) =>
    Effect.map(run(...args, "--json"), ({ stdout }) => JSON.parse(stdout))
  const post = (rows: ReadonlyArray<unknown>) => send("POST", `${url}/api/v1/runs/batch`, rows)
  return { path, post, project, run, said }
})

describe("calls that were recorded", () => {
  it.scopedLive(
    "show of a call, by any of its ids, lacks the question, the answer or the place of its evidence",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { path, project, run, said } = yield* place
        expect((yield* run("launch", project, "--run-id", "run-001")).code).toBe(0)
        const [newest] = yield* said("calls")
        const { call_id: callId, evidence_path: file } = newest.context_json
        const whole = yield* run("show", callId, "--full")
        expect([whole.code, whole.stderr]).toEqual([0, ""])
        expect(whole.stdout).toContain(`evidence  runs/run-001/${file}`)
        const evidence = JSON.parse(yield* fs.readFileString(path("runs/run-001", file)))
        for (const text of [evidence.request.messages[0].content, evidence.response.content[0].text]) {
          for (const line of text.split("\n")) expect(whole.stdout).toContain(line)
        }
        const short = yield* run("show", newest.event_id)
        expect(short.stdout).toMatch(/\nUSER\n[\s\S]*--full shows all\n/)
        for (const args of [[callId, "--run", "run-001"], [newest.run_id], [callId, "--local"]]) {
          expect((yield* run("show", ...args)).stdout).toBe(short.stdout)
        }
        expect(yield* said("show", newest.event_id)).toMatchObject({
          run: { event_id: newest.event_id },
          evidence_file: `runs/run-001/${file}`,
          evidence: { event_id: newest.event_id },
        })
        const elsewhere = yield* run("show", callId, "--runs-dir", "nowhere")
        expect([elsewhere.code, elsewhere.stdout]).toEqual([0, expect.stringMatching(/not in nowhere.*--runs-dir/)])
        const unknown = yield* run("show", "no-such-call", "--run", "run-001")
        expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining("runledger calls --run run-001")])
      }).pipe(Effect.provide(NodeContext.layer)),
    MINUTES,
  )

  it.scopedLive(
    "calls and cost mean different calls by --run, or a fallback's money is put down to the model that was asked",
    () =>
      Effect.gen(function* () {
        const { post, run, said } = yield* place
        const context_json = { model: "claude-sonnet-4-5", provider: "openai", response_model: "gpt-4o-mini" }
        yield* post([
          call("own-1", { run_id: "my-run" }),
          call("own-2", { run_id: "my-run", status: "failure", error_summary: "no" }),
          call("outer", { event_id: "outer", run_id: "outer", job_type: "launch" }),
          call("inner", { run_id: "inner", parent_run_id: "outer", job_type: "worker" }),
          call("deep", { parent_run_id: "inner", context_json }),
          call("other", { parent_run_id: "elsewhere" }),
        ])
        const of = (rows: ReadonlyArray<{ readonly event_id: string }>) => rows.map(({ event_id }) => event_id).sort()
        expect(of(yield* said("calls", "--run", "my-run"))).toEqual(["own-1", "own-2"])
        expect((yield* said("cost", "--run", "my-run")).total.calls).toBe(2)
        expect(of(yield* said("calls", "--run", "my-run", "--failed"))).toEqual(["own-2"])
        expect(of(yield* said("calls", "--run", "outer"))).toEqual(["deep"])
        expect((yield* said("cost", "--run", "outer")).groups).toMatchObject([{ group: "gpt-4o-mini", calls: 1 }])
        expect((yield* run("calls", "--run", "outer")).stdout).toContain("claude-sonnet-4-5 → gpt-4o-mini")
        for (const args of [["calls"], ["cost"], ["cost", "--duplicates"], ["calls", "--json"]]) {
          const typo = yield* run(...args, "--run", "outre")
          expect([args, typo.code, typo.stdout]).toEqual([args, 1, ""])
          expect(typo.stderr).toMatch(/No run outre .* Near it: outer\. List them with "runledger runs"/)
        }
        const none = yield* run("calls", "--run", "outer", "--failed")
        expect([none.code, none.stdout]).toEqual([0, expect.stringContaining("No such calls")])
        const both = yield* run("cost", "--duplicates", "--by", "model")
        expect([both.code, both.stderr]).toEqual([1, expect.stringContaining("leave --by out")])
        expect((yield* said("cost", "--since", "1h")).total.calls).toBe(0)
        expect((yield* said("cost", "--since", "9999d")).total.calls).toBe(4)
        const written = yield* run("export", "-o", "all.csv", "--format", "csv")
        expect([written.code, written.stdout, written.stderr.trim()]).toEqual([0, "", "6 rows written to all.csv."])
      }).pipe(Effect.provide(NodeContext.layer)),
    MINUTES,
  )

  it.scopedLive(
    "a server without runs does not say that runs stand in the folder",
    () =>
      Effect.gen(function* () {
        const { project, run } = yield* place
        expect((yield* run("runs")).stdout).toMatch(/Make one: runledger launch/)
        yield* run("launch", project, "--offline", "--run-id", "run-001")
        for (const command of ["runs", "calls", "cost"]) {
          const { code, stdout } = yield* run(command)
          expect([command, code]).toEqual([command, 0])
          expect(stdout).toMatch(/1 run stands in the folder runs: .*--local, .*runledger ship runs --from-start/)
        }
        expect((yield* run("runs", "--local")).stdout).toContain("run-001")
      }).pipe(Effect.provide(NodeContext.layer)),
    MINUTES,
  )
})
