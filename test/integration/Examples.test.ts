import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { afterEach, beforeEach, vi } from "vitest"
import * as Offline from "../../src/examples/Offline.js"
import * as Program from "../../src/examples/Program.js"
import * as WithoutEffect from "../../src/examples/WithoutEffect.js"
import * as Sandbox from "../../src/sandbox/Sandbox.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import "../../src/examples/WithTestClock.js"

const place = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const runsDir = yield* fs.makeTempDirectoryScoped()
  const sandbox = yield* Sandbox.serve({})
  const server = yield* OpsRecorder.serve
  const settings = new Map([
    ["ANTHROPIC_API_KEY", "a-key-that-nobody-checks"],
    ["ANTHROPIC_BASE_URL", sandbox.url],
    ["TELEMETRY_API_URL", server.url],
    ["RUNLEDGER_RUNS_DIR", runsDir],
  ])
  return { fs, path: yield* Path.Path, runsDir, server, settings }
})

const created = (server: OpsRecorder.OpsRecorder) => server.applied.filter(({ op }) => op === "create")

it.scopedLive("the Effect example records its run and both calls, in one trace", () =>
  Effect.gen(function* () {
    const { fs, path, runsDir, server, settings } = yield* place
    const answers = yield* Program.main.pipe(Effect.withConfigProvider(ConfigProvider.fromMap(settings)))
    expect(answers).toHaveLength(2)
    expect(created(server).map((row) => row["job_type"])).toEqual(["poems", "llm_call", "llm_call"])
    const contexts = created(server).map((row) => row["context_json"])
    expect(new Set(contexts.map((context) => Reflect.get(Object(context), "trace_id"))).size).toBe(1)
    const [runId = ""] = yield* fs.readDirectory(runsDir)
    const log = yield* fs.readFileString(path.join(runsDir, runId, "events.ndjson"))
    expect(log.match(/"type":"LLM_CALL_FINISHED"/g)).toHaveLength(2)
    expect(log).toContain('"type":"RUN_COMPLETED"')
    expect(yield* fs.readDirectory(path.join(runsDir, runId, "evidence", "llm_calls"))).toHaveLength(2)
  }).pipe(Effect.provide(NodeContext.layer)),
)

it.live("the offline example records, and needs no server", () =>
  Effect.gen(function* () {
    expect(yield* Offline.main).toEqual({ sum: 3, lines: 2 })
  }),
)

beforeEach(() => {
  vi.unstubAllEnvs()
})
afterEach(() => {
  vi.unstubAllEnvs()
})

it.scopedLive("the example without Effect gives the answer, and its call is delivered when it is done", () =>
  Effect.gen(function* () {
    const { server, settings } = yield* place
    for (const [name, value] of settings) vi.stubEnv(name, value)
    const answer = yield* Effect.promise(() => WithoutEffect.main("What is a ledger?"))
    expect(answer).not.toBe("")
    expect(created(server).map((row) => row["job_type"])).toEqual(["question", "llm_call"])
    expect(server.applied.filter(({ op }) => op === "update").map((row) => row["status"])).toEqual([
      "success",
      "success",
    ])
  }).pipe(Effect.provide(NodeContext.layer)),
)
