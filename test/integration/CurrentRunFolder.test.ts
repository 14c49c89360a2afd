import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { CurrentRun } from "../../services/CurrentRun.js"
import { EventLog } from "../../services/EventLog.js"
import * as EventSamples from "../support/EventSamples.js"
import * as RunFolders from "../support/RunFolders.js"

const open = (runsDir: string, options: Partial<CurrentRunFolder.Options> = {}) =>
  CurrentRunFolder.layer({ runsDir, runId: "run-001", resume: false, config: {}, ...options })

const refusal = (runsDir: string, options: Partial<CurrentRunFolder.Options> = {}) =>
  Effect.flip(Effect.provide(CurrentRun, open(runsDir, options)))

const within = (path: string, ...names: ReadonlyArray<string>): string => nodePath.join(path, "run-001", ...names)

/** A process that has started, and its lock's text; it is dead when the scope closes. */
const stranger = Effect.acquireRelease(
  Effect.sync(() => spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" })),
  (child) =>
    Effect.async<void>((resume) => {
      if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
      child.on("exit", () => resume(Effect.void))
      child.kill("SIGKILL")
    }),
)

describe("CurrentRunFolder", () => {
  it.scoped("a run's folder is furnished, locked while it is open, and unlocked afterwards", () =>
    Effect.gen(function* () {
      const runsDir = nodePath.join(yield* RunFolders.temporary, "not", "yet", "there")
      const config = { llm: { base_url: "https://bob:s3cret-99@host/x" }, max_tokens: 4096, api_key: "abcdef-123456" }
      yield* Effect.gen(function* () {
        const run = yield* CurrentRun
        expect(Option.getOrThrow(run.directory)).toBe(fs.realpathSync(within(runsDir)))
        const lock = JSON.parse(fs.readFileSync(within(runsDir, "lock"), "utf8"))
        expect(lock).toMatchObject({ pid: process.pid, start_time: expect.any(String) })
        for (const name of ["artifacts", "drafts", "evidence/llm_calls", "reports"]) {
          expect(fs.statSync(within(runsDir, name)).isDirectory()).toBe(true)
        }
        expect(fs.statSync(within(runsDir, "evidence")).mode & 0o777).toBe(0o700)
        const text = fs.readFileSync(within(runsDir, "run_config.json"), "utf8")
        expect(fs.statSync(within(runsDir, "run_config.json")).mode & 0o777).toBe(0o600)
        expect(text).not.toMatch(/s3cret|abcdef-/)
        expect(JSON.parse(text).max_tokens).toBe(4096)
      }).pipe(Effect.provide(open(runsDir, { config })))
      expect(fs.readdirSync(within(runsDir)).toSorted()).toEqual([
        "artifacts",
        "drafts",
        "evidence",
        "reports",
        "run_config.json",
      ])
    }),
  )

  it.scoped("a taken name gets ~2, ~3 …, also when many begin at once, and each run has its own folder", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const runs = yield* Effect.forEach(
        Array.from({ length: 5 }),
        () => Effect.map(Layer.build(open(runsDir)), (context) => context.unsafeMap.get(CurrentRun.key).runId),
        { concurrency: "unbounded" },
      )
      expect(runs.toSorted()).toEqual(["run-001", "run-001~2", "run-001~3", "run-001~4", "run-001~5"])
      expect(fs.readdirSync(runsDir).toSorted()).toEqual(runs.toSorted())
    }),
  )

  it.scoped("a run id that is no folder name never leaves the runs folder", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      for (const runId of ["../up", "a/b", "..", ".", "x".repeat(500), "nul"]) {
        const run = yield* Effect.provide(CurrentRun, open(runsDir, { runId }))
        expect(run.runId).toBe(runId)
        expect(nodePath.dirname(Option.getOrThrow(run.directory))).toBe(fs.realpathSync(runsDir))
      }
      expect((yield* refusal(runsDir, { runId: "" })).reason).toBe("invalid")
    }),
  )

  it.scoped("a live owner refuses a resume, the same process included, and its id is named", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      yield* Effect.gen(function* () {
        const error = yield* refusal(runsDir, { resume: true })
        expect(error).toMatchObject({ reason: "owned", pid: process.pid })
        expect(error.message).toContain(String(process.pid))
        expect(fs.existsSync(within(runsDir, "lock"))).toBe(true)
      }).pipe(Effect.provide(open(runsDir)))
      expect((yield* Effect.provide(CurrentRun, open(runsDir, { resume: true }))).resumed).toBe(true)
    }),
  )

  it.scoped(
    "a dead owner is taken over: gone, or its id given to another process, or its lock empty; a lock that is not understood is not",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        yield* Effect.provide(CurrentRun, open(runsDir))
        const child = yield* Effect.scoped(stranger)
        const reused = JSON.stringify({ pid: process.pid, start_time: "long ago" })
        for (const text of [JSON.stringify({ pid: child.pid, start_time: "1" }), reused, ""]) {
          fs.writeFileSync(within(runsDir, "lock"), text)
          const run = yield* Effect.provide(CurrentRun, open(runsDir, { resume: true }))
          expect(run.resumed).toBe(true)
          expect(fs.readdirSync(within(runsDir)).filter((name) => name.includes("lock"))).toEqual([])
        }
        fs.writeFileSync(within(runsDir, "lock"), "garbage")
        const refused = yield* Effect.flip(Effect.provide(CurrentRun, open(runsDir, { resume: true })))
        expect(refused).toMatchObject({ reason: "owned", message: expect.stringContaining(within(runsDir, "lock")) })
      }),
  )

  it.scoped("of many who take over a dead run at once, exactly one gets it", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      yield* Effect.provide(CurrentRun, open(runsDir))
      fs.writeFileSync(within(runsDir, "lock"), JSON.stringify({ pid: process.pid, start_time: "long ago" }))
      const exits = yield* Effect.forEach(
        Array.from({ length: 8 }),
        () => Effect.exit(Layer.build(open(runsDir, { resume: true }))),
        { concurrency: "unbounded" },
      )
      expect(exits.filter((exit) => exit._tag === "Success").length).toBe(1)
    }),
  )

  it.scoped("the lock is given back when the run is interrupted", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const started = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(
        Effect.zipRight(Deferred.succeed(started, undefined), Effect.never).pipe(Effect.provide(open(runsDir))),
      )
      yield* Deferred.await(started)
      expect(fs.existsSync(within(runsDir, "lock"))).toBe(true)
      yield* Fiber.interrupt(fiber)
      expect(fs.existsSync(within(runsDir, "lock"))).toBe(false)
    }),
  )

  it.scoped(
    "a resumed run knows its trace, its parent, the call ids and the attempts of before, and keeps its config",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        const run = open(runsDir, { config: { first: 1 } })
        const call = {
          call_id: "x",
          model: "m",
          provider_base_url: null,
          prompt_hash: null,
          temperature: null,
          max_tokens: null,
        }
        yield* Effect.gen(function* () {
          const log = yield* EventLog
          const payload = { agent_name: "launch.orchestrator", job_type: "launch", parent_run_id: "run-000" }
          yield* log.append(EventSamples.event(0, { type: "RUN_CREATED", payload }))
          yield* log.append(EventSamples.event(1, { type: "LLM_CALL_STARTED", payload: call }))
          const worker = { work_item_id: "run-001:W4.Planner:3", worker: "W4.Planner", attempt: 3 }
          yield* log.append(EventSamples.event(2, { type: "WORK_ITEM_STARTED", payload: worker }))
        }).pipe(Effect.provide(Layer.provideMerge(EventLogNdjson.layer({ durability: "process" }), run)))
        yield* Effect.gen(function* () {
          const resumed = yield* CurrentRun
          const { trace_id, span_id, parent_span_id } = EventSamples.event(0)
          expect(resumed.trace).toEqual(Option.some({ trace_id, span_id, parent_span_id }))
          expect(resumed.parentRunId).toEqual(Option.some("run-000"))
          expect(yield* resumed.uniqueCallId("x")).toBe("x~2")
          expect(yield* resumed.uniqueCallId("y")).toBe("y")
          expect(yield* resumed.nextAttempt("W4.Planner")).toBe(4)
          expect(JSON.parse(fs.readFileSync(within(runsDir, "run_config.json"), "utf8"))).toEqual({ first: 1 })
        }).pipe(Effect.provide(open(runsDir, { resume: true, config: { second: 2 } })))
      }),
  )

  it.scoped("what cannot be used says what it is and what to do, also as root", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const file = nodePath.join(runsDir, "file")
      fs.writeFileSync(file, "")
      expect(yield* refusal(file)).toMatchObject({ reason: "not_a_folder", message: expect.stringContaining("file") })
      expect((yield* refusal(nodePath.join(file, "below"))).reason).toBe("not_a_folder")
      const absent = yield* refusal(runsDir, { resume: true, runId: "run-404" })
      expect(absent).toMatchObject({ reason: "not_found", message: expect.stringContaining("run-404") })
      expect((yield* refusal(runsDir, { resume: true, runId: "file" })).reason).toBe("not_a_folder")
      fs.symlinkSync("/tmp", nodePath.join(runsDir, "link"))
      const link = yield* refusal(runsDir, { resume: true, runId: "link" })
      expect(link).toMatchObject({ reason: "not_a_folder", message: expect.stringContaining("link") })
    }),
  )

  it.scoped("a furnishing that fails gives the lock back", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      fs.mkdirSync(within(runsDir), { recursive: true })
      fs.writeFileSync(within(runsDir, "drafts"), "")
      expect((yield* refusal(runsDir, { resume: true })).reason).toBe("unusable")
      expect(fs.existsSync(within(runsDir, "lock"))).toBe(false)
    }),
  )
})
