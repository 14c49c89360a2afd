import { type ChildProcessByStdio, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as nodePath from "node:path"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as RunLock from "../../layers/RunLock.js"
import * as RunFolders from "../support/RunFolders.js"

const root = nodePath.resolve(import.meta.dirname, "..", "..")
const contender = nodePath.join(root, "test", "support", "LockContender.ts")

const CONTENDERS = 5
const TAKEOVERS = 150
const KILLS = 6
/** A contender that shall die does so after it has held the lock so often. */
const LIVES = 4

type Child = ChildProcessByStdio<null, Readable, null>

/** Contenders that try for one lock until it was taken over often enough; some are killed, and others take their place. */
const contest = (folder: string) =>
  Effect.gen(function* () {
    const done = yield* Deferred.make<void>()
    const children = new Set<Child>()
    const breaches: Array<string> = []
    const exits: Array<string> = []
    let takeovers = 0
    let kills = 0
    let isOver = false

    const start = (): void => {
      const child = spawn(process.execPath, ["--import", "tsx", contender, folder], {
        cwd: root,
        stdio: ["ignore", "pipe", "inherit"],
      })
      children.add(child)
      let held = 0
      createInterface({ input: child.stdout }).on("line", (line) => {
        if (line.startsWith("breach")) breaches.push(line)
        if (line === "held dead") takeovers += 1
        if (line.startsWith("held") && ++held === LIVES && kills < KILLS) {
          kills += 1
          child.kill("SIGKILL")
        }
        if (takeovers >= TAKEOVERS && kills >= KILLS) Deferred.unsafeDone(done, Effect.void)
      })
      child.on("exit", (code, signal) => {
        children.delete(child)
        if (signal !== "SIGKILL") exits.push(`${code} ${signal}`)
        if (!isOver) start()
      })
    }

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isOver = true
        for (const child of children) child.kill("SIGKILL")
      }),
    )
    for (let n = 0; n < CONTENDERS; n++) start()
    yield* Deferred.await(done).pipe(Effect.timeout("100 seconds"))
    return { breaches, exits, takeovers, kills }
  })

describe("RunLock", () => {
  it.scopedLive("many processes that take a dead owner's lock over, some dying while they do: never two owners", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      fs.writeFileSync(
        nodePath.join(folder, RunLock.FILE),
        JSON.stringify({ pid: process.pid, start_time: "long ago" }),
      )
      const { breaches, exits, takeovers, kills } = yield* contest(folder)
      expect(breaches).toEqual([])
      expect(exits).toEqual([])
      expect([takeovers >= TAKEOVERS, kills]).toEqual([true, KILLS])
    }),
  )

  it.scoped("a claim whose holder died does not keep the lock from the next process, and none is left behind", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      const dead = (name: string) => JSON.stringify({ pid: process.pid, start_time: name })
      fs.writeFileSync(nodePath.join(folder, RunLock.FILE), dead("owner"))
      const claim = RunLock.claimOn(RunLock.FILE, dead("owner"))
      const claimOnClaim = RunLock.claimOn(claim, dead("claimant"))
      fs.writeFileSync(nodePath.join(folder, claim), dead("claimant"))
      fs.writeFileSync(nodePath.join(folder, claimOnClaim), dead("second claimant"))
      const held = Either.getOrThrow(yield* Effect.promise(() => RunLock.acquire(folder)))
      expect(held.before?.owner).toEqual({
        pid: process.pid,
        start_time: "owner",
        boot_id: null,
        host: null,
        pid_namespace: null,
      })
      expect(fs.readdirSync(folder)).toEqual([RunLock.FILE])
      yield* Effect.promise(() => RunLock.release(folder, held))
      expect(fs.readdirSync(folder)).toEqual([])
    }),
  )

  it.scoped("while a live process has claimed a dead owner's lock, nobody else gets it", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      const dead = JSON.stringify({ pid: process.pid, start_time: "long ago" })
      const startTime = yield* Effect.promise(() => RunLock.startTimeOf(process.pid))
      fs.writeFileSync(nodePath.join(folder, RunLock.FILE), dead)
      const claim = nodePath.join(folder, RunLock.claimOn(RunLock.FILE, dead))
      fs.writeFileSync(claim, JSON.stringify({ pid: process.pid, start_time: startTime }))
      expect(Either.isLeft(yield* Effect.promise(() => RunLock.acquire(folder)))).toBe(true)
      expect(fs.readFileSync(nodePath.join(folder, RunLock.FILE), "utf8")).toBe(dead)
    }),
  )

  it.scoped(
    "a lock of an earlier boot is dead though its process id and start time match; one without a boot is still read",
    () =>
      Effect.gen(function* () {
        const folder = yield* RunFolders.temporary
        const path = nodePath.join(folder, RunLock.FILE)
        const own = Either.getOrThrow(yield* Effect.promise(() => RunLock.acquire(folder)))
        const { pid, start_time, boot_id } = JSON.parse(own.text)
        const standing = (lock: unknown) => {
          fs.writeFileSync(path, JSON.stringify(lock))
          return Effect.map(
            Effect.promise(() => RunLock.standing(folder)),
            ({ _tag }) => _tag,
          )
        }
        expect(yield* standing({ pid, start_time, boot_id })).toBe("Owned")
        expect(yield* standing({ pid, start_time })).toBe("Owned")
        const other = yield* standing({ pid, start_time, boot_id: "00000000-0000-4000-8000-000000000000" })
        expect(other).toBe(boot_id === null ? "Owned" : "Dead")
        if (process.platform === "linux") expect(boot_id).toMatch(/^[0-9a-f-]{36}$/)
      }),
  )

  it.scoped(
    "an owner in another container, on another machine, or that a lock does not name is taken over by force alone; one that is seen alive never",
    () =>
      Effect.gen(function* () {
        const folder = yield* RunFolders.temporary
        const path = nodePath.join(folder, RunLock.FILE)
        const own = Either.getOrThrow(yield* Effect.promise(() => RunLock.acquire(folder)))
        const place = JSON.parse(own.text)
        expect(place.host).toBe(os.hostname())
        const gone = { ...place, start_time: "long ago" }
        const foreign = { boot_id: "00000000-0000-4000-8000-000000000000", pid_namespace: "pid:[1]" }
        const isNamespaced = place.pid_namespace !== null
        const locks: ReadonlyArray<readonly [string, string]> = [
          [JSON.stringify(place), "Owned"],
          [JSON.stringify(gone), "Dead"],
          [JSON.stringify({ ...gone, host: "elsewhere" }), "Unknown"],
          [JSON.stringify({ ...gone, ...foreign, host: "elsewhere" }), "Unknown"],
          [JSON.stringify({ ...gone, pid_namespace: "pid:[1]" }), isNamespaced ? "Unknown" : "Dead"],
          [JSON.stringify({ ...gone, ...foreign }), "Dead"],
          ["no lock of ours", "Unknown"],
          ['{"pid":0}', "Unknown"],
          ["", "Dead"],
        ]
        for (const [text, tag] of locks) {
          fs.writeFileSync(path, text)
          expect([text, (yield* Effect.promise(() => RunLock.standing(folder)))._tag]).toEqual([text, tag])
          const plain = yield* Effect.promise(() => RunLock.acquire(folder))
          expect([text, Either.isRight(plain)]).toEqual([text, tag === "Dead"])
          fs.writeFileSync(path, text)
          const forced = yield* Effect.promise(() => RunLock.acquire(folder, { force: true }))
          expect([text, Either.isRight(forced)]).toEqual([text, tag !== "Owned"])
          expect(fs.readdirSync(folder)).toEqual([RunLock.FILE])
        }
      }),
  )
})
