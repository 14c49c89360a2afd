import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ask, run, send } from "../support/LiveServer.js"
import * as Runledger from "../support/Runledger.js"

beforeAll(Runledger.build)

const JSON_TYPE = { "content-type": "application/json" }
const SHA = "0123456789abcdef0123456789abcdef01234567"

describe("runledger against a server", () => {
  it.scopedLive("a second server of a database runs beside the first, or does not say where that is", () =>
    Effect.gen(function* () {
      const { cwd } = yield* Runledger.workplace
      const first = yield* Runledger.listening(["serve", "--port", "0", "--db", "one.sqlite"], { cwd })
      yield* first.says(/Ctrl-C/)
      const second = yield* Runledger.run(["serve", "--port", "0", "--db", "./one.sqlite"], { cwd })
      expect([second.code, second.stdout]).toEqual([1, ""])
      expect(second.stderr).toMatch(
        /one\.sqlite is in use by the server with process id \d+, at http:\/\/127\.0\.0\.1:\d+/,
      )
      expect(second.stderr).toContain(first.url)
      const started = yield* Runledger.run(["start", "--exit", "--port", "0"], {
        cwd,
        env: { TELEMETRY_DB_PATH: "one.sqlite" },
      })
      expect([started.code, started.stderr.includes(first.url)]).toEqual([1, true])
      yield* first.signal("SIGKILL")
      yield* first.ended
      const third = yield* Runledger.listening(["serve", "--port", "0", "--db", "one.sqlite"], { cwd })
      expect((yield* ask(`${third.url}/health`)).status).toBe(200)
      yield* third.signal("SIGTERM")
      expect((yield* third.ended).code).not.toBe(null)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("associate-commit names the wrong run, or says that it did what it did not", () =>
    Effect.gen(function* () {
      const { cwd } = yield* Runledger.workplace
      const { url } = yield* Runledger.listening(["serve", "--port", "0"], { cwd })
      const env = { TELEMETRY_API_URL: url }
      const rows = [run(), run({ event_id: "e-2", run_id: "run-001:w", parent_run_id: "run-001", job_type: "worker" })]
      yield* ask(`${url}/api/v1/runs/batch`, { method: "POST", headers: JSON_TYPE, body: JSON.stringify(rows) })
      const said = yield* Runledger.run(["associate-commit", "--json", "--author", "Ada", "run-001", SHA], { cwd, env })
      expect([said.stderr, said.code]).toEqual(["", 0])
      expect(JSON.parse(said.stdout)).toEqual({
        status: "success",
        event_id: "e-1",
        run_id: "run-001",
        commit_hash: SHA,
        rows: 1,
      })
      expect((yield* ask(`${url}/api/v1/runs/e-1`)).json).toMatchObject({
        git_commit_hash: SHA,
        git_commit_source: "manual",
        git_commit_author: "Ada",
      })
      const all = yield* Runledger.run(["associate-commit", "--propagate", "--source", "ci", "run-001", "abcdef1"], {
        cwd,
        env,
      })
      expect([all.code, all.stdout.trim()]).toEqual([0, "run-001 and 1 other row below it: commit abcdef1"])
      expect((yield* ask(`${url}/api/v1/runs/e-2`)).json).toMatchObject({
        git_commit_hash: "abcdef1",
        git_commit_source: "ci",
      })
      const unknown = yield* Runledger.run(["associate-commit", "nobody", SHA], { cwd, env })
      expect([unknown.code, unknown.stdout, unknown.stderr.includes("nobody")]).toEqual([1, "", true])
      for (const wrong of [["run-001", "xyz"], ["--timestamp", "yesterday", "run-001", SHA], ["run-001"]]) {
        expect((yield* Runledger.run(["associate-commit", ...wrong], { cwd, env })).code, wrong.join(" ")).toBe(1)
      }
      const nobody = yield* Runledger.run(["associate-commit", "run-001", SHA], { cwd })
      expect([nobody.code, nobody.stdout]).toEqual([2, ""])
      expect((yield* send("GET", `${url}/health`, undefined)).status).toBe(200)
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
