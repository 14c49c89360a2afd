// `npm run bench:start`: how much longer than bare Node `runledger --version` takes, and how soon a new server answers.
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Repository from "../support/Repository.js"
import * as FrozenBin from "./FrozenBin.js"
import { announced } from "./LedgerServer.js"
import { machine, median, milliseconds, ratio, Verdicts } from "./Report.js"

const bin = FrozenBin.freeze()
const { version } = Repository.readJson("package.json") as { readonly version: string }
const rounds = 21
const starts = 7

const timed = (commandArguments: ReadonlyArray<string>): { readonly took: number; readonly said: string } => {
  const since = performance.now()
  const { status, stdout } = spawnSync(process.execPath, commandArguments, { encoding: "utf8" })
  const took = performance.now() - since
  if (status !== 0) throw new Error(`node ${commandArguments.join(" ")} ended with ${status}`)
  return { took, said: stdout.trim() }
}

const versionRatio = (verdicts: Verdicts) => {
  const bare: Array<number> = []
  const ours: Array<number> = []
  for (let round = -2; round < rounds; round += 1) {
    const baseline = timed(["-e", "0"])
    const ledger = timed([bin, "--version"])
    if (!ledger.said.includes(version)) throw new Error(`runledger --version said "${ledger.said}", not ${version}`)
    if (round < 0) continue
    bare.push(baseline.took)
    ours.push(ledger.took)
  }
  process.stdout.write(
    `node -e 0           ${milliseconds(median(bare))}\nrunledger --version ${milliseconds(median(ours))}  (medians of ${rounds}, alternating)\n`,
  )
  verdicts.bound("runledger --version / node -e 0", median(ours) / median(bare), 2.5, ratio)
}

const answer = async (url: string): Promise<void> => {
  const response = await fetch(`${url}/health`)
  const health = (await response.json()) as { readonly version?: unknown; readonly synchronous?: unknown }
  if (response.status !== 200 || health.version !== version || health.synchronous === undefined) {
    throw new Error(`/health answered ${response.status} ${JSON.stringify(health)}`)
  }
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGTERM")
  })

const oneStart = async (database: string): Promise<number> => {
  const since = performance.now()
  const server = spawn(process.execPath, [bin, "serve", "--port", "0", "--db", database], {
    stdio: ["ignore", "pipe", "pipe"],
  })
  try {
    const url = await announced(server)
    await answer(url)
    return performance.now() - since
  } finally {
    await ended(server)
  }
}

const serverStart = async (verdicts: Verdicts) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "runledger-start-"))
  try {
    const fresh: Array<number> = []
    const existing: Array<number> = []
    for (let round = 0; round < starts; round += 1) {
      const database = path.join(folder, `${round}.sqlite`)
      fresh.push(await oneStart(database))
      existing.push(await oneStart(database))
    }
    verdicts.bound(`start to /health, new database (median of ${starts})`, median(fresh), 1000, milliseconds)
    verdicts.bound(`start to /health, known database (median of ${starts})`, median(existing), 1000, milliseconds)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

const verdicts = new Verdicts()
process.stdout.write(`${machine()}\n`)
versionRatio(verdicts)
await serverStart(verdicts)
process.exitCode = verdicts.exitCode
