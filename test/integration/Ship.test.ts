import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as RunledgerLayer from "../../layers/Runledger.js"
import * as DeadRuns from "../support/DeadRuns.js"
import * as LiveServer from "../support/LiveServer.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import * as Runledger from "../support/Runledger.js"

beforeAll(Runledger.build)

/** What a server has of a run: how many events, and how its row stands. */
const storeOf = (url: string, runId: string) =>
  Effect.gen(function* () {
    const events = yield* LiveServer.ask(`${url}/api/v1/runs/${runId}/events?limit=1000`)
    const { json } = yield* LiveServer.ask(`${url}/api/v1/runs/${runId}`)
    return { events: Number(events.headers["x-total-count"] ?? 0), status: json?.status, summary: json?.error_summary }
  })

const eventIds = (server: OpsRecorder.OpsRecorder): ReadonlyArray<string> =>
  server.applied.filter(({ op }) => op === "event").map(({ event_id }) => event_id)

const eventually = <A, E, R>(check: Effect.Effect<A, E, R>) =>
  check.pipe(Effect.retry(Schedule.spaced("50 millis")), Effect.timeout("30 seconds"))

describe("ship", () => {
  it.scopedLive("delivers what a SIGKILLed process left behind, says so, and show and verify see how it ended", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const { url } = yield* LiveServer.start()
      const env = { TELEMETRY_API_URL: url }
      const pid = yield* DeadRuns.killed(path("runs"), "run-001", yield* OpsRecorder.closedUrl)
      const shipped = yield* Runledger.run(["ship"], { cwd, env })
      expect([shipped.code, shipped.stdout]).toEqual([
        0,
        expect.stringMatching(/run-001 {2}done {2}12 events delivered; 3 spans of a dead process closed/),
      ])
      expect(yield* storeOf(url, "run-001")).toMatchObject({ events: 12, status: "failure" })
      expect((yield* storeOf(url, "run-001")).summary).toContain(String(pid))
      expect((yield* Runledger.run(["verify", "run-001"], { cwd, env })).code).toBe(0)
      const shown = yield* Runledger.run(["show", "run-001", "--local"], { cwd, env })
      expect(shown.stdout).toMatch(/never_ends.*failure/)
      const again = yield* Runledger.run(["ship", "--json"], { cwd, env })
      expect([again.code, yield* Runledger.json(again.stdout)]).toEqual([
        0,
        expect.objectContaining({
          runs: [],
          totals: { delivered: 0, undelivered: 0, offline: 0, dead_letters: 0, closed_spans: 0 },
        }),
      ])
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "offline runs stay and are mentioned, then go when asked for; one run's folder ships only that run",
    () =>
      Effect.gen(function* () {
        const { cwd, path } = yield* Runledger.workplace
        const server = yield* OpsRecorder.serve
        const env = { TELEMETRY_API_URL: server.url }
        const offline = yield* DeadRuns.waiting(path("runs"), "offline", 1)
        fs.rmSync(nodePath.join(offline, "telemetry.cursor"))
        yield* DeadRuns.waiting(path("runs"), "one", 2)
        yield* DeadRuns.waiting(path("runs"), "other", 3)
        const one = yield* Runledger.run(["ship", "runs/one", "--json"], { cwd, env })
        expect([one.code, eventIds(server).length]).toEqual([0, 12])
        expect(eventIds(server).every((id) => id.startsWith("one-"))).toBe(true)
        const rest = yield* Runledger.run(["ship", "runs"], { cwd, env })
        expect([rest.code, rest.stdout]).toEqual([0, expect.stringContaining("--include-offline")])
        expect(eventIds(server).some((id) => id.startsWith("offline-"))).toBe(false)
        const all = yield* Runledger.run(["ship", "runs", "--include-offline"], { cwd, env })
        expect([all.code, new Set(eventIds(server)).size, eventIds(server).length]).toEqual([0, 36, 36])
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("two at once deliver everything, every event once", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const server = yield* OpsRecorder.serve
      const env = { TELEMETRY_API_URL: server.url }
      yield* Effect.forEach(["a", "b", "c"], (name, n) => DeadRuns.waiting(path("runs"), name, n + 1))
      const ship = Runledger.run(["ship", "--json"], { cwd, env })
      const ends = yield* Effect.all([ship, ship], { concurrency: "unbounded" })
      expect(ends.map(({ code }) => code)).toEqual([0, 0])
      expect((yield* ship).code).toBe(0)
      expect([new Set(eventIds(server)).size, eventIds(server).length]).toEqual([36, 36])
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("no server: exit 2, nothing lost; no folder: exit 1; an empty one: exit 0; Ctrl-C: 130", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const run = yield* DeadRuns.waiting(path("runs"), "a", 1)
      const down = yield* Runledger.run(["ship"], { cwd })
      expect([down.code, down.stdout]).toEqual([2, expect.stringMatching(/12 events undelivered: http/)])
      fs.mkdirSync(path("empty"))
      const empty = yield* Runledger.run(["ship", "empty"], { cwd })
      expect([empty.code, empty.stdout]).toEqual([0, expect.stringContaining(`no run in ${path("empty")}`)])
      const server = yield* OpsRecorder.serve
      server.behave = () => "hang"
      const running = yield* Runledger.start(["ship"], { cwd, env: { TELEMETRY_API_URL: server.url } })
      yield* eventually(Effect.suspend(() => (server.requests.length > 0 ? Effect.void : Effect.fail("not yet"))))
      yield* running.signal("SIGINT")
      const ended = yield* running.ended
      expect(ended.code).toBe(130)
      expect(ended.stdout).toMatch(/0 events delivered to \S+, 12 events undelivered.*\nTo go on: runledger ship$/m)
      expect(fs.existsSync(nodePath.join(run, "lock"))).toBe(false)
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})

describe("ship: which runs are meant", () => {
  it.scopedLive("a run id and a run's log ship that run; what is neither is named, with what to give instead", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const server = yield* OpsRecorder.serve
      const env = { TELEMETRY_API_URL: server.url }
      yield* Effect.forEach(["one", "two", "three"], (name, n) => DeadRuns.waiting(path("runs"), name, n + 1))
      const byId = yield* Runledger.run(["ship", "two"], { cwd, env })
      expect([byId.code, byId.stdout]).toEqual([0, expect.stringMatching(/^two {2}done {2}12 events delivered$/m)])
      const byLog = yield* Runledger.run(["ship", "runs/three/events.ndjson"], { cwd, env })
      expect([byLog.code, eventIds(server).length]).toEqual([0, 24])
      expect(eventIds(server).some((id) => id.startsWith("one-"))).toBe(false)
      const wrong = (word: string, says: string) =>
        Effect.map(Runledger.run(["ship", word], { cwd, env }), (ended) => {
          expect([ended.code, ended.stderr]).toEqual([1, expect.stringContaining(says)])
          expect(ended.stderr).toContain("runledger ship [RUNS_DIR|RUN_DIR|RUN_ID]")
        })
      yield* wrong("nowhere", `no folder ${path("nowhere")}, and no run nowhere in ${path("runs")}`)
      yield* wrong("widget-box/README.md", "is no folder")
      const none = yield* Runledger.run(["ship"], { cwd: path("widget-box"), env })
      expect([none.code, none.stderr]).toEqual([1, expect.stringContaining(path("widget-box", "runs"))])
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})

describe("ship: replaced servers, and owners out of sight", () => {
  it.scopedLive("--from-start fills a new server; --force takes over; neither shows what an address holds", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const run = yield* DeadRuns.waiting(path("runs"), "a", 1)
      const first = yield* OpsRecorder.serve
      expect((yield* Runledger.run(["ship"], { cwd, env: { TELEMETRY_API_URL: first.url } })).code).toBe(0)
      const { url } = yield* LiveServer.start()
      const env = { TELEMETRY_API_URL: `${url}/?key=hidden` }
      for (let time = 0; time < 2; time++) {
        const again = yield* Runledger.run(["ship", "--from-start"], { cwd, env })
        expect([again.code, again.stdout]).toEqual([0, expect.stringContaining("12 events delivered")])
        expect(yield* storeOf(url, "a")).toMatchObject({ events: 12 })
        expect(again.stdout + again.stderr).not.toContain("hidden")
      }
      fs.writeFileSync(nodePath.join(run, "lock"), JSON.stringify({ pid: 1, start_time: "x", host: "elsewhere" }))
      fs.writeFileSync(nodePath.join(run, "telemetry.cursor"), DeadRuns.AT_START)
      const left = yield* Runledger.run(["ship", "--json"], { cwd, env })
      expect([left.code, yield* Runledger.json(left.stdout)]).toEqual([
        2,
        expect.objectContaining({ endpoint: url, runs: [expect.objectContaining({ skipped: "unknown" })] }),
      ])
      const resumed = yield* Runledger.run(["launch", ".", "--offline", "--resume", "a"], { cwd, env })
      expect(resumed.stderr).toContain(nodePath.join("a", "lock"))
      const forced = yield* Runledger.run(["ship", "--force"], { cwd, env })
      expect([forced.code, forced.stderr]).toEqual([0, expect.stringMatching(/--force takes over 1 run .*elsewhere/)])
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})

describe("coming back", () => {
  it.scopedLive(
    "the next launch delivers the others' backlog beside its own work, says one line, and leaves offline runs",
    () =>
      Effect.gen(function* () {
        const { cwd, project, path } = yield* Runledger.workplace
        const server = yield* OpsRecorder.serve
        yield* DeadRuns.waiting(path("runs"), "before", 1)
        const offline = yield* DeadRuns.waiting(path("runs"), "offline", 2)
        fs.rmSync(nodePath.join(offline, "telemetry.cursor"))
        const ended = yield* Runledger.run(["launch", project, "--json"], {
          cwd,
          env: { TELEMETRY_API_URL: server.url },
        })
        expect([ended.code, ended.stderr]).toEqual([0, expect.stringContaining("12 events of 1 earlier run delivered")])
        const ids = eventIds(server)
        expect(ids.filter((id) => id.startsWith("before-")).length).toBe(12)
        expect(ids.filter((id) => id.startsWith("offline-")).length).toBe(0)
        expect(new Set(ids).size).toBe(ids.length)
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("a launch whose server is away names the report and ship; an offline one touches no backlog", () =>
    Effect.gen(function* () {
      const { cwd, project, path } = yield* Runledger.workplace
      const waiting = yield* DeadRuns.waiting(path("runs"), "before", 1)
      const state = DeadRuns.stateOf(waiting)
      const offline = yield* Runledger.run(["launch", project, "--offline", "--run-id", "off"], { cwd })
      expect([offline.code, DeadRuns.stateOf(waiting)]).toEqual([0, state])
      expect(offline.stdout).not.toContain("undelivered")
      const away = yield* Runledger.run(["launch", project, "--run-id", "away"], { cwd })
      expect([away.code, away.stdout]).toEqual([
        0,
        expect.stringContaining("runs/away/reports/telemetry_unavailable.md"),
      ])
      expect(away.stdout).toContain("runledger ship runs")
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("opening the library's layer delivers a dead process's backlog in the background", () =>
    Effect.gen(function* () {
      const { path } = yield* Runledger.workplace
      const { url } = yield* LiveServer.start()
      yield* DeadRuns.killed(path("runs"), "run-001", yield* OpsRecorder.closedUrl)
      const settings = Layer.setConfigProvider(ConfigProvider.fromMap(new Map([["TELEMETRY_API_URL", url]])))
      const opened = RunledgerLayer.layer({ name: "program", runsDir: path("runs") }).pipe(Layer.provide(settings))
      yield* eventually(
        Effect.filterOrFail(
          storeOf(url, "run-001"),
          ({ events, status }) => events === 12 && status === "failure",
          String,
        ),
      ).pipe(Effect.provide(opened))
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
