import * as path from "node:path"
import { inFolder, pause, percentile, say } from "./DeliveryStage.js"
import * as MarkedLoad from "./MarkedLoad.js"
import { milliseconds, type Verdicts } from "./Report.js"
import * as ServeProcess from "./ServeProcess.js"
import * as StoreFile from "./StoreFile.js"
import type { Findings, WriteLedger } from "./WriteLedger.js"

const CLIENTS = 16
const MOST_POLLS = 6000
const READY_MILLIS = 500

/** The built command line, and whether counts are shrunk for trying out. */
export interface Stage {
  readonly bin: string
  readonly quick: boolean
}

/** Lets clients write until a random number of writes was acknowledged, and a random moment longer. */
export const untilRandomMoment = async (load: MarkedLoad.Load, most: number): Promise<void> => {
  const atLeast = 50 + Math.random() * most
  for (let poll = 0; poll < MOST_POLLS && load.ledger.acknowledged < atLeast; poll++) await pause(5)
  await pause(Math.random() * 20)
}

const NOTHING: Findings = { lost: 0, duplicated: 0, changed: 0, torn: 0, rows: 0 }

const plus = (left: Findings, right: Findings): Findings => ({
  lost: left.lost + right.lost,
  duplicated: left.duplicated + right.duplicated,
  changed: left.changed + right.changed,
  torn: left.torn + right.torn,
  rows: left.rows + right.rows,
})

/** Looks again at what every life of a server was told, and at the file that is left. */
export const judge = async (
  verdicts: Verdicts,
  what: string,
  server: ServeProcess.ServeProcess,
  database: string,
  ledgers: ReadonlyArray<WriteLedger>,
  torn: number,
): Promise<void> => {
  let found = NOTHING
  for (const ledger of ledgers) found = plus(found, await ledger.compare(server.url))
  const acknowledged = ledgers.reduce((sum, ledger) => sum + ledger.acknowledged, 0)
  const strange = new Set(ledgers.flatMap((ledger) => [...ledger.strange]))
  await server.stop()
  say(`${what}: ${acknowledged} writes acknowledged, ${found.rows} rows`)
  for (const answer of strange) say(`strange answer: ${answer}`)
  verdicts.same(`${what}: under load`, acknowledged >= ledgers.length * 50)
  verdicts.bound(`${what}: acknowledged rows and events lost`, found.lost, 0, String)
  verdicts.bound(`${what}: acknowledged rows with other content`, found.changed, 0, String)
  verdicts.bound(`${what}: rows and events duplicated`, found.duplicated, 0, String)
  verdicts.bound(`${what}: unacknowledged writes there in part`, torn, 0, String)
  verdicts.bound(`${what}: strange answers`, strange.size, 0, String)
  const flaws = StoreFile.flaws(database)
  for (const flaw of flaws) say(`the database: ${flaw}`)
  verdicts.bound(`${what}: flaws that integrity_check and the sums show`, flaws.length, 0, String)
}

/** The server dies of SIGKILL again and again while clients write. */
export const run = (stage: Stage, verdicts: Verdicts): Promise<void> =>
  inFolder(async (home) => {
    const rounds = stage.quick ? 5 : 50
    const database = path.join(home, "telemetry.sqlite")
    const ledgers: Array<WriteLedger> = []
    const ready: Array<number> = []
    let torn = 0
    let server = await ServeProcess.start({ bin: stage.bin, database, home })
    for (let round = 0; round < rounds; round++) {
      const load = MarkedLoad.start({
        url: server.url,
        clients: CLIENTS,
        name: `kill-${round}`,
        mostRows: 50,
        mostText: 2000,
      })
      await untilRandomMoment(load, stage.quick ? 500 : 1500)
      await server.kill()
      await load.ended
      server = await ServeProcess.start({ bin: stage.bin, database, home, port: server.port })
      ready.push(server.readyMillis)
      torn += (await load.ledger.compare(server.url)).torn
      ledgers.push(load.ledger)
    }
    const what = `SIGKILL ${rounds} times, ${CLIENTS} clients`
    await judge(verdicts, what, server, database, ledgers, torn)
    say(`${what}: ready again after ${milliseconds(percentile(ready, 0.5))} (p50)`)
    verdicts.bound(`${what}: ready again, p95`, percentile(ready, 0.95), READY_MILLIS, milliseconds)
  })
