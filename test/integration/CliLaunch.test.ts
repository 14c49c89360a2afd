import { existsSync } from "node:fs"
import * as nodePath from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as OpsRecorder from "../support/OpsRecorder.js"
import * as Runledger from "../support/Runledger.js"

beforeAll(Runledger.build)

describe("launch", () => {
  it.scopedLive("T33 offline: no socket is opened, ids are in the events, and stdout is one JSON document", () =>
    Effect.gen(function* () {
      const { cwd, project, path } = yield* Runledger.workplace
      const server = yield* OpsRecorder.serve
      const ended = yield* Runledger.run(["launch", project, "--offline", "--json"], {
        cwd,
        env: { TELEMETRY_API_URL: server.url },
      })
      expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining("Telemetry off (--offline)")])
      const result = yield* Runledger.resultOf(ended)
      expect(result).toMatchObject({ status: "success", cost_status: "simulated", undelivered: 0 })
      expect(result.calls).toBeGreaterThan(1)
      expect(result.cost_usd).toBeGreaterThan(0)
      expect(server.connections()).toBe(0)
      const events = yield* Runledger.eventsOf(path(result.run_dir))
      expect(new Set(events.map((event) => event.trace_id)).size).toBe(1)
      expect(events.every((event) => /^[0-9a-f]{16}$/.test(event.span_id))).toBe(true)
      const verified = yield* Runledger.run(["verify", result.run_dir], { cwd })
      expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining("intact")])
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("T34 telemetry that cannot be built is a warning, and the launch runs", () =>
    Effect.gen(function* () {
      const { cwd, project } = yield* Runledger.workplace
      const ended = yield* Runledger.run(["launch", project], { cwd, env: { TELEMETRY_API_URL: "not a url" } })
      expect(ended.code).toBe(0)
      expect(ended.stderr).toMatch(/warning: Telemetry is off/)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("a launch that a hook of git starts is put down to the commit of the hook's repository", () =>
    Effect.gen(function* () {
      const { cwd, project, path } = yield* Runledger.workplace
      const git = `git -C ${path("other")} -c user.name=Ada -c user.email=a@b.c -c commit.gpgsign=false`
      yield* Runledger.bash(`git init -q ${path("other")} && ${git} commit -q --allow-empty -m one`, { cwd })
      const env = { GIT_DIR: path("other/.git"), GIT_INDEX_FILE: path("other/.git/index") }
      const ended = yield* Runledger.run(["launch", project, "--offline", "--json"], { cwd, env })
      const [created] = yield* Runledger.eventsOf(path((yield* Runledger.resultOf(ended)).run_dir))
      expect(created).toMatchObject({ type: "RUN_CREATED", payload: { git_commit_hash: null, git_branch: null } })
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("T37 the run config's own keys survive unchanged, and name run, trace and parent", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { cwd, project, path } = yield* Runledger.workplace
      const own = {
        _telemetry_run_id: "run-001",
        _telemetry_trace_id: "0123456789abcdef0123456789abcdef",
        _telemetry_parent_span_id: "0123456789abcdef",
        product_name: "Widget Box",
      }
      yield* fs.writeFileString(path("run.json"), JSON.stringify({ run_config: own }))
      const ended = yield* Runledger.run(["launch", project, "--offline", "--json", "--config", "run.json"], { cwd })
      const result = yield* Runledger.resultOf(ended)
      expect(result.run_id).toBe("run-001")
      expect(yield* Runledger.json(yield* fs.readFileString(path("runs/run-001/run_config.json")))).toMatchObject(own)
      const [created] = yield* Runledger.eventsOf(path("runs/run-001"))
      expect(created).toMatchObject({
        type: "RUN_CREATED",
        trace_id: own._telemetry_trace_id,
        parent_span_id: own._telemetry_parent_span_id,
      })
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  const KEY = "dummy-key-of-mine"
  it.scopedLive.each([
    {
      provider: "anthropic",
      flags: [],
      env: (url: string) => ({ ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: url }),
    },
    {
      provider: "openai",
      flags: ["--provider", "openai", "--model", "gpt-4o"],
      env: (url: string) => ({ OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `${url}/v1` }),
    },
    {
      provider: "openai without a key",
      flags: ["--provider", "openai", "--model", "gpt-4o-mini"],
      env: (url: string) => ({ OPENAI_BASE_URL: `${url}/v1` }),
    },
  ])("the live layer of $provider at the sandbox gives other drafts, or does not say simulated", ({ env, flags }) =>
    Effect.gen(function* () {
      const { cwd, project, path } = yield* Runledger.workplace
      const sandbox = yield* Runledger.listening(["sandbox"], { cwd })
      const viaSandbox = yield* Runledger.resultOf(
        yield* Runledger.run(["launch", project, "--offline", "--json", "--runs-dir", "a"], { cwd }),
      )
      const ended = yield* Runledger.run(["launch", project, "--offline", "--json", "--runs-dir", "b", ...flags], {
        cwd,
        env: env(sandbox.url),
      })
      expect(ended.stderr).toContain("Estimate")
      expect(ended.stderr).not.toContain(KEY)
      const viaLive = yield* Runledger.resultOf(ended)
      expect(viaLive).toMatchObject({ status: "success", cost_status: "simulated", calls: viaSandbox.calls })
      if (flags.length === 0) expect(viaLive.cost_usd).toBe(viaSandbox.cost_usd)
      expect(yield* Runledger.draftsOf(path(viaLive.run_dir))).toEqual(
        yield* Runledger.draftsOf(path(viaSandbox.run_dir)),
      )
      const calls = (yield* Runledger.eventsOf(path(viaLive.run_dir))).filter(
        ({ type }) => type === "LLM_CALL_FINISHED",
      )
      for (const { payload } of calls) expect(payload).toMatchObject({ provider: "sandbox", cost_status: "simulated" })
      expect(sandbox.output()).not.toContain(KEY)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "T41 replay answers from earlier runs: the same drafts, no cost; resume answers from its own evidence",
    () =>
      Effect.gen(function* () {
        const { cwd, project, path } = yield* Runledger.workplace
        const launch = (...more: ReadonlyArray<string>) =>
          Effect.flatMap(
            Runledger.run(["launch", project, "--offline", "--json", ...more], { cwd }),
            Runledger.resultOf,
          )
        const first = yield* launch("--run-id", "first")
        const fs = yield* FileSystem.FileSystem
        yield* fs.remove(path("runs/.cache"), { recursive: true, force: true })
        const replayed = yield* launch("--run-id", "second", "--provider", "replay")
        expect(replayed).toMatchObject({ status: "success", cost_usd: 0, cost_status: "replayed", calls: first.calls })
        expect(yield* Runledger.draftsOf(path("runs/second"))).toEqual(yield* Runledger.draftsOf(path("runs/first")))
        yield* fs.remove(path("runs/.cache"), { recursive: true, force: true })
        const resumed = yield* launch("--resume", "first")
        expect(resumed).toMatchObject({ run_id: "first", status: "success" })
        const shown = yield* Runledger.run(["calls", "--local", "--run", "first", "--json"], { cwd })
        expect(shown.stdout.match(/"cost_status": "replayed"/g)).toHaveLength(first.calls)
        expect((yield* Runledger.run(["verify", "first"], { cwd })).code).toBe(0)
      }).pipe(Effect.provide(NodeContext.layer)),
  )
})

describe("a provider that misbehaves", () => {
  const launchWith = (faults: string, config: object = { llm: { max_retries: 0 } }) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { cwd, project, path } = yield* Runledger.workplace
      yield* fs.writeFileString(path("run.json"), JSON.stringify(config))
      const sandbox = yield* Runledger.listening(["sandbox", "--faults", faults], { cwd })
      const args = ["launch", project, "--offline", "--json", "--config", "run.json"]
      const env = { ANTHROPIC_API_KEY: "dummy", ANTHROPIC_BASE_URL: sandbox.url }
      const ended = yield* Runledger.run(args, { cwd, env })
      const result = yield* Runledger.resultOf(ended)
      const events = yield* Runledger.eventsOf(path(result.run_dir))
      const failures = events.flatMap((event) => (event.type === "LLM_CALL_FAILED" ? [event.payload] : []))
      const drafts = yield* Runledger.draftsOf(path(result.run_dir))
      const allowed = () => Runledger.run([...args, "--allow-partial"], { cwd, env })
      return { cwd, ended, result, failures, drafts, allowed }
    })

  it.scopedLive(
    "an overloaded provider with a fallback: every call is answered by the other model, priced as that one",
    () =>
      Effect.gen(function* () {
        const fallback = [{ model: "claude-haiku-4-5" }]
        const { result, failures, cwd } = yield* launchWith(
          "529,ok,529,ok,529,ok,529,ok,529,ok,529,ok,529,ok,529,ok,529,ok",
          {
            llm: { max_retries: 0, max_concurrency: 1, fallback },
          },
        )
        expect([result.status, failures]).toEqual(["success", []])
        const events = yield* Runledger.eventsOf(nodePath.join(cwd, result.run_dir))
        const ends = events.flatMap((event) => (event.type === "LLM_CALL_FINISHED" ? [event.payload] : []))
        expect(ends[0]).toMatchObject({
          response_model: "claude-haiku-4-5",
          attempts: [
            { n: 1, model: "claude-sonnet-4-5", http_status: 529, error_class: "Overloaded" },
            { n: 2, model: "claude-haiku-4-5", http_status: 200, error_class: null },
          ],
        })
        expect(ends[0]?.price_id).toContain("haiku-4-5")
        expect(ends.map(({ attempts }) => attempts?.length)).toEqual(ends.map(() => 2))
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive.each([
    ["401*", "Authentication", "ANTHROPIC_API_KEY"],
    ["429*", "RateLimited", ""],
    ["529*", "Overloaded", ""],
    ["500*", "ServerError", ""],
    ["malformed*", "MalformedResponse", ""],
    ["empty*", "EmptyResponse", "", "simulated"],
    ["reset*", "Connection", ""],
  ])(
    "%s: partial and exit 2, the failed calls say %s, every page is there by template",
    ([faults = "", reason = "", hint = "", cost = "none"]) =>
      Effect.gen(function* () {
        const { ended, result, failures, drafts } = yield* launchWith(faults)
        expect([ended.code, result.status, result.cost_status]).toEqual([2, "partial", cost])
        expect(new Set(failures.map((failure) => failure.error_class))).toEqual(new Set([reason]))
        expect(ended.stderr).toContain(reason)
        expect(ended.stderr).toContain(hint)
        expect(ended.stderr).toContain("--allow-partial")
        expect(drafts.length).toBeGreaterThan(0)
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("--allow-partial makes a partial launch exit 0", () =>
    Effect.gen(function* () {
      const { allowed } = yield* launchWith("500*")
      expect((yield* allowed()).code).toBe(0)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("429 with retry-after and 529 are waited out, and the attempts are recorded", () =>
    Effect.gen(function* () {
      const { ended, result, cwd } = yield* launchWith("429:0,529", { llm: { max_concurrency: 1 } })
      expect([ended.code, result.status]).toEqual([0, "success"])
      const calls = yield* Runledger.run(["calls", "--local", "--json"], { cwd })
      expect(calls.stdout).toContain('"http_status": 429')
      expect(calls.stdout).toContain('"http_status": 529')
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("answers cut at max_tokens are reported, and every page is there", () =>
    Effect.gen(function* () {
      const { ended, drafts } = yield* launchWith("max_tokens:8*")
      expect([0, 2]).toContain(ended.code)
      expect(drafts.length).toBeGreaterThan(0)
      expect(ended.stderr).toMatch(/cut|length|max_tokens/)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("Ctrl-C in the middle leaves a log that verifies and ends in RUN_CANCELLED, and exits 130", () =>
    Effect.gen(function* () {
      const { cwd, project, path } = yield* Runledger.workplace
      const sandbox = yield* Runledger.listening(["sandbox", "--faults", "latency:60000*"], { cwd })
      const launch = yield* Runledger.start(["launch", project, "--offline", "--json", "--run-id", "cut"], {
        cwd,
        env: { ANTHROPIC_API_KEY: "dummy", ANTHROPIC_BASE_URL: sandbox.url },
      })
      const log = path("runs/cut")
      yield* launch.says(/W2\.FactsBuilder …/)
      yield* Runledger.eventsOf(log).pipe(
        Effect.filterOrFail((events) => events.some((event) => event.type === "LLM_CALL_STARTED")),
        Effect.retry({ schedule: Schedule.spaced("20 millis"), times: 1000 }),
      )
      yield* launch.signal("SIGINT")
      const ended = yield* launch.ended
      expect(ended.code).toBe(130)
      expect(yield* Runledger.resultOf(ended)).toMatchObject({ run_id: "cut", status: "cancelled" })
      const events = yield* Runledger.eventsOf(log)
      expect(events.at(-1)?.type).toBe("RUN_CANCELLED")
      const started = events.filter((event) => event.type === "LLM_CALL_STARTED").length
      const failed = events.filter(
        (event) => event.type === "LLM_CALL_FAILED" && event.payload.error_class === "Interrupted",
      )
      expect(failed).toHaveLength(started)
      expect((yield* Runledger.run(["verify", log], { cwd })).code).toBe(0)
      expect(existsSync(path("runs/cut/lock"))).toBe(false)
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
