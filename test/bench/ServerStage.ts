import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as BenchPrograms from "./BenchPrograms.js"
import { inFolder } from "./DeliveryStage.js"
import * as FrozenBin from "./FrozenBin.js"
import * as LedgerServer from "./LedgerServer.js"

/** What every part of the server bench works with. */
export interface ServerStage {
  /** The built command line. */
  readonly bin: string
  /** The server by hand that ours is held against. */
  readonly raw: string
  /** Reads without a pause, in a process of its own. */
  readonly reading: string
  /** A database file as our server leaves it when nothing was written: raw writes into a copy of it. */
  readonly freshDatabase: string
  /** True when counts are shrunk for trying out. */
  readonly quick: boolean
  /** True when a seeded database that was kept is to be made anew. */
  readonly reseed: boolean
}

/** A server in a process of its own. */
export interface Contender {
  readonly url: string
  readonly pid: number
  readonly database: string
  readonly stop: () => Promise<void>
}

export type ContenderName = "ours" | "raw"

const DATABASE = "telemetry.sqlite"

/** Starts our server over `telemetry.sqlite` in a folder. */
export const startOurs = async (stage: Pick<ServerStage, "bin">, folder: string): Promise<Contender> => {
  const server = await LedgerServer.start(stage.bin, folder)
  return { url: server.url, pid: server.pid, database: path.join(folder, DATABASE), stop: server.stop }
}

const startRaw = async (stage: ServerStage, folder: string): Promise<Contender> => {
  const database = path.join(folder, DATABASE)
  fs.copyFileSync(stage.freshDatabase, database)
  const child = spawn(process.execPath, [stage.raw, database], { stdio: ["ignore", "pipe", "inherit"], env: {} })
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const url = await LedgerServer.announced(child)
  return {
    url,
    pid: child.pid ?? Number.NaN,
    database,
    stop: async () => {
      child.kill("SIGTERM")
      await ended
    },
  }
}

/** Uses a contender over a fresh database, and looks at the file when it has stopped. */
export const withContender = <A, B>(
  stage: ServerStage,
  name: ContenderName,
  use: (contender: Contender) => Promise<A>,
  afterwards: (database: string, used: A) => B,
): Promise<B> =>
  inFolder(async (folder) => {
    const contender = await (name === "ours" ? startOurs(stage, folder) : startRaw(stage, folder))
    const used = await use(contender).finally(contender.stop)
    return afterwards(contender.database, used)
  })

/** Makes everything that the parts share; what it makes is gone when this process ends. */
export const make = async (options: Pick<ServerStage, "quick" | "reseed">): Promise<ServerStage> => {
  const bin = FrozenBin.freeze()
  const [raw = "", reading = ""] = await BenchPrograms.bundleFiles([
    "test/bench/RawServer.ts",
    "test/bench/ServerReading.ts",
  ])
  const freshDatabase = path.join(path.dirname(raw), "fresh.sqlite")
  await inFolder(async (folder) => {
    const ours = await startOurs({ bin }, folder)
    await ours.stop()
    fs.copyFileSync(ours.database, freshDatabase)
  })
  return { bin, raw, reading, freshDatabase, ...options }
}

const TICKS_A_SECOND = 100

/** CPU seconds that a process has used so far; not a number where the system does not say. */
export const cpuSeconds = (pid: number): number => {
  const file = `/proc/${pid}/stat`
  if (!fs.existsSync(file)) return Number.NaN
  const fields = fs.readFileSync(file, "utf8").split(") ")[1]?.split(" ") ?? []
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
}
