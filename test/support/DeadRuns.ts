import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as Effect from "effect/Effect"
import * as RecordedRuns from "./RecordedRuns.js"

const main = nodePath.join(import.meta.dirname, "DyingMain.ts")

/** How many events a run of {@link killed} has, and how many spans it leaves open: a call, a worker, the run. */
export const EVENTS = 9
export const OPEN = 3

/** A real process that records a run and is killed in the middle of a call. Gives its id. */
export const killed = (
  runsDir: string,
  runId: string,
  server: string | "offline",
  how: "new" | "resume" = "new",
): Effect.Effect<number> =>
  Effect.async((resume) => {
    const child = spawn(process.execPath, ["--import", "tsx", main, runsDir, runId, server, how], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    let told = ""
    child.stdout.on("data", (chunk: Buffer) => {
      told += chunk.toString("utf8")
      if (told.includes("open\n")) child.kill("SIGKILL")
    })
    child.on("close", (code) =>
      resume(code === null ? Effect.succeed(child.pid ?? 0) : Effect.die(new Error(`ended with ${code}: ${told}`))),
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** The cursor of a log of which the server has acknowledged nothing. */
export const AT_START = `${JSON.stringify({ offset: 0, lines: 0, hash: "0".repeat(64) })}\n`

/** A run of a process that ended well while the server was away. Its folder. */
export const waiting = (runsDir: string, runId: string, day: number) =>
  Effect.map(RecordedRuns.write(runsDir, runId, RecordedRuns.events(runId, day)), () => {
    const directory = nodePath.join(runsDir, runId)
    fs.writeFileSync(nodePath.join(directory, "telemetry.cursor"), AT_START)
    return directory
  })

/** How many events a run of {@link waiting} has. */
export const WAITING = 12

/** Every file of a folder with its content and when it was written. */
export const stateOf = (folder: string): ReadonlyArray<string> =>
  fs
    .readdirSync(folder, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((name) => {
      const path = nodePath.join(folder, name)
      const { mtimeMs, ino } = fs.statSync(path)
      return `${name} ${ino} ${mtimeMs} ${fs.statSync(path).isFile() ? fs.readFileSync(path, "utf8") : ""}`
    })
