import { execFile } from "node:child_process"
import * as nodePath from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpServer from "@effect/platform/HttpServer"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterEach, beforeEach, vi } from "vitest"
import * as DailyServer from "../../src/examples/DailyServer.js"
import * as Offline from "../../src/examples/Offline.js"
import * as Program from "../../src/examples/Program.js"
import * as Streaming from "../../src/examples/Streaming.js"
import * as WithoutEffect from "../../src/examples/WithoutEffect.js"
import * as Sandbox from "../../src/sandbox/Sandbox.js"
import * as LiveServer from "../support/LiveServer.js"
import * as MessagesServer from "../support/MessagesServer.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import * as Repository from "../support/Repository.js"
import { atTime, runsIn, temporary } from "../support/Rotations.js"
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

it.scopedLive("the streaming example records the whole answer, and the one that was left early", () =>
  Effect.gen(function* () {
    const { fs, path, runsDir, settings } = yield* place
    const { cost, firstWords } = yield* Streaming.main.pipe(
      Effect.withConfigProvider(ConfigProvider.fromMap(settings)),
      Effect.withConsole({ ...(yield* Effect.console), log: () => Effect.void }),
    )
    expect(cost).toMatchObject({ _tag: "Some", value: { status: "simulated" } })
    expect(firstWords).not.toBe("")
    const [runId = ""] = yield* fs.readDirectory(runsDir)
    const log = yield* fs.readFileString(path.join(runsDir, runId, "events.ndjson"))
    expect(log.match(/"stream":true/g)).toHaveLength(2)
    expect(log.match(/"type":"LLM_CALL_FINISHED"/g)).toHaveLength(1)
    expect(log.match(/"error_class":"Interrupted".*"type":"LLM_CALL_FAILED"/g)).toHaveLength(1)
    expect(log).toContain('"usage_source":"lower_bound"')
  }).pipe(Effect.provide(NodeContext.layer)),
)

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
    const endings = server.applied.filter((row) => row["status"] !== undefined && row["status"] !== "running")
    expect(endings.map((row) => row["status"])).toEqual(["success", "success"])
  }).pipe(Effect.provide(NodeContext.layer)),
)

/** A model, a server and a place for runs, as a program finds them in its environment. */
const surroundings = Effect.gen(function* () {
  const model = yield* MessagesServer.serve
  const server = yield* LiveServer.start()
  const runsDir = `${yield* temporary}/runs`
  const env = {
    ANTHROPIC_API_KEY: "a-key-that-nobody-checks",
    ANTHROPIC_BASE_URL: model.url,
    TELEMETRY_API_URL: server.url,
    RUNLEDGER_RUNS_DIR: runsDir,
  }
  return { model, server, runsDir, env }
})

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs an example as a process of its own, to its end. */
const runExample = (name: string, env: Readonly<Record<string, string>>): Effect.Effect<Ended> =>
  Effect.async<Ended>((resume) => {
    const file = nodePath.join(Repository.root, "src", "examples", name)
    const child = execFile(
      process.execPath,
      ["--import", "tsx", file],
      { cwd: Repository.root, env: { PATH: process.env["PATH"], ...env } },
      (_, stdout, stderr) => resume(Effect.succeed({ code: child.exitCode, stdout, stderr })),
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

it.scopedLive("a script that ends at once loses a row, or leaves its run open", () =>
  Effect.gen(function* () {
    const { server, runsDir, env } = yield* surroundings
    const ended = yield* runExample("Script.ts", env)
    expect(ended).toMatchObject({ code: 0, stdout: "A ledger never forgets.\n" })
    const [run] = yield* runsIn(runsDir)
    expect(run).toMatchObject({ first: "RUN_CREATED", last: "RUN_COMPLETED", problems: [], isLocked: false })
    expect(yield* LiveServer.rows(server.url, `run_id=${run?.name}`)).toMatchObject([
      { job_type: "haiku", status: "success" },
    ])
    expect(yield* LiveServer.rows(server.url, `parent_run_id=${run?.name}`)).toMatchObject([
      { job_type: "llm_call", status: "success", metrics_json: { total_tokens: 4500, api_cost_usd: 0.0495 } },
    ])
  }),
)

it.scopedLive("a script whose model fails loses the failure, or hides it", () =>
  Effect.gen(function* () {
    const { model, server, runsDir, env } = yield* surroundings
    model.behave = { status: 400, message: "no such model" }
    const ended = yield* runExample("Script.ts", env)
    expect(ended.code).toBe(1)
    const [run] = yield* runsIn(runsDir)
    expect(run).toMatchObject({ last: "RUN_FAILED", problems: [], isLocked: false })
    const failures = yield* LiveServer.rows(server.url, "status=failure")
    expect(failures).toMatchObject([{ job_type: "llm_call" }, { job_type: "haiku", run_id: run?.name }])
  }),
)

it.scopedLive("the pool's workers are not one tree under its run, or share a log", () =>
  Effect.gen(function* () {
    const { server, runsDir, env } = yield* surroundings
    const ended = yield* runExample("WorkerPool.ts", env)
    expect(ended).toMatchObject({ code: 0, stdout: "" })
    const runs = yield* runsIn(runsDir)
    expect(runs).toHaveLength(4)
    for (const run of runs)
      expect(run).toMatchObject({ first: "RUN_CREATED", last: "RUN_COMPLETED", problems: [], isLocked: false })
    const [pool] = yield* LiveServer.rows(server.url, "job_type=pool")
    const { json: tree } = yield* LiveServer.ask(`${server.url}/api/v1/runs/${pool.run_id}/tree`)
    expect(tree).toMatchObject({
      run: { job_type: "pool", status: "success" },
      totals: { calls: 3, total_tokens: 13_500 },
    })
    const isRow = (jobType: string) => expect.objectContaining({ job_type: jobType, status: "success" })
    expect(tree.children).toHaveLength(3)
    for (const worker of tree.children)
      expect(worker).toMatchObject({
        run: isRow("worker"),
        totals: { calls: 1 },
        children: [{ run: isRow("llm_call") }],
      })
  }),
)

it.scopedLive("the server's calls of two days stand under one run, or its requests wait for the turn", () =>
  Effect.gen(function* () {
    const { server, runsDir, env } = yield* surroundings
    let ahead = 0
    const clock = Clock.make()
    yield* Effect.gen(function* () {
      const context = yield* Layer.build(DailyServer.layer(0))
      const { address } = Context.get(context, HttpServer.HttpServer)
      const url = HttpServer.formatAddress(address)
      const ask = LiveServer.ask(`${url}/answers`, { method: "POST", body: "What is a ledger?" })
      expect(yield* ask).toMatchObject({ status: 200, text: "A ledger never forgets." })
      expect(yield* ask).toMatchObject({ status: 200 })
      ahead = 86_400_000
      expect(yield* ask).toMatchObject({ status: 200 })
    }).pipe(
      Effect.scoped,
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env)))),
      Effect.withClock(atTime(() => clock.unsafeCurrentTimeMillis() + ahead)),
    )
    const runs = yield* runsIn(runsDir)
    expect(runs.map(({ calls }) => calls.length)).toEqual([2, 1])
    const days = new Set(runs.map(({ name }) => /_answers-(\d{4}-\d{2}-\d{2})_/.exec(name)?.[1]))
    expect(days.size).toBe(2)
    for (const run of runs) {
      expect(run).toMatchObject({ first: "RUN_CREATED", last: "RUN_COMPLETED", problems: [], isLocked: false })
      const [row] = yield* LiveServer.rows(server.url, `run_id=${run.name}`)
      expect(row).toMatchObject({ job_type: "server", status: "success" })
      const { json: tree } = yield* LiveServer.ask(`${server.url}/api/v1/runs/${run.name}/tree`)
      expect(tree.totals.calls).toBe(run.calls.length)
    }
  }),
)
