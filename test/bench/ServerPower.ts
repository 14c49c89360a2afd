import * as fs from "node:fs"
import * as path from "node:path"
import * as Disks from "../support/Disks.js"
import { inFolder, pause, say } from "./DeliveryStage.js"
import * as MarkedLoad from "./MarkedLoad.js"
import type { Verdicts } from "./Report.js"
import * as ServeProcess from "./ServeProcess.js"
import { judge, type Stage, untilRandomMoment } from "./ServerKill.js"
import type { WriteLedger } from "./WriteLedger.js"

const CLIENTS = 8
const UNSYNCED = Buffer.alloc(65536, "x")

const isWhole = (file: string): boolean => fs.existsSync(file) && fs.readFileSync(file).equals(UNSYNCED)

const powerless = (stage: Stage, verdicts: Verdicts, kind: Disks.Kind): Promise<void> =>
  inFolder(async (home) => {
    const rounds = stage.quick ? 2 : 15
    const disk = Disks.loop(kind)
    try {
      const database = path.join(disk.folder, "store", "telemetry.sqlite")
      const start = () => ServeProcess.start({ bin: stage.bin, database, home })
      const ledgers: Array<WriteLedger> = []
      let torn = 0
      let unsyncedLost = 0
      let server = await start()
      for (let round = 0; round < rounds; round++) {
        const load = MarkedLoad.start({
          url: server.url,
          clients: CLIENTS,
          name: `${kind}-${round}`,
          mostRows: 20,
          mostText: 1000,
        })
        await untilRandomMoment(load, stage.quick ? 300 : 1000)
        // Nobody synced this file, so a cut that is one takes it.
        const unsynced = path.join(disk.folder, `unsynced-${round}`)
        fs.writeFileSync(unsynced, UNSYNCED)
        disk.cutPower()
        // What is still acknowledged now would be a promise that the disk cannot keep.
        await pause(50)
        await server.kill()
        await load.ended
        disk.restart()
        if (!isWhole(unsynced)) unsyncedLost += 1
        server = await start()
        torn += (await load.ledger.compare(server.url)).torn
        ledgers.push(load.ledger)
      }
      const what = `${kind}, power cut ${rounds} times`
      await judge(verdicts, what, server, database, ledgers, torn)
      verdicts.least(`${what}: cuts that took what nobody had synced`, unsyncedLost, rounds, String)
    } finally {
      disk.remove()
    }
  })

/** The disk under the database stops where it stands while clients write; what was acknowledged is there afterwards. */
export const run = async (stage: Stage, verdicts: Verdicts): Promise<void> => {
  for (const kind of ["ext4", "xfs"] as const) {
    if (Disks.canCutPower(kind)) await powerless(stage, verdicts, kind)
    else say(`SKIPPED  power cut on ${kind}: needs root, loop devices, mkfs.${kind} and xfs_io`)
  }
}
