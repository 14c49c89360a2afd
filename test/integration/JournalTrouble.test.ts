import * as fs from "node:fs"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import type { ChainedEvent } from "../../src/domain/Event.js"
import * as Project from "../../src/domain/Project.js"
import * as Appending from "../support/Appending.js"
import * as Calling from "../support/Calling.js"
import * as Disks from "../support/Disks.js"
import * as FakeTime from "../support/FakeTime.js"
import * as RunFolders from "../support/RunFolders.js"
import * as RunStores from "../support/RunStores.js"

const program = (name: string): ReadonlyArray<string> => [
  "--import",
  "tsx",
  nodePath.join(import.meta.dirname, "../support", name),
]
const calling = program("CallingMain.ts")
const appending = program("AppendingMain.ts")

const skipped = (isSkipped: boolean, why: string): boolean => {
  if (isSkipped) process.stderr.write(`SKIPPED: ${why}\n`)
  return isSkipped
}

const noSmallDisk = skipped(
  !Disks.canMount(),
  "no file system can be mounted here (needs root): a full disk is not tried",
)
const fakeTime = FakeTime.library()
const noFakeTime = skipped(fakeTime === undefined, "faketime is not installed: a moved clock is not tried")

const logOf = (runsDir: string, runId: string): string => nodePath.join(runsDir, runId, EventLogNdjson.FILE)

const eventsOf = (file: string) => Effect.map(Stream.runCollect(EventLogNdjson.readAll(file)), Chunk.toReadonlyArray)

const callAll = (options: Partial<Calling.Options>, runsDir: string, folder: string, environment = {}) =>
  Effect.promise(() =>
    Calling.run(
      calling,
      { ...Calling.defaults, runsDir, runId: "run-001", said: nodePath.join(folder, "said.json"), ...options },
      { ...process.env, ...environment },
    ),
  )

const dropped = (events: ReadonlyArray<ChainedEvent>): number =>
  events.reduce((sum, event) => sum + (event.type === "TELEMETRY_GAP" ? event.payload.dropped : 0), 0)

const CALLS = 120

describe("The journal in trouble", () => {
  it.scopedLive.skipIf(noSmallDisk)(
    "a full disk changes no result, every event that it cost is counted, and writing resumes with space",
    () =>
      Effect.gen(function* () {
        const folder = yield* RunFolders.temporary
        const disk = yield* Effect.acquireRelease(
          Effect.sync(() => Disks.small(4096)),
          (mounted) => Effect.sync(mounted.remove),
        )
        Disks.fill(disk.folder, 200)
        const roomAt = 90
        const starved = yield* callAll(
          { calls: CALLS, ballast: nodePath.join(disk.folder, "ballast"), roomAt },
          disk.folder,
          folder,
        )
        const fed = yield* callAll({ calls: CALLS }, folder, folder)
        expect(starved.answers).toBe(fed.answers)

        const file = logOf(disk.folder, "run-001")
        const events = yield* eventsOf(file)
        const complete = yield* eventsOf(logOf(folder, "run-001"))
        expect(complete).toHaveLength(2 * CALLS + 2)
        const gaps = events.filter(({ type }) => type === "TELEMETRY_GAP")
        expect(dropped(events)).toBeGreaterThan(20)
        expect(events.length - gaps.length + dropped(events)).toBe(complete.length)

        const finished = events.flatMap((event) => (event.type === "LLM_CALL_FINISHED" ? [event.payload.call_id] : []))
        const afterwards = Array.from({ length: CALLS - roomAt - 1 }, (_, n) => `call_${roomAt + 1 + n}`)
        expect(finished).toEqual(expect.arrayContaining(afterwards))
        const evidence = fs.readdirSync(nodePath.join(disk.folder, "run-001", "evidence", "llm_calls"))
        expect(evidence).toEqual(expect.arrayContaining(afterwards.map((callId) => `${callId}.json`)))
        expect((yield* EventLogNdjson.verifyFile(file)).problems).toEqual([])
      }),
  )

  it.scopedLive.skipIf(noFakeTime)(
    "a clock moved by −2 days and +1 year in mid-run makes no negative duration and no time that goes backwards",
    () =>
      Effect.gen(function* () {
        const folder = yield* RunFolders.temporary
        const clockFile = nodePath.join(folder, "clock")
        FakeTime.move(clockFile, "+0d")
        yield* callAll(
          {
            calls: 60,
            clockFile,
            moves: [
              { at: 10, by: "-2d" },
              { at: 20, by: "+0d" },
              { at: 30, by: "+1y" },
              { at: 40, by: "+0d" },
              { at: 50, by: "-2d" },
            ],
          },
          folder,
          folder,
          FakeTime.environment(fakeTime ?? "", clockFile),
        )
        const file = logOf(folder, "run-001")
        expect((yield* EventLogNdjson.verifyFile(file)).problems).toEqual([])
        const events = yield* eventsOf(file)
        const times = events.map(({ ts }) => Date.parse(ts))
        const span = Math.max(...times) - Math.min(...times)
        expect(span).toBeGreaterThan(300 * 86_400_000)
        expect(times.filter((time, index) => time < (times[index - 1] ?? 0))).toEqual([])
        const [rows, durations] = yield* rowsOf(events)
        expect(rows).toHaveLength(61)
        expect(rows.filter(({ start, end }) => end === null || end < start)).toEqual([])
        expect(durations.filter((duration) => duration < 0 || duration > 600_000)).toEqual([])
      }),
  )

  it.scopedLive("SIGKILL under load loses nothing that append returned from", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      for (let round = 0; round < 3; round++) {
        const killed = yield* started(folder, `run-${round}`, folder, "process", round)
        yield* reported(killed.report, 200)
        killed.appending.child.kill("SIGKILL")
        yield* Effect.promise(() => killed.appending.ended)
        yield* nothingLost(idsIn(killed.report), logOf(folder, `run-${round}`))
      }
    }),
  )

  for (const kind of ["ext4", "xfs"] as const) {
    const noPower = skipped(
      !Disks.canCutPower(kind),
      `no ${kind} can be made, mounted and shut down here (needs root, loop devices, mkfs.${kind} and xfs_io): a power cut is not tried`,
    )
    it.scopedLive.skipIf(noPower)(
      `${kind} shut down under a log with durability power loses nothing that append returned from`,
      () =>
        Effect.gen(function* () {
          const folder = yield* RunFolders.temporary
          const disk = yield* Effect.acquireRelease(
            Effect.sync(() => Disks.loop(kind)),
            (mounted) => Effect.sync(mounted.remove),
          )
          for (let round = 0; round < 4; round++) {
            const cut = yield* started(disk.folder, `run-${round}`, folder, "power", round)
            yield* reported(cut.report, yield* Random.nextIntBetween(20, 400))
            const before = idsIn(cut.report)
            disk.cutPower()
            cut.appending.child.kill("SIGKILL")
            yield* Effect.promise(() => cut.appending.ended)
            disk.restart()
            yield* nothingLost(before, logOf(disk.folder, `run-${round}`))
          }
        }),
    )
  }
})

/** The rows that a server makes of the events: when each began and ended, and how long it took by its own word. */
const rowsOf = (events: ReadonlyArray<ChainedEvent>) =>
  Effect.gen(function* () {
    const [layer] = RunStores.LAYERS
    const rows = yield* RunStores.withStore(layer.fresh)((store) =>
      Effect.gen(function* () {
        yield* store.apply(
          Project.project(events).map((operation) => RunStores.op({ ...operation })),
          {},
        )
        return yield* store.list({}, {})
      }),
    )
    return [
      rows.map((row) => ({ start: row.start_time, end: row.end_time })),
      [
        ...rows.map((row) => row.duration_ms),
        ...events.flatMap((event) => (event.type === "LLM_CALL_FINISHED" ? [event.payload.latency_ms] : [])),
      ],
    ] as const
  })

const started = (runsDir: string, runId: string, folder: string, durability: EventLogNdjson.Durability, seed: number) =>
  Effect.gen(function* () {
    const report = nodePath.join(folder, `report-${runId}`)
    fs.writeFileSync(report, "")
    const fibers = durability === "power" ? 8 : 1
    const running = yield* Effect.promise(() =>
      Appending.start(appending, { ...Appending.defaults, runsDir, runId, durability, report, fibers, seed }),
    )
    running.send({ do: "record", events: 10_000_000 })
    return { appending: running, report }
  })

const idsIn = (report: string): ReadonlyArray<string> => fs.readFileSync(report, "utf8").split("\n").slice(0, -1)

/** Waits until so many appends have returned. */
const reported = (report: string, atLeast: number) =>
  Effect.iterate(0, {
    while: (turns) => turns < 3000 && idsIn(report).length < atLeast,
    body: (turns) => Effect.as(Effect.sleep("10 millis"), turns + 1),
  })

const nothingLost = (returned: ReadonlyArray<string>, log: string) =>
  Effect.gen(function* () {
    expect(returned.length).toBeGreaterThan(10)
    const file = fs.readFileSync(log, "utf8")
    const whole = file.slice(0, file.lastIndexOf("\n") + 1)
    const kept = new Set(
      whole
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line).event_id),
    )
    expect(returned.filter((id) => !kept.has(id))).toEqual([])
    expect(new Set(returned).size).toBe(returned.length)
  })
