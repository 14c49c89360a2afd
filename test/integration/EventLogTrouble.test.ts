import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { EventLog } from "../../services/EventLog.js"
import * as EventSamples from "../support/EventSamples.js"
import * as PlainRun from "../support/PlainRun.js"
import * as RunFolders from "../support/RunFolders.js"
import * as WarningLog from "../support/WarningLog.js"

const linesOf = (directory: string): ReadonlyArray<string> =>
  fs.readFileSync(nodePath.join(directory, EventLogNdjson.FILE), "utf8").split("\n").slice(0, -1)

const appendUntilKilled = (runsDir: string, atLeast: number): Effect.Effect<number> =>
  Effect.async((resume) => {
    const main = nodePath.join(import.meta.dirname, "../support/AppendMain.ts")
    const child = spawn(process.execPath, ["--import", "tsx", main, runsDir, "run-001"], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    let told = ""
    child.stdout.on("data", (chunk: Buffer) => {
      told += chunk.toString("utf8")
      if (told.split("\n").length > atLeast) child.kill("SIGKILL")
    })
    child.on("close", () => resume(Effect.succeed(told.split("\n").length - 1)))
  })

const mount = (folder: string): boolean =>
  spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]).status === 0
const unmount = (folder: string): unknown => spawnSync("umount", [folder])

/** Whether this process may mount a file system, which needs root. */
const canMount = (() => {
  const folder = fs.mkdtempSync(nodePath.join(os.tmpdir(), "runledger-mount-"))
  const mounted = mount(folder)
  if (mounted) unmount(folder)
  else process.stderr.write("SKIPPED: a small tmpfs cannot be mounted here (needs root), so a full disk is not tried\n")
  fs.rmdirSync(folder)
  return mounted
})()

/** Whether system calls can be watched here. */
const canTrace = (() => {
  const traced = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0
  if (!traced) process.stderr.write("SKIPPED: strace does not work here, so it is not seen which names are flushed\n")
  return traced
})()

/** A file system of one megabyte, unmounted when the scope closes. */
const smallDisk = Effect.acquireRelease(
  Effect.tap(RunFolders.temporary, (folder) => Effect.sync(() => mount(folder))),
  (folder) => Effect.sync(() => unmount(folder)),
)

describe("EventLogNdjson in trouble", () => {
  it.live(
    "kill -9 in the middle of appending loses nothing that append returned from, and the run can be taken over",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        fs.mkdirSync(nodePath.join(runsDir, "run-001"))
        for (let round = 0; round < 3; round++) {
          const before = round === 0 ? 0 : linesOf(nodePath.join(runsDir, "run-001")).length
          const returned = yield* appendUntilKilled(runsDir, 200 + 57 * round)
          const folder = nodePath.join(runsDir, "run-001")
          const after = yield* Effect.flatMap(EventLog, (log) => log.verify).pipe(
            Effect.provide(
              Layer.provide(
                EventLogNdjson.layer({ durability: "process" }),
                CurrentRunFolder.layer({ runsDir, runId: "run-001", resume: true, config: {} }),
              ),
            ),
            Effect.provide(WarningLog.make().layer),
          )
          expect(after.problems).toEqual([])
          expect(after.lines).toBeGreaterThanOrEqual(before + returned)
          const ids = linesOf(folder)
            .slice(before)
            .map((line) => JSON.parse(line).event_id)
          expect(ids.slice(0, returned)).toEqual(
            Array.from({ length: returned }, (_, n) => EventSamples.event(n).event_id),
          )
          expect(fs.existsSync(nodePath.join(folder, "lock"))).toBe(false)
        }
      }).pipe(Effect.scoped),
    120_000,
  )

  it.scoped.skipIf(!canMount)(
    "a full disk fails the append with its next step, leaves whole lines, and the log goes on once there is room",
    () =>
      Effect.gen(function* () {
        const folder = yield* smallDisk
        const ballast = nodePath.join(folder, "ballast")
        fs.writeFileSync(ballast, Buffer.alloc(64 * 1024))
        yield* Effect.gen(function* () {
          const log = yield* EventLog
          const fill = Effect.forEach(Array.from({ length: 5000 }), (_, n) => log.append(EventSamples.event(n)))
          const error = yield* Effect.flip(fill)
          expect(error.message).toMatch(/disk is full.*ENOSPC/)
          const full = yield* EventLogNdjson.verifyFile(nodePath.join(folder, EventLogNdjson.FILE))
          expect(full.problems).toEqual([])
          expect(full.lines).toBeGreaterThan(100)
          fs.rmSync(ballast)
          yield* log.append(EventSamples.event(9999))
          expect(yield* log.verify).toMatchObject({ lines: full.lines + 1, problems: [] })
        }).pipe(Effect.provide(PlainRun.logIn(folder)))
      }),
  )

  it.scoped.skipIf(!canTrace)(
    "durability power flushes the names of the log, of the run's folder and of every new folder above it before the first append",
    () =>
      Effect.gen(function* () {
        const existing = fs.realpathSync(yield* RunFolders.temporary)
        const runsDir = nodePath.join(existing, "not", "yet", "there")
        const trace = nodePath.join(yield* RunFolders.temporary, "trace")
        const main = nodePath.join(import.meta.dirname, "../support/OpenLogMain.ts")
        const watching = ["-f", "-y", "-e", "trace=fsync,fdatasync", "-o", trace]
        const program = [process.execPath, "--import", "tsx", main, runsDir, "run-001"]
        expect(spawnSync("strace", [...watching, ...program]).status).toBe(0)
        const flushed = [...fs.readFileSync(trace, "utf8").matchAll(/(?:fsync|fdatasync)\(\d+<([^>]*)>/g)].map(
          ([, path]) => path,
        )
        const run = nodePath.join(runsDir, "run-001")
        const folders = [run, runsDir, nodePath.join(existing, "not", "yet"), nodePath.join(existing, "not"), existing]
        expect(flushed).toEqual(expect.arrayContaining(folders))
        const log = nodePath.join(run, EventLogNdjson.FILE)
        for (const folder of folders) expect(flushed.indexOf(folder)).toBeLessThan(flushed.lastIndexOf(log))
      }),
    60_000,
  )
})
