import * as path from "node:path"
import * as Fuzz from "../support/ServerFuzz.js"
import { inFolder, say } from "./DeliveryStage.js"
import type { Verdicts } from "./Report.js"
import * as ServeProcess from "./ServeProcess.js"
import type { Stage } from "./ServerKill.js"
import * as StoreFile from "./StoreFile.js"

const CLIENTS = 8

/** Requests of every kind, good and broken, against a live server; what it then has is compared with a model of the contract. */
export const run = (stage: Stage, verdicts: Verdicts): Promise<void> =>
  inFolder(async (home) => {
    const seed = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31))
    const requests = stage.quick ? 3000 : 100_000
    say(`fuzz: ${requests} requests, seed ${seed} (FUZZ_SEED=${seed} makes the same again)`)
    const database = path.join(home, "telemetry.sqlite")
    const server = await ServeProcess.start({ bin: stage.bin, database, home })
    const since = performance.now()
    const report = await Fuzz.run({ url: server.url, seed, requests, clients: CLIENTS })
    const crashed = server.code() !== null || server.child.signalCode !== null
    await server.stop()
    const statuses = [...report.statuses].sort(([left], [right]) => left - right)
    say(
      `fuzz: ${report.requests} requests in ${((performance.now() - since) / 1000).toFixed(0)} s, ${report.rows} rows`,
    )
    say(`fuzz: answers ${statuses.map(([status, times]) => `${status}: ${times}`).join(", ")}`)
    for (const example of report.examples) say(`  ${example}`)
    const failures = statuses.filter(([status]) => status >= 500 && status !== 503)
    verdicts.least("fuzz: requests", report.requests, requests, String)
    verdicts.bound(
      "fuzz: answers 5xx but 503",
      failures.reduce((sum, [, times]) => sum + times, 0),
      0,
      String,
    )
    verdicts.bound("fuzz: crashes", crashed ? 1 : 0, 0, String)
    verdicts.least("fuzz: rows", report.rows, requests / 50, String)
    verdicts.bound("fuzz: rows differing from the model", report.differingRows, 0, String)
    verdicts.bound("fuzz: answers and sums differing from the model", report.problems - report.differingRows, 0, String)
    const flaws = StoreFile.flaws(database)
    for (const flaw of flaws) say(`the database: ${flaw}`)
    verdicts.bound("fuzz: flaws that integrity_check and the sums show", flaws.length, 0, String)
  })
