import * as fs from "node:fs"
import * as path from "node:path"
import * as Appending from "../support/Appending.js"
import * as Disks from "../support/Disks.js"
import { inFolder, linesOf, pause, runledger, type Stage, say } from "./DeliveryStage.js"
import * as LedgerServer from "./LedgerServer.js"
import type { Verdicts } from "./Report.js"

const MOST_TURNS = 6000
const NOBODY = "http://127.0.0.1:9"

interface Life {
  readonly runId: string
  /** Ids of the events whose append returned. */
  readonly returned: ReadonlyArray<string>
}

interface Death {
  readonly runsDir: string
  readonly folder: string
  readonly endpoint: string
  readonly durability: "process" | "power"
  readonly round: number
  readonly kill: () => void
}

/** Starts a client under load and ends it at a random moment. */
const oneLife = async (stage: Stage, death: Death): Promise<Life> => {
  const { runsDir, folder, endpoint, durability, round } = death
  const runId = `run-${durability}-${String(round).padStart(3, "0")}`
  const report = path.join(folder, `${runId}.returned`)
  const client = await Appending.start(stage.programs.appending, {
    ...Appending.defaults,
    runsDir,
    runId,
    endpoint,
    durability,
    report,
    seed: round,
    fibers: durability === "power" ? 8 : 2,
  })
  client.send({ do: "record", events: 100_000_000 })
  const atLeast = 100 + Math.random() * (stage.quick ? 500 : 3000)
  for (let turn = 0; turn < MOST_TURNS && linesOf(report).length < atLeast; turn++) await pause(5)
  await pause(Math.random() * 20)
  const before = linesOf(report)
  death.kill()
  client.child.kill("SIGKILL")
  await client.ended
  return { runId, returned: durability === "power" ? before : linesOf(report) }
}

const ship = async (stage: Stage, runsDir: string, url: string): Promise<void> => {
  const since = performance.now()
  const { code, output } = await runledger(stage.bin, ["ship", runsDir], { TELEMETRY_API_URL: url, HOME: runsDir })
  say(`runledger ship ended with ${code} after ${((performance.now() - since) / 1000).toFixed(1)} s`)
  if (code !== 0) say(output)
}

/** The store must have what append returned from, once, and be the log that is left: not an event more, not an event less. */
const judge = async (
  verdicts: Verdicts,
  what: string,
  server: LedgerServer.LedgerServer,
  runsDir: string,
  lives: ReadonlyArray<Life>,
): Promise<void> => {
  let missing = 0
  let duplicated = 0
  let different = 0
  let stored = 0
  for (const { runId, returned } of lives) {
    const ids = await server.eventIds(runId)
    const known = new Set(ids)
    const logged = linesOf(path.join(runsDir, runId, "events.ndjson")).map((line) => String(JSON.parse(line).event_id))
    stored += ids.length
    missing += returned.filter((id) => !known.has(id)).length
    duplicated += ids.length - known.size
    if (ids.join() !== logged.join()) different += 1
  }
  const returned = lives.reduce((sum, life) => sum + life.returned.length, 0)
  say(`${what}: ${lives.length} clients, append returned from ${returned} events, the server has ${stored}`)
  verdicts.same(`${what}: under load (${returned} events)`, returned >= lives.length * 100)
  verdicts.bound(`${what}: events lost`, missing, 0, String)
  verdicts.bound(`${what}: events duplicated`, duplicated, 0, String)
  verdicts.bound(`${what}: runs whose log and store differ`, different, 0, String)
}

const killed = (stage: Stage, verdicts: Verdicts): Promise<void> =>
  inFolder(async (folder) => {
    const runsDir = path.join(folder, "runs")
    const server = await LedgerServer.start(stage.bin, folder)
    const rounds = stage.quick ? 6 : 50
    const lives: Array<Life> = []
    for (let round = 0; round < rounds; round++) {
      // Every fifth client never meets a server.
      const endpoint = round % 5 === 4 ? NOBODY : server.url
      lives.push(
        await oneLife(stage, { runsDir, folder, endpoint, durability: "process", round, kill: () => undefined }),
      )
    }
    await ship(stage, runsDir, server.url)
    await judge(verdicts, `SIGKILL, ${rounds} times`, server, runsDir, lives)
    await server.stop()
  })

const powerless = (stage: Stage, verdicts: Verdicts, kind: Disks.Kind): Promise<void> =>
  inFolder(async (folder) => {
    const server = await LedgerServer.start(stage.bin, folder)
    const disk = Disks.loop(kind)
    try {
      const runsDir = path.join(disk.folder, "runs")
      fs.mkdirSync(runsDir)
      const rounds = stage.quick ? 3 : 15
      const lives: Array<Life> = []
      for (let round = 0; round < rounds; round++) {
        const endpoint = round % 3 === 2 ? NOBODY : server.url
        lives.push(await oneLife(stage, { runsDir, folder, endpoint, durability: "power", round, kill: disk.cutPower }))
        disk.restart()
      }
      await ship(stage, runsDir, server.url)
      await judge(verdicts, `${kind} shut down, durability power, ${rounds} times`, server, runsDir, lives)
    } finally {
      await server.stop()
      disk.remove()
    }
  })

/** Clients that die under load, of SIGKILL and with their file system; what `runledger ship` then brings to the server. */
export const run = async (stage: Stage, verdicts: Verdicts): Promise<void> => {
  await killed(stage, verdicts)
  for (const kind of ["ext4", "xfs"] as const) {
    if (Disks.canCutPower(kind)) await powerless(stage, verdicts, kind)
    else say(`SKIPPED  power cut on ${kind}: needs root, loop devices, mkfs.${kind} and xfs_io`)
  }
}
