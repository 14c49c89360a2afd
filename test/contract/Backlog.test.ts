import * as fs from "node:fs"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import { CurrentRun } from "../../services/CurrentRun.js"
import { cursorOf, drain, eventIds, survey } from "../support/Backlogs.js"
import * as DeadRuns from "../support/DeadRuns.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import * as RunFolders from "../support/RunFolders.js"

describe("BacklogFolders: survey", () => {
  it.scopedLive("says of every run, oldest first, how it stands, and changes nothing", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      yield* DeadRuns.waiting(runsDir, "b-second", 2)
      yield* DeadRuns.waiting(runsDir, "a-third", 3)
      const offline = yield* DeadRuns.waiting(runsDir, "c-first", 1)
      fs.rmSync(nodePath.join(offline, "telemetry.cursor"))
      fs.mkdirSync(nodePath.join(runsDir, "no-run"))
      fs.mkdirSync(nodePath.join(runsDir, ".cache"))
      const before = DeadRuns.stateOf(runsDir)
      const found = yield* survey(runsDir)
      expect(DeadRuns.stateOf(runsDir)).toEqual(before)
      expect(found.map(({ runId, undelivered, offline }) => [runId, undelivered, offline])).toEqual([
        ["c-first", 12, true],
        ["b-second", 12, false],
        ["a-third", 12, false],
      ])
      expect(found[1]).toEqual({
        runId: "b-second",
        directory: nodePath.join(runsDir, "b-second"),
        undelivered: 12,
        oldestAt: "2026-01-02T12:00:00.000Z",
        offline: false,
        owner: null,
        openSpans: 0,
        deadLetters: 0,
        lost: 0,
        problem: null,
      })
    }),
  )

  it.scopedLive("what is damaged becomes a problem of that run alone", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const garbled = yield* DeadRuns.waiting(runsDir, "garbled", 1)
      fs.writeFileSync(nodePath.join(garbled, "telemetry.cursor"), "no cursor")
      const beyond = yield* DeadRuns.waiting(runsDir, "beyond", 2)
      fs.writeFileSync(
        nodePath.join(beyond, "telemetry.cursor"),
        DeadRuns.AT_START.replace('"offset":0', '"offset":999999'),
      )
      const torn = yield* DeadRuns.waiting(runsDir, "torn", 3)
      fs.appendFileSync(nodePath.join(torn, "events.ndjson"), '{"event_hash":"12')
      fs.mkdirSync(nodePath.join(runsDir, "a-folder-for-a-log", "events.ndjson"), { recursive: true })
      const found = new Map((yield* survey(runsDir)).map((run) => [run.runId, run]))
      expect(found.get("garbled")).toMatchObject({
        undelivered: 12,
        problem: expect.stringContaining("telemetry.cursor"),
      })
      expect(found.get("beyond")).toMatchObject({ undelivered: 12, problem: expect.stringContaining("999999") })
      expect(found.get("torn")).toMatchObject({ undelivered: 12, problem: null })
      expect(found.get("a-folder-for-a-log")).toMatchObject({ undelivered: null, problem: expect.any(String) })
    }),
  )
})

describe("BacklogFolders: drain", () => {
  it.scopedLive("runs with nothing to deliver are not touched, and a live owner's run is left to it", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const server = yield* OpsRecorder.serve
      const done = yield* DeadRuns.waiting(runsDir, "done", 1)
      yield* drain(runsDir, server.url)
      expect(cursorOf(done).lines).toBe(DeadRuns.WAITING)
      const state = DeadRuns.stateOf(done)
      yield* DeadRuns.waiting(runsDir, "owned", 2)
      const results = yield* Effect.zipRight(CurrentRun, drain(runsDir, server.url)).pipe(
        Effect.provide(CurrentRunFolder.layer({ runsDir, runId: "owned", resume: true, config: {} })),
      )
      expect(results).toMatchObject([{ runId: "owned", skipped: "owned", undelivered: 12, delivered: 0 }])
      expect(DeadRuns.stateOf(done)).toEqual(state)
      expect(eventIds(server).length).toBe(DeadRuns.WAITING)
    }),
  )

  it.scopedLive("an offline run stays, its dead spans open, until it is asked for", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const server = yield* OpsRecorder.serve
      yield* DeadRuns.killed(runsDir, "never", "offline")
      const held = yield* DeadRuns.waiting(runsDir, "held", 2)
      fs.writeFileSync(nodePath.join(held, "telemetry.cursor"), DeadRuns.AT_START.replace("{", '{"held":true,'))
      const before = DeadRuns.stateOf(runsDir)
      const kept = yield* drain(runsDir, server.url)
      expect(kept.map(({ runId, skipped, undelivered }) => [runId, skipped, undelivered])).toEqual([
        ["held", "offline", 12],
        ["never", "offline", DeadRuns.EVENTS],
      ])
      expect([DeadRuns.stateOf(runsDir), server.requests.length]).toEqual([before, 0])
      const sent = yield* drain(runsDir, server.url, { includeOffline: true })
      expect(sent.map(({ delivered, closedSpans, undelivered }) => [delivered, closedSpans, undelivered])).toEqual([
        [12, 0, 0],
        [DeadRuns.EVENTS + DeadRuns.OPEN, DeadRuns.OPEN, 0],
      ])
      expect(cursorOf(held)).toEqual({ offset: expect.any(Number), lines: 12, hash: expect.any(String) })
    }),
  )

  it.scopedLive(
    "a server that is not there is given up on at the first run, one that hangs at the third; the rest is said to be not tried",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        const names = Array.from({ length: 12 }, (_, n) => `run-${String(n).padStart(2, "0")}`)
        yield* Effect.forEach(names, (name, n) => DeadRuns.waiting(runsDir, name, n + 1))
        const hanging = yield* OpsRecorder.serve
        hanging.behave = () => "hang"
        for (const [url, tried] of [
          [yield* OpsRecorder.closedUrl, 1],
          [hanging.url, 3],
        ] as const) {
          const results = yield* drain(runsDir, url, { requestTimeout: "50 millis" })
          expect(results.map(({ undelivered }) => undelivered)).toEqual(names.map(() => 12))
          expect(results[0]?.lastError).toContain(url)
          expect(results.map(({ lastError }) => lastError?.startsWith("not tried: "))).toEqual(
            names.map((_, n) => n >= tried),
          )
        }
        expect(hanging.requests.length).toBeGreaterThan(0)
        expect(hanging.requests.length).toBeLessThan(12)
        expect(names.some((name) => fs.existsSync(nodePath.join(runsDir, name, "lock")))).toBe(false)
      }),
  )

  it.scopedLive("a server that fails over one run still gets the others", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const server = yield* OpsRecorder.serve
      yield* Effect.forEach(["poison", "good", "better"], (name, n) => DeadRuns.waiting(runsDir, name, n + 1))
      server.behave = ({ client }) => ({ status: client["run_id"] === "poison" ? 500 : 200 })
      const results = yield* drain(runsDir, server.url)
      expect(results.map(({ runId, undelivered }) => [runId, undelivered])).toEqual([
        ["poison", 12],
        ["good", 0],
        ["better", 0],
      ])
      expect(results[0]?.lastError).toContain("500")
    }),
  )

  it.scopedLive("what is damaged or refused does not keep the rest from being delivered", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const server = yield* OpsRecorder.serve
      const garbled = yield* DeadRuns.waiting(runsDir, "garbled", 1)
      fs.writeFileSync(nodePath.join(garbled, "telemetry.cursor"), "no cursor")
      const torn = yield* DeadRuns.waiting(runsDir, "torn", 2)
      fs.appendFileSync(nodePath.join(torn, "events.ndjson"), '{"event_hash":"12')
      fs.mkdirSync(nodePath.join(runsDir, "unusable", "events.ndjson"), { recursive: true })
      const refused = yield* DeadRuns.waiting(runsDir, "refused", 3)
      server.behave = () => ({ status: 200, refuse: ({ event_id }) => event_id === "refused-event-3" })
      const results = yield* drain(runsDir, server.url)
      const byName = new Map(results.map((result) => [nodePath.basename(result.directory), result]))
      expect(byName.get("garbled")).toMatchObject({ delivered: 12, undelivered: 0 })
      expect(byName.get("torn")).toMatchObject({ delivered: 12, undelivered: 0 })
      expect(byName.get("unusable")).toMatchObject({ skipped: "unusable", lastError: expect.any(String) })
      expect(byName.get("refused")).toMatchObject({ undelivered: 0, deadLetters: expect.any(Number) })
      expect(byName.get("refused")?.deadLetters).toBeGreaterThan(0)
      expect(fs.existsSync(nodePath.join(refused, "telemetry.dead-letters.ndjson"))).toBe(true)
      expect(fs.readdirSync(torn)).toContain("events.torn-1")
      expect((yield* survey(runsDir)).find(({ runId }) => runId === "refused")?.deadLetters).toBeGreaterThan(0)
    }),
  )

  it.scopedLive("drains at the same time send every event once, and all of them together deliver everything", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const server = yield* OpsRecorder.serve
      const names = Array.from({ length: 6 }, (_, n) => `run-${n}`)
      yield* Effect.forEach(names, (name, n) => DeadRuns.waiting(runsDir, name, n + 1))
      yield* Effect.all([drain(runsDir, server.url), drain(runsDir, server.url), drain(runsDir, server.url)], {
        concurrency: "unbounded",
      })
      yield* drain(runsDir, server.url)
      expect(eventIds(server).toSorted()).toEqual(
        names.flatMap((name) => Array.from({ length: 12 }, (_, n) => `${name}-event-${n}`)).toSorted(),
      )
    }),
  )

  it.scopedLive("an interruption ends it soon, keeps what was acknowledged, and gives the run free", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const server = yield* OpsRecorder.serve
      const first = yield* DeadRuns.waiting(runsDir, "first", 1)
      const second = yield* DeadRuns.waiting(runsDir, "second", 2)
      server.behave = ({ client }) => (client["run_id"] === "second" ? "hang" : { status: 200 })
      const fiber = yield* Effect.fork(drain(runsDir, server.url))
      yield* Effect.suspend(() =>
        server.requests.some(({ client }) => client["run_id"] === "second") ? Effect.void : Effect.fail("not yet"),
      ).pipe(Effect.retry(Schedule.spaced("10 millis")), Effect.timeout("20 seconds"))
      yield* Fiber.interrupt(fiber)
      expect([cursorOf(first).lines, cursorOf(second).lines]).toEqual([12, 0])
      expect(fs.existsSync(nodePath.join(second, "lock"))).toBe(false)
    }),
  )
})
