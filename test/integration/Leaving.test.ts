import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as nodePath from "node:path"
import { pathToFileURL } from "node:url"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as LogAudit from "../../layers/LogAudit.js"
import * as LiveServer from "../support/LiveServer.js"
import * as MessagesServer from "../support/MessagesServer.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import * as Runledger from "../support/Runledger.js"

beforeAll(Runledger.build)

const support = (name: string): string => nodePath.join(import.meta.dirname, "../support", name)

interface Left {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The events of which append returned, in order. */
  readonly appended: ReadonlyArray<string>
}

/** Runs a recording program until it has appended enough, and lets it leave. */
const leave = (way: string, runsDir: string, env: Readonly<Record<string, string>>, signal?: NodeJS.Signals) =>
  Effect.async<Left>((resume) => {
    const child = spawn(process.execPath, ["--import", "tsx", support("LeavingMain.ts"), way, runsDir], {
      env: { PATH: process.env["PATH"], HOME: runsDir, ANTHROPIC_API_KEY: "not-a-key", ...env },
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    })
    let told = ""
    let asked = false
    child.stdio[3]?.on("data", (chunk: Buffer) => {
      told += chunk.toString("utf8")
      if (signal === undefined || asked || !told.includes("ready\n")) return
      asked = true
      child.kill(signal)
    })
    child.on("close", (code, endedBy) => {
      const appended = told.split("\n").filter((line) => line !== "" && line !== "ready")
      resume(Effect.succeed({ code, signal: endedBy, appended }))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const idsOf = (runDir: string) =>
  Effect.map(Runledger.eventsOf(runDir), (events) => events.map(({ event_id }) => event_id))

const isLocked = (runDir: string): boolean => fs.existsSync(nodePath.join(runDir, "lock"))

/** What a run's log must be however its process left: whole, and with everything that append returned from, in order. */
const isWhole = (runDir: string, appended: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { problems } = yield* LogAudit.audit(nodePath.join(runDir, "events.ndjson"), [])
    expect(problems).toEqual([])
    const ids = yield* idsOf(runDir)
    expect(ids.slice(0, appended.length)).toEqual(appended)
    return ids
  })

/** Ships what is left, and compares the store with the log: nothing missing, nothing twice, nothing still running. */
const isDelivered = (cwd: string, runsDir: string, runDir: string, url: string) =>
  Effect.gen(function* () {
    const env = { TELEMETRY_API_URL: url }
    const ship = yield* Runledger.run(["ship", runsDir], { cwd, env })
    expect([ship.code, ship.stderr]).toEqual([0, expect.any(String)])
    const ids = yield* idsOf(runDir)
    const runId = nodePath.basename(runDir)
    const received = yield* LiveServer.ask(`${url}/api/v1/runs/${runId}/events?limit=1000`)
    expect(received.json.map((event: { event_id: string }) => event.event_id)).toEqual(ids)
    const running = yield* LiveServer.ask(`${url}/api/v1/runs?status=running`)
    expect(running.json).toEqual([])
    const verify = yield* Runledger.run(["verify", runDir, "--json"], { cwd, env })
    expect(yield* Runledger.json(verify.stdout)).toMatchObject({
      intact: true,
      acknowledged: [
        { source: "cursor", lines: ids.length, found: true },
        { source: "server", lines: ids.length, line: ids.length, found: true },
      ],
    })
    expect(isLocked(runDir)).toBe(false)
  })

interface Way {
  readonly way: string
  readonly signal?: NodeJS.Signals
  /** How the process ends: its exit code, or the signal that ended it. */
  readonly ends: number | NodeJS.Signals
  /** Whether the run is closed as cancelled by the process itself. */
  readonly closes: boolean
}

const PROGRAM: ReadonlyArray<Way> = [
  { way: "SIGINT", signal: "SIGINT", ends: 130, closes: true },
  { way: "SIGTERM", signal: "SIGTERM", ends: 130, closes: true },
  { way: "SIGHUP", signal: "SIGHUP", ends: "SIGHUP", closes: false },
  { way: "SIGKILL", signal: "SIGKILL", ends: "SIGKILL", closes: false },
  { way: "process.exit", ends: 7, closes: false },
  { way: "uncaught exception", ends: 1, closes: false },
  { way: "unhandled rejection", ends: 1, closes: false },
  { way: "natural end", ends: 0, closes: false },
]

describe("a program that records with the library loses nothing when it leaves by", () => {
  it.scopedLive.each(PROGRAM)("$way", ({ way, signal, ends, closes }) =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const model = yield* MessagesServer.serve
      const server = yield* LiveServer.start()
      // A program that has undelivered events keeps trying: its event loop runs dry only when a server takes them.
      const endpoint = way === "natural end" ? server.url : yield* OpsRecorder.closedUrl
      const env = { ANTHROPIC_BASE_URL: model.url, TELEMETRY_API_URL: endpoint }
      const left = yield* leave(way, path("runs"), env, signal)
      expect(left.signal ?? left.code).toBe(ends)
      expect(left.appended.length).toBeGreaterThanOrEqual(24)
      const ids = yield* isWhole(path("runs/left"), left.appended)
      expect(ids.length - left.appended.length).toBeLessThanOrEqual(1)
      const events = yield* Runledger.eventsOf(path("runs/left"))
      expect(events.at(-1)?.type === "RUN_CANCELLED").toBe(closes)
      expect(isLocked(path("runs/left"))).toBe(!closes)
      yield* isDelivered(cwd, path("runs"), path("runs/left"), server.url)
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})

const LAUNCH: ReadonlyArray<Way> = [
  { way: "SIGINT", signal: "SIGINT", ends: 130, closes: true },
  { way: "SIGTERM", signal: "SIGTERM", ends: 130, closes: true },
  { way: "SIGHUP", signal: "SIGHUP", ends: 130, closes: true },
  { way: "SIGKILL", signal: "SIGKILL", ends: "SIGKILL", closes: false },
  { way: "process.exit", signal: "SIGUSR2", ends: 7, closes: false },
  { way: "uncaught exception", signal: "SIGUSR2", ends: 2, closes: true },
  { way: "unhandled rejection", signal: "SIGUSR2", ends: 2, closes: true },
]

/** Waits, bounded, until a run's log holds an event of some type. */
const until = (runDir: string, type: string) =>
  Runledger.eventsOf(runDir).pipe(
    Effect.filterOrFail((events) => events.some((event) => event.type === type)),
    Effect.retry({ schedule: Schedule.spaced("20 millis"), times: 1500 }),
  )

/** A launch whose calls are never answered, waiting in the middle of them. */
const launching = (way: string, telemetry: string, extra: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const { cwd, project, path } = yield* Runledger.workplace
    const sandbox = yield* Runledger.listening(["sandbox", "--faults", "latency:600000*"], { cwd })
    const launch = yield* Runledger.start(["launch", project, "--json", "--run-id", "left"], {
      cwd,
      env: {
        ANTHROPIC_API_KEY: "not-a-key",
        ANTHROPIC_BASE_URL: sandbox.url,
        TELEMETRY_API_URL: telemetry,
        NODE_OPTIONS: `--import ${pathToFileURL(support("Crash.mjs")).href}`,
        LEAVING_WAY: way,
        ...extra,
      },
    })
    const before = yield* until(path("runs/left"), "LLM_CALL_STARTED")
    return { cwd, path, launch, before: before.map(({ event_id }) => event_id) }
  })

const lines = (text: string, pattern: RegExp): ReadonlyArray<string> =>
  text.split("\n").filter((line) => pattern.test(line))

describe("a launch loses nothing when it leaves by", () => {
  it.scopedLive.each(LAUNCH)("$way", ({ way, signal, ends, closes }) =>
    Effect.gen(function* () {
      const server = yield* LiveServer.start()
      const { cwd, path, launch, before } = yield* launching(way, server.url)
      if (signal !== undefined) yield* launch.signal(signal)
      const ended = yield* launch.ended
      expect(ended.signal ?? ended.code).toBe(ends)
      yield* isWhole(path("runs/left"), before)
      const events = yield* Runledger.eventsOf(path("runs/left"))
      expect(events.at(-1)?.type === "RUN_CANCELLED").toBe(closes)
      expect(isLocked(path("runs/left"))).toBe(!closes)
      if (closes) expect(yield* Runledger.resultOf(ended)).toMatchObject({ run_id: "left", status: "cancelled" })
      yield* isDelivered(cwd, path("runs"), path("runs/left"), server.url)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("its natural end", () =>
    Effect.gen(function* () {
      const server = yield* LiveServer.start()
      const { cwd, project, path } = yield* Runledger.workplace
      const env = { TELEMETRY_API_URL: server.url }
      const ended = yield* Runledger.run(["launch", project, "--json", "--run-id", "left"], { cwd, env })
      expect(yield* Runledger.resultOf(ended)).toMatchObject({ status: "success", undelivered: 0 })
      yield* isWhole(path("runs/left"), [])
      yield* isDelivered(cwd, path("runs"), path("runs/left"), server.url)
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})

describe("a launch that leaves", () => {
  it.scopedLive("says an exception that nobody caught in one line without secrets, and its stack only when asked", () =>
    Effect.gen(function* () {
      const { launch } = yield* launching("uncaught exception", "http://127.0.0.1:9")
      yield* launch.signal("SIGUSR2")
      const { stderr } = yield* launch.ended
      expect(lines(stderr, /out of the blue/)).toEqual([
        expect.stringMatching(
          /^error: Something unforeseen .*: Error: out of the blue, on two lines, with .*closed now/,
        ),
      ])
      expect(stderr).not.toMatch(/^\s+at |sk-ant-api03-A/m)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("ends at once on a second signal while it closes, with its log closed and kept", () =>
    Effect.gen(function* () {
      const { url } = yield* Runledger.stranger("hangs")
      const { path, launch } = yield* launching("", url, { TELEMETRY_TIMEOUT: "60" })
      yield* launch.signal("SIGTERM")
      yield* until(path("runs/left"), "RUN_CANCELLED")
      yield* launch.signal("SIGINT")
      const ended = yield* launch.ended
      expect([ended.code, ended.stdout]).toEqual([130, ""])
      expect(isLocked(path("runs/left"))).toBe(true)
      yield* isWhole(path("runs/left"), [])
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})

const Cursor = Schema.parseJson(Schema.Struct({ lines: Schema.Int }))

describe("a launch whose server is killed in the middle", () => {
  it.scopedLive("writes the same drafts, says exactly how much is undelivered, and ship delivers it", () =>
    Effect.gen(function* () {
      const { cwd, project, path } = yield* Runledger.workplace
      const sandbox = yield* Runledger.listening(["sandbox", "--faults", "latency:300*"], { cwd })
      const answered = { ANTHROPIC_API_KEY: "not-a-key", ANTHROPIC_BASE_URL: sandbox.url }
      const serve = ["serve", "--port", "0", "--db", "telemetry.sqlite"]
      const server = yield* Runledger.listening(serve, { cwd })
      const launch = yield* Runledger.start(["launch", project, "--json", "--run-id", "left"], {
        cwd,
        env: { ...answered, TELEMETRY_API_URL: server.url },
      })
      yield* until(path("runs/left"), "LLM_CALL_STARTED")
      yield* server.signal("SIGKILL")
      const result = yield* Effect.flatMap(launch.ended, Runledger.resultOf)
      const ids = yield* isWhole(path("runs/left"), [])
      const cursor = yield* Schema.decode(Cursor)(fs.readFileSync(path("runs/left/telemetry.cursor"), "utf8"))
      expect(result).toMatchObject({ status: "success", undelivered: ids.length - cursor.lines })
      expect(result.undelivered).toBeGreaterThan(0)
      expect(fs.existsSync(path("runs/left/reports/telemetry_unavailable.md"))).toBe(true)
      const offline = ["launch", project, "--json", "--offline", "--run-id", "calm"]
      yield* Runledger.run(offline, { cwd, env: answered })
      expect(yield* Runledger.draftsOf(path("runs/left"))).toEqual(yield* Runledger.draftsOf(path("runs/calm")))
      const again = yield* Runledger.listening(serve, { cwd })
      yield* isDelivered(cwd, path("runs"), path("runs/left"), again.url)
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
