import * as fs from "node:fs"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as BacklogBackground from "../../layers/BacklogBackground.js"
import * as BacklogRun from "../../layers/BacklogRun.js"
import * as TelemetryOffline from "../../layers/TelemetryOffline.js"
import { Backlog, type BacklogService, type DrainOptions } from "../../services/Backlog.js"
import { Telemetry } from "../../services/Telemetry.js"
import { cursorOf, drain, eventIds, survey } from "../support/Backlogs.js"
import * as DeadRuns from "../support/DeadRuns.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import * as RunFolders from "../support/RunFolders.js"

describe("BacklogFolders: drain in trouble", () => {
  it("a server that takes longer than ten seconds for an answer is waited for as long as it may", () => {
    const seconds = (timeout: Duration.DurationInput | undefined) =>
      Duration.toSeconds(
        BacklogRun.patience({
          server: { endpoint: "", token: Option.none(), ...(timeout === undefined ? {} : { requestTimeout: timeout }) },
        }),
      )
    expect([seconds(undefined), seconds("1 second"), seconds("30 seconds")]).toEqual([10, 10, 60])
  })

  it.scopedLive("one run over which the server hangs does not keep the newer ones back", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const server = yield* OpsRecorder.serve
      yield* Effect.forEach(["stuck", "good", "better"], (name, n) => DeadRuns.waiting(runsDir, name, n + 1))
      server.behave = ({ client }) => (client["run_id"] === "stuck" ? "hang" : { status: 200 })
      const results = yield* drain(runsDir, server.url, { requestTimeout: "100 millis" })
      expect(results.map(({ runId, undelivered }) => [runId, undelivered])).toEqual([
        ["stuck", 12],
        ["good", 0],
        ["better", 0],
      ])
    }),
  )

  it.scopedLive("a run whose owner may be alive elsewhere is left alone, and said, until it is forced", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const server = yield* OpsRecorder.serve
      yield* DeadRuns.killed(runsDir, "run-001", yield* OpsRecorder.closedUrl)
      const lock = nodePath.join(runsDir, "run-001", "lock")
      fs.writeFileSync(lock, JSON.stringify({ ...JSON.parse(fs.readFileSync(lock, "utf8")), host: "elsewhere" }))
      const state = DeadRuns.stateOf(runsDir)
      const why = expect.stringMatching(/may be alive on elsewhere .*if it is not: runledger ship --force/)
      expect(yield* survey(runsDir)).toMatchObject([{ owner: null, openSpans: 0, problem: why }])
      expect(yield* drain(runsDir, server.url)).toMatchObject([{ skipped: "unknown", undelivered: 9, lastError: why }])
      expect([DeadRuns.stateOf(runsDir), server.requests.length]).toEqual([state, 0])
      const taken: Array<string> = []
      const onTakeOver: DrainOptions["onTakeOver"] = (runs) =>
        Effect.sync(() => void taken.push(...runs.map(({ runId, doubt }) => `${runId}: ${doubt}`)))
      expect(yield* drain(runsDir, server.url, { force: true, onTakeOver })).toMatchObject([
        { skipped: null, undelivered: 0, closedSpans: DeadRuns.OPEN },
      ])
      expect(taken).toEqual([`run-001: its owner may be alive on elsewhere (${lock})`])
    }),
  )

  it.scopedLive(
    "from the start: a server that was replaced gets every event again, offline runs only when asked for",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        const lost = yield* OpsRecorder.serve
        const run = yield* DeadRuns.waiting(runsDir, "run", 1)
        yield* drain(runsDir, lost.url)
        const offline = yield* DeadRuns.waiting(runsDir, "offline", 2)
        fs.rmSync(nodePath.join(offline, "telemetry.cursor"))
        const server = yield* OpsRecorder.serve
        const results = yield* drain(runsDir, server.url, { fromStart: true })
        expect(results.map(({ delivered, skipped }) => [delivered, skipped])).toEqual([
          [12, null],
          [0, "offline"],
        ])
        expect([eventIds(server).length, cursorOf(run).lines]).toEqual([12, 12])
        expect((yield* drain(runsDir, server.url)).map(({ skipped }) => skipped)).toEqual(["offline"])
      }),
  )

  it.scopedLive(
    "from the start, interrupted: every run was set back before the first went, what is left is told, and a plain drain goes on",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        const lost = yield* OpsRecorder.serve
        const names = ["first", "second", "third"]
        const runs = yield* Effect.forEach(names, (name, n) => DeadRuns.waiting(runsDir, name, n + 1))
        yield* drain(runsDir, lost.url)
        expect(runs.map((run) => cursorOf(run).lines)).toEqual([12, 12, 12])
        const server = yield* OpsRecorder.serve
        const asked = yield* Effect.makeLatch(false)
        server.behave = ({ client }) => {
          if (client["run_id"] !== "second") return { status: 200 }
          asked.unsafeOpen()
          return "hang"
        }
        const drained: Array<string> = []
        const left: Array<readonly [string, number, number]> = []
        const draining = yield* Effect.fork(
          drain(runsDir, server.url, {
            fromStart: true,
            onDelivering: Effect.sync(() => expect(cursorOf(runs[2] ?? "").lines).toBe(0)),
            onDrained: ({ runId }) => Effect.sync(() => void drained.push(runId)),
            onInterrupted: (runs) =>
              Effect.sync(() => left.push(...runs.map((run) => [run.runId, run.delivered, run.undelivered] as const))),
          }),
        )
        yield* Effect.timeout(asked.await, "30 seconds")
        yield* Fiber.interrupt(draining)
        expect([drained, left]).toEqual([
          ["first"],
          [
            ["second", 0, 12],
            ["third", 0, 12],
          ],
        ])
        expect(runs.map((run) => cursorOf(run).lines)).toEqual([12, 0, 0])
        server.behave = () => ({ status: 200 })
        expect((yield* drain(runsDir, server.url)).map(({ delivered }) => delivered)).toEqual([12, 12])
        expect(new Set(eventIds(server)).size).toBe(36)
      }),
  )

  it.scopedLive("from the start: what a dead process left open is closed once and counted once", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const server = yield* OpsRecorder.serve
      yield* DeadRuns.killed(runsDir, "run-001", yield* OpsRecorder.closedUrl)
      expect(yield* drain(runsDir, server.url, { fromStart: true })).toMatchObject([
        { delivered: DeadRuns.EVENTS + DeadRuns.OPEN, undelivered: 0, closedSpans: DeadRuns.OPEN },
      ])
    }),
  )

  it.scopedLive("in passing, logs of offline, delivered and owned runs are not opened", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const server = yield* OpsRecorder.serve
      yield* DeadRuns.waiting(runsDir, "behind", 1)
      const unreadable = (name: string): string => {
        const folder = nodePath.join(runsDir, name)
        fs.mkdirSync(nodePath.join(folder, "events.ndjson"), { recursive: true })
        return folder
      }
      unreadable("offline")
      const held = unreadable("held")
      fs.writeFileSync(nodePath.join(held, "telemetry.cursor"), DeadRuns.AT_START.replace("{", '{"held":true,'))
      const elsewhere = unreadable("elsewhere")
      fs.writeFileSync(nodePath.join(elsewhere, "telemetry.cursor"), DeadRuns.AT_START)
      fs.writeFileSync(nodePath.join(elsewhere, "lock"), "somebody's")
      const done = unreadable("done")
      const { size } = fs.statSync(nodePath.join(done, "events.ndjson"))
      fs.writeFileSync(
        nodePath.join(done, "telemetry.cursor"),
        DeadRuns.AT_START.replace('"offset":0', `"offset":${size}`),
      )
      const results = yield* drain(runsDir, server.url, { inPassing: true })
      expect(results.map(({ runId, delivered }) => [runId, delivered])).toEqual([["behind", 12]])
      expect((yield* drain(runsDir, server.url)).filter(({ skipped }) => skipped === "unusable").length).toBe(4)
    }),
  )

  it.scopedLive("what stands in the place of a cursor or of dead letters is named, and the run is delivered", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const server = yield* OpsRecorder.serve
      const beside = (name: string, day: number, file: string, place: (path: string) => void) =>
        Effect.map(DeadRuns.waiting(runsDir, name, day), (directory) => {
          const path = nodePath.join(directory, file)
          fs.rmSync(path, { force: true })
          place(path)
          return path
        })
      const folder = (path: string) => fs.mkdirSync(path)
      const link = (path: string) => fs.symlinkSync(nodePath.join(runsDir, "nowhere"), path)
      const paths = [
        yield* beside("letters", 1, "telemetry.dead-letters.ndjson", folder),
        yield* beside("linked", 2, "telemetry.dead-letters.ndjson", link),
        yield* beside("cursor-link", 3, "telemetry.cursor", link),
        yield* beside("cursor", 4, "telemetry.cursor", folder),
      ]
      expect(
        (yield* survey(runsDir)).map(({ undelivered, deadLetters, problem }) => [undelivered, deadLetters, problem]),
      ).toEqual(paths.map((path) => [12, 0, expect.stringContaining(path)]))
      const results = yield* drain(runsDir, server.url)
      expect(results.map(({ delivered, undelivered }) => [delivered, undelivered])).toEqual([
        [12, 0],
        [12, 0],
        [12, 0],
        [12, 12],
      ])
      expect(results[3]?.lastError).toContain(`${paths[3]} cannot be written`)
    }),
  )

  it.scopedLive(
    "a run folder that is removed while it is delivered is said to be gone, and the server is not blamed",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        const server = yield* OpsRecorder.serve
        const run = yield* DeadRuns.waiting(runsDir, "run", 1)
        server.behave = () => {
          fs.rmSync(run, { recursive: true, force: true })
          return { status: 200 }
        }
        const results = yield* drain(runsDir, server.url)
        expect(results).toMatchObject([{ delivered: 12, lastError: expect.stringContaining("events.ndjson is gone") }])
      }),
  )
})

describe("BacklogBackground", () => {
  const closing = (drain: BacklogService["drain"]) =>
    Effect.gen(function* () {
      const telemetry = yield* Telemetry.pipe(Effect.provide(TelemetryOffline.layer))
      const draining = BacklogBackground.draining.pipe(
        Layer.provide(Layer.succeed(Backlog, { survey: Effect.succeed([]), drain })),
        Layer.provide(Layer.succeed(Telemetry, telemetry)),
      )
      return yield* Effect.fork(Effect.scoped(Effect.zipRight(Layer.build(draining), Effect.yieldNow())))
    })

  it.effect(
    "a program that ends is kept for a glance at the runs, and for three seconds while one is delivered, not longer",
    () =>
      Effect.gen(function* () {
        const looking = yield* closing(() => Effect.never)
        yield* TestClock.adjust("250 millis")
        expect(Option.isNone(yield* Fiber.poll(looking))).toBe(true)
        yield* TestClock.adjust("100 millis")
        yield* Fiber.join(looking)
        const delivering = yield* closing(({ onDelivering }) =>
          Effect.zipRight(onDelivering ?? Effect.void, Effect.never),
        )
        yield* TestClock.adjust("2900 millis")
        expect(Option.isNone(yield* Fiber.poll(delivering))).toBe(true)
        yield* TestClock.adjust("200 millis")
        yield* Fiber.join(delivering)
      }),
  )
})
