import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as RunFolderPrune from "../../layers/RunFolderPrune.js"
import * as RunLock from "../../layers/RunLock.js"
import * as DeadRuns from "../support/DeadRuns.js"
import * as RecordedRuns from "../support/RecordedRuns.js"
import * as RunFolders from "../support/RunFolders.js"
import * as TamperedLog from "../support/TamperedLog.js"

const ALL = { before: "9999-01-01T00:00:00.000Z", toBytes: null, dryRun: false, force: false }

/** A delivered run, one that waits for its server, one recorded offline, and one whose process lives. */
const folders = Effect.gen(function* () {
  const runsDir = yield* RunFolders.temporary
  const path = (...parts: ReadonlyArray<string>) => nodePath.join(runsDir, ...parts)
  yield* TamperedLog.write(runsDir, RecordedRuns.events("delivered", 1), "delivered", true)
  fs.mkdirSync(path("delivered", "evidence", "llm_calls"), { recursive: true })
  fs.writeFileSync(path("delivered", "evidence", "llm_calls", "one.json"), "x".repeat(50_000))
  yield* DeadRuns.waiting(runsDir, "waiting", 2)
  yield* TamperedLog.write(runsDir, RecordedRuns.events("offline", 3), "offline", false)
  yield* TamperedLog.write(runsDir, RecordedRuns.events("alive", 4), "alive", true)
  const held = yield* Effect.promise(() => RunLock.acquire(path("alive")))
  expect(Either.isRight(held)).toBe(true)
  fs.writeFileSync(path("notes.txt"), "not a run")
  return { runsDir, path, names: () => fs.readdirSync(runsDir).toSorted() }
})

const told = (found: ReadonlyArray<{ readonly run_id: string; readonly kept: string | null }>) =>
  Object.fromEntries(found.map(({ run_id, kept }) => [run_id, kept]))

const EVERYTHING = ["alive", "delivered", "notes.txt", "offline", "waiting"]

describe("pruning run folders", () => {
  it.scopedLive("a dry run removes something, or a real one what was not delivered or has a living owner", () =>
    Effect.gen(function* () {
      const { runsDir, path, names } = yield* folders
      const before = DeadRuns.stateOf(runsDir)
      const dry = yield* RunFolderPrune.prune(runsDir, { ...ALL, dryRun: true })
      expect(DeadRuns.stateOf(runsDir)).toEqual(before)
      const expected = {
        alive: expect.stringContaining(`(${process.pid}) still runs`),
        delivered: null,
        offline: expect.stringContaining("recorded offline"),
        waiting: `${DeadRuns.WAITING} of its events are not delivered`,
      }
      expect(told(dry)).toEqual(expected)
      expect(dry.every(({ removed }) => !removed)).toBe(true)
      expect(dry.find(({ run_id }) => run_id === "delivered")?.bytes).toBeGreaterThan(50_000)
      fs.mkdirSync(path(".pruned-earlier", "evidence"), { recursive: true })
      const really = yield* RunFolderPrune.prune(runsDir, ALL)
      expect(told(really)).toEqual(expected)
      expect(really.filter(({ removed }) => removed).map(({ run_id }) => run_id)).toEqual(["delivered"])
      expect(names()).toEqual(EVERYTHING.filter((name) => name !== "delivered"))
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("--force leaves what was not delivered, or takes a folder from its living owner", () =>
    Effect.gen(function* () {
      const { runsDir, names } = yield* folders
      const forced = yield* RunFolderPrune.prune(runsDir, { ...ALL, force: true })
      expect(told(forced)).toMatchObject({ delivered: null, offline: null, waiting: null })
      expect(names()).toEqual(["alive", "notes.txt"])
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("goes by something else than when a log was last written, or removes more than the size asks for", () =>
    Effect.gen(function* () {
      const { runsDir, path, names } = yield* folders
      const young = yield* RunFolderPrune.prune(runsDir, { ...ALL, before: "2000-01-01T00:00:00.000Z" })
      expect(young).toEqual([])
      yield* TamperedLog.write(runsDir, RecordedRuns.events("older", 5), "older", true)
      fs.utimesSync(path("older", "events.ndjson"), 1_000_000_000, 1_000_000_000)
      const sizes = yield* RunFolderPrune.prune(runsDir, { ...ALL, dryRun: true })
      const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0)
      const done = yield* RunFolderPrune.prune(runsDir, { ...ALL, before: null, toBytes: total - 1 })
      expect(done.map(({ run_id, removed }) => [run_id, removed])).toEqual([["older", true]])
      expect(names()).toEqual(EVERYTHING)
      const old = yield* RunFolderPrune.prune(path("nowhere"), ALL)
      expect(old).toEqual([])
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
