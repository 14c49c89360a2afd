import * as path from "node:path"
import * as Disks from "../support/Disks.js"
import { inFolder, pause, say } from "./DeliveryStage.js"
import * as MarkedLoad from "./MarkedLoad.js"
import type { Verdicts } from "./Report.js"
import * as ServeProcess from "./ServeProcess.js"
import { judge, type Stage } from "./ServerKill.js"
import * as StoreFile from "./StoreFile.js"

const CLIENTS = 8
const DISK_KILOBYTES = 24 * 1024
/** Room for the log, the ballast that is put by unless told otherwise, and as many old runs again. */
const RETAINING_KILOBYTES = 64 * 1024
const FREE_KILOBYTES = 8 * 1024
const TURNED_AWAY = 25
const POLL_MILLIS = 20
const MOST_POLLS = 3000

const until = async (isSo: () => boolean): Promise<boolean> => {
  for (let poll = 0; poll < MOST_POLLS && !isSo(); poll++) await pause(POLL_MILLIS)
  return isSo()
}

const answers = async (url: string): Promise<boolean> => {
  const read = await fetch(`${url}/api/v1/runs?limit=10`)
  const rows: unknown = await read.json()
  return read.status === 200 && Array.isArray(rows) && rows.length === 10
}

/** Ended runs of one row each, about 200 kB. */
const endedRuns = (batch: number) =>
  Array.from({ length: 100 }, (_, index) => ({
    event_id: `old-${batch}-${index}`,
    run_id: `old-${batch}-${index}`,
    agent_name: "agent",
    job_type: "launch",
    start_time: "2026-01-31T12:00:00Z",
    status: "success",
    output_summary: "x".repeat(2000),
  }))

const write = async (url: string, batch: number): Promise<number> => {
  const response = await fetch(`${url}/api/v1/runs/batch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(endedRuns(batch)),
  })
  await response.arrayBuffer()
  return response.status
}

const MOST_BATCHES = 500
const MOST_SECONDS = 180

/** Nobody makes room: retention has to. */
const byRetention = (stage: Stage, verdicts: Verdicts): Promise<void> =>
  inFolder(async (home) => {
    const disk = Disks.small(RETAINING_KILOBYTES)
    try {
      const database = path.join(disk.folder, "store", "telemetry.sqlite")
      const environment = { TELEMETRY_RETENTION_BYTES: "16MB" }
      const server = await ServeProcess.start({ bin: stage.bin, database, home, environment })
      let batch = 0
      let status = 200
      while (status === 200 && batch < MOST_BATCHES) status = await write(server.url, batch++)
      verdicts.same(`full disk, retention: writes are turned away by 503 (${status})`, status === 503)
      const since = performance.now()
      for (let second = 0; second < MOST_SECONDS && status === 503; second++) {
        await pause(1000)
        status = await write(server.url, batch++)
      }
      const seconds = ((performance.now() - since) / 1000).toFixed(0)
      say(`full disk, retention: ${batch} batches of 100 runs, writes were taken again after ${seconds} s`)
      verdicts.same("full disk, retention: old runs go, and writes are taken again by themselves", status === 200)
      if (status !== 200) say(server.said().slice(-2000))
      await server.stop()
      const flaws = StoreFile.flaws(database)
      for (const flaw of flaws) say(`the database: ${flaw}`)
      verdicts.bound("full disk, retention: flaws that integrity_check and the sums show", flaws.length, 0, String)
    } finally {
      disk.remove()
    }
  })

const byRoom = (stage: Stage, verdicts: Verdicts): Promise<void> =>
  inFolder(async (home) => {
    const disk = Disks.small(DISK_KILOBYTES)
    try {
      const database = path.join(disk.folder, "store", "telemetry.sqlite")
      const environment = { TELEMETRY_BALLAST_BYTES: "1MiB" }
      const server = await ServeProcess.start({ bin: stage.bin, database, home, environment })
      const giveRoom = Disks.fill(disk.folder, FREE_KILOBYTES)
      const load = MarkedLoad.start({ url: server.url, clients: CLIENTS, name: "full", mostRows: 50, mostText: 2000 })
      const what = `full disk, ${CLIENTS} clients`
      verdicts.same(`${what}: writes were turned away`, await until(() => load.ledger.turnedAway >= TURNED_AWAY))
      const inTime = load.ledger.acknowledged
      verdicts.same(`${what}: reads go on`, await answers(server.url))
      giveRoom()
      const isBack = await until(() => load.ledger.acknowledged >= inTime + 100)
      verdicts.same(`${what}: writes are taken again by themselves once there is room`, isBack)
      await load.stop()
      const { turnedAway, rude } = load.ledger
      say(`${what}: ${inTime} writes before, ${turnedAway} turned away, ${load.ledger.acknowledged - inTime} after`)
      verdicts.bound(`${what}: answers 503 without Retry-After`, rude, 0, String)
      verdicts.same(`${what}: the server lives`, server.code() === null)
      const { torn } = await load.ledger.compare(server.url)
      await judge(verdicts, what, server, database, [load.ledger], torn)
    } finally {
      disk.remove()
    }
  })

/** The disk under the database fills up while clients write; then it has room again, made by hand or by retention. */
export const run = async (stage: Stage, verdicts: Verdicts): Promise<void> => {
  if (!Disks.canMount()) return say("SKIPPED  full disk: mounting a small file system needs root")
  await byRoom(stage, verdicts)
  await byRetention(stage, verdicts)
}
