import { spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as path from "node:path"
import * as readline from "node:readline"
import * as WalTrace from "../support/WalTrace.js"
import { inFolder, pause, say } from "./DeliveryStage.js"
import * as MarkedLoad from "./MarkedLoad.js"
import type { Verdicts } from "./Report.js"
import * as ServeProcess from "./ServeProcess.js"
import type { Stage } from "./ServerKill.js"

const CALLS = "fsync,fdatasync,write,writev,sendto,sendmsg,pwrite64,pwritev,read,recvfrom,recvmsg"
const MOST_POLLS = 6000
const POLL_MILLIS = 20

/** The tracer is nobody's parent: it has written everything when its file no longer grows. */
const untilWritten = async (file: string): Promise<void> => {
  let before = -1
  for (let poll = 0; poll < MOST_POLLS && before !== fs.statSync(file).size; poll++) {
    before = fs.statSync(file).size
    await pause(500)
  }
}

const trace = (stage: Stage, clients: number, wanted: number): Promise<WalTrace.Proof & { readonly told: number }> =>
  inFolder(async (home) => {
    const file = path.join(home, "trace")
    const server = await ServeProcess.start({
      bin: stage.bin,
      database: path.join(home, "telemetry.sqlite"),
      home,
      // -D: the server stays this process's own child.
      under: ["strace", "-D", "-f", "-yy", "-s", "65536", "-e", "signal=none", "-e", `trace=${CALLS}`, "-o", file],
    })
    const load = MarkedLoad.start({ url: server.url, clients, name: "strace", mostRows: 4, mostText: 100 })
    for (let poll = 0; poll < MOST_POLLS && load.ledger.acknowledged < wanted; poll++) await pause(POLL_MILLIS)
    await load.stop()
    await server.stop()
    await untilWritten(file)
    const proof = await WalTrace.prove(readline.createInterface({ input: fs.createReadStream(file, "latin1") }))
    return { ...proof, told: load.ledger.acknowledged }
  })

/** What the operating system saw: each acknowledgement of a write left after its rows were in the log and the log on the disk. */
export const run = async (stage: Stage, verdicts: Verdicts): Promise<void> => {
  if (spawnSync("strace", ["-D", "-o", "/dev/null", "true"]).status !== 0) {
    return say("SKIPPED  strace: it is not installed, or may not trace here")
  }
  const wanted = stage.quick ? 100 : 1000
  for (const clients of [1, 16]) {
    const { told, acknowledgements, synced, widest, transactions, problems } = await trace(stage, clients, wanted)
    const what = `strace, ${clients} connection${clients === 1 ? "" : "s"}`
    say(`${what}: ${told} writes acknowledged, ${transactions} transactions, at most ${widest} answers on one sync`)
    for (const problem of problems) say(problem)
    verdicts.least(`${what}: acknowledgements in the trace`, acknowledgements, Math.max(wanted, told), String)
    verdicts.least(`${what}: of these after a sync of their rows`, synced, Math.max(1, acknowledgements), String)
  }
}
