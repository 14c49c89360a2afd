import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Runledger from "../support/Runledger.js"

beforeAll(Runledger.build)

describe("what was recorded", () => {
  it.scopedLive("T40 the five curl/jq lines and the three grep/jq lines work as written, with real ids", () =>
    Effect.gen(function* () {
      const { cwd, project, path } = yield* Runledger.workplace
      const tools = yield* Runledger.bash("command -v jq && command -v curl", { cwd })
      expect(tools.code, "jq and curl are needed for T40").toBe(0)
      const server = yield* Runledger.listening(["serve", "--port", "0"], { cwd })
      const env = { TELEMETRY_API_URL: server.url }
      const ended = yield* Runledger.run(["launch", project, "--json", "--run-id", "run-001"], { cwd, env })
      const result = yield* Runledger.resultOf(ended)
      expect(result).toMatchObject({ status: "success", undelivered: 0 })
      const [created] = yield* Runledger.eventsOf(path("runs/run-001"))
      const line = (text: string) =>
        Effect.map(
          Runledger.bash(
            `set -o pipefail; ${text
              .replaceAll("localhost:8765", server.url)
              .replaceAll("…?", `${server.url}/api/v1/runs?`)
              .replaceAll("abc123", created?.trace_id ?? "")}`,
            { cwd },
          ),
          (shell) => {
            expect([text, shell.code, shell.stderr.includes("error")]).toEqual([text, 0, false])
            return shell.stdout.trim()
          },
        )
      const calls = yield* Runledger.json(
        yield* line("curl 'localhost:8765/api/v1/runs?parent_run_id=run-001&job_type=llm_call' | jq ."),
      )
      expect(calls).toHaveLength(result.calls)
      const tokens = yield* line(
        "curl '…?parent_run_id=run-001&job_type=llm_call' | jq '[.[] | .metrics_json.total_tokens] | add'",
      )
      expect(Number(tokens)).toBe(result.input_tokens + result.output_tokens)
      const usd = yield* line(
        "curl '…?parent_run_id=run-001&job_type=llm_call' | jq '[.[] | .metrics_json.api_cost_usd] | add'",
      )
      expect(Number(usd)).toBeCloseTo(result.cost_usd ?? -1, 9)
      expect(yield* line("curl '…?job_type=llm_call&status=failure' | jq .")).toBe("[]")
      const traced = yield* line("curl '…?job_type=llm_call' | jq '.[] | select(.context_json.trace_id == \"abc123\")'")
      expect(traced.match(/"event_id"/g)?.length).toBe(result.calls)
      const events = yield* line("grep LLM_CALL_ runs/run-001/events.ndjson | jq .")
      expect(events.match(/"event_hash"/g)?.length).toBe(2 * result.calls)
      const kinds = yield* line(
        "grep LLM_CALL_STARTED runs/run-001/events.ndjson | jq -r .payload.call_id | cut -d_ -f1 | sort | uniq -c",
      )
      expect(kinds).toMatch(/\d+ enrich\n\s+\d+ section/)
      yield* line("grep LLM_CALL_FINISHED runs/run-001/events.ndjson | jq 'select(.payload.latency_ms > 30000)'")
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("runs, show, calls and cost tell the same from the server and from the run folders", () =>
    Effect.gen(function* () {
      const { cwd, project } = yield* Runledger.workplace
      const server = yield* Runledger.listening(["serve", "--port", "0"], { cwd })
      const env = { TELEMETRY_API_URL: server.url, NO_COLOR: "1" }
      yield* Runledger.run(["launch", project, "--run-id", "run-001"], { cwd, env })
      for (const args of [["show", "run-001"], ["cost", "--by", "worker"], ["calls", "--run", "run-001"], ["runs"]]) {
        const fromServer = yield* Runledger.run(args, { cwd, env })
        const fromFolders = yield* Runledger.run([...args, "--local"], { cwd })
        const unreached = yield* Runledger.run(args, { cwd })
        expect([args, fromServer.code, fromServer.stderr]).toEqual([args, 0, ""])
        expect(fromServer.stdout).toContain("simulated")
        expect(fromServer.stdout).not.toMatch(/\$0(?![.\d])/)
        expect(fromFolders.stdout).toBe(fromServer.stdout)
        expect(unreached.stdout).toBe(fromServer.stdout)
        expect(unreached.stderr).toContain("reading the run folders")
        yield* Runledger.json((yield* Runledger.run([...args, "--json"], { cwd, env })).stdout)
      }
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("verify names the line that was changed and exits 3", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { cwd, project, path } = yield* Runledger.workplace
      yield* Runledger.run(["launch", project, "--offline", "--run-id", "run-001"], { cwd })
      const file = path("runs/run-001/events.ndjson")
      const lines = (yield* fs.readFileString(file)).split("\n")
      lines[2] = (lines[2] ?? "").replace(/"ts":"20/, '"ts":"19')
      yield* fs.writeFileString(file, lines.join("\n"))
      const plain = yield* Runledger.run(["verify", "runs/run-001"], { cwd })
      expect([plain.code, plain.stdout]).toEqual([3, expect.stringContaining("line 3")])
      const document = yield* Runledger.run(["verify", "runs/run-001", "--json"], { cwd })
      expect(yield* Runledger.json(document.stdout)).toMatchObject({ intact: false })
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("start serves until SIGTERM, and a second one uses the server that is there", () =>
    Effect.gen(function* () {
      const { cwd, project } = yield* Runledger.workplace
      const first = yield* Runledger.start(["start", project, "--port", "0"], { cwd })
      const [, url = ""] = yield* first.says(/Serving at (http:\S+) until/)
      const health = yield* Effect.promise(() => fetch(`${url}/health`).then((response) => response.status))
      expect(health).toBe(200)
      const second = yield* Runledger.run(["start", project, "--port", new URL(url).port], { cwd })
      expect(second.code).toBe(0)
      expect(second.stderr).toContain("it is used")
      expect(second.stdout).toContain("section_writer_")
      yield* first.signal("SIGTERM")
      expect((yield* first.ended).code).toBe(130)
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
