// What a recorded call costs its caller: ours, with the log on the disk, beside the SDKs that keep what is unsent in memory.
// One run, one machine, one local sink; each contender in a process of its own, round after round.
import { spawn, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { createInterface } from "node:readline"
import { build } from "esbuild"
import * as Repository from "../support/Repository.js"
import { machine, Verdicts } from "./Report.js"

const here = path.join(Repository.root, "test", "bench")
const peers = path.join(here, "peers")
const CALLS = 20_000
/** Each call writes a file: fewer tell as much. */
const EVIDENCE_CALLS = 2000
/** A middle of these is as telling, and the bench ends within minutes. */
const SLOW_PEER_CALLS = 5000
const ROUNDS = 3

const microseconds = (value: number): string => `${value.toFixed(1)} µs`
const times = (value: number): string => `${value.toFixed(2)} ×`

interface Result {
  /** Made, warm-up included. */
  readonly calls: number
  readonly p50: number
  readonly p99: number
  readonly cpu: number
}

interface Counts {
  readonly calls: number
  readonly events: number
  readonly bytes: number
  readonly requests: number
}

interface Contender {
  readonly name: string
  readonly program: ReadonlyArray<string>
  readonly calls: number
  /** False for one that sends nothing. */
  readonly sends: boolean
}

interface Measured {
  readonly result: Result
  readonly counts: Counts
}

const ask = async <A>(url: string, read: (body: unknown) => A): Promise<A> => read(await (await fetch(url)).json())

const numberAt = (body: unknown, key: string): number => {
  const value: unknown = typeof body === "object" && body !== null ? Reflect.get(body, key) : undefined
  if (typeof value !== "number") throw new Error(`${key} is missing in ${JSON.stringify(body)}`)
  return value
}

const resultIn = (body: unknown): Result => ({
  calls: numberAt(body, "calls"),
  p50: numberAt(body, "p50"),
  p99: numberAt(body, "p99"),
  cpu: numberAt(body, "cpu"),
})

const countsIn = (body: unknown): Counts => ({
  calls: numberAt(body, "calls"),
  events: numberAt(body, "events"),
  bytes: numberAt(body, "bytes"),
  requests: numberAt(body, "requests"),
})

/** The peers' packages, as their lock file pins them; nothing of them is part of the product. */
const install = (): void => {
  if (fs.existsSync(path.join(peers, "node_modules", ".package-lock.json"))) return
  const { status, stderr } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: peers,
    encoding: "utf8",
  })
  if (status !== 0) throw new Error(`The packages of the peers cannot be installed in ${peers}: ${stderr}`)
}

/** Ours as it is shipped: one bundle, since a loader in between would distort what is measured. */
const bundle = async (folder: string): Promise<string> => {
  const outfile = path.join(folder, "ours.mjs")
  await build({
    entryPoints: [path.join(here, "OverheadOurs.ts")],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: ["better-sqlite3"],
    banner: { js: 'import { createRequire as __cr } from "node:module"; const require = __cr(import.meta.url);' },
    logLevel: "error",
  })
  return outfile
}

const startSink = (): Promise<{ readonly url: string; readonly stop: () => void }> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(peers, "sink.mjs")], { stdio: ["pipe", "pipe", "inherit"] })
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`the sink ended with ${code}`)))
    createInterface({ input: child.stdout }).once("line", (url) => resolve({ url, stop: () => child.stdin.end() }))
  })

const runOne = (contender: Contender, sink: string): Promise<Result> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...contender.program], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"],
        HOME: os.tmpdir(),
        OVERHEAD_SINK: sink,
        OVERHEAD_CALLS: String(contender.calls),
        OTEL_BSP_MAX_QUEUE_SIZE: "1000000",
      },
    })
    let said = ""
    let complained = ""
    child.stdout.on("data", (chunk) => (said += chunk))
    child.stderr.on("data", (chunk) => (complained += chunk))
    child.once("error", reject)
    child.once("close", (code) => {
      const line = said.split("\n").find((one) => one.startsWith("RESULT "))
      if (line === undefined) reject(new Error(`${contender.name} ended with ${code}: ${complained}${said}`))
      else resolve(resultIn(JSON.parse(line.slice("RESULT ".length))))
    })
  })

const contendersOf = (ours: string): ReadonlyArray<Contender> => {
  const peer = (name: string, file: string, calls = CALLS): Contender => ({
    name,
    program: [path.join(peers, file)],
    calls,
    sends: true,
  })
  return [
    { name: "bare Effect", program: [ours, "bare"], calls: CALLS, sends: false },
    { name: "Runledger", program: [ours, "ours"], calls: CALLS, sends: true },
    { name: "Runledger + evidence", program: [ours, "evidence"], calls: EVIDENCE_CALLS, sends: true },
    peer("OpenTelemetry", "opentelemetry.mjs"),
    peer("langfuse v5", "langfuse.mjs"),
    peer("langsmith", "langsmith.mjs", SLOW_PEER_CALLS),
    peer("braintrust", "braintrust.mjs", SLOW_PEER_CALLS),
  ]
}

const measureAll = async (
  contenders: ReadonlyArray<Contender>,
  sink: string,
  verdicts: Verdicts,
): Promise<ReadonlyMap<string, Measured>> => {
  const best = new Map<string, Measured>()
  for (let round = 1; round <= ROUNDS; round++) {
    for (const contender of contenders) {
      await ask(`${sink}/reset`, () => undefined)
      const result = await runOne(contender, sink)
      const counts = await ask(`${sink}/counts`, countsIn)
      const arrived = contender.sends ? result.calls : 0
      if (counts.calls !== arrived || round === 1)
        verdicts.same(
          `${contender.name}: ${counts.calls} of ${arrived} calls arrived at the sink`,
          counts.calls === arrived,
        )
      const before = best.get(contender.name)?.result
      best.set(contender.name, {
        counts,
        result: {
          calls: result.calls,
          p50: Math.min(result.p50, before?.p50 ?? Number.POSITIVE_INFINITY),
          p99: Math.min(result.p99, before?.p99 ?? Number.POSITIVE_INFINITY),
          cpu: Math.min(result.cpu, before?.cpu ?? Number.POSITIVE_INFINITY),
        },
      })
    }
  }
  return best
}

const line = (name: string, { result, counts }: Measured): string =>
  [
    name.padEnd(22),
    `${String(result.calls).padStart(6)} calls`,
    `p50 ${microseconds(result.p50).padStart(10)}`,
    `p99 ${microseconds(result.p99).padStart(11)}`,
    `CPU with flush ${microseconds(result.cpu).padStart(10)}`,
    counts.events > 0 ? `${counts.events} events, ${counts.bytes} bytes` : `${counts.bytes} bytes`,
    `${counts.requests} requests`,
  ].join("  ")

/** Measures all contenders and says of each figure of ours whether it keeps its bound. The fastest of three rounds counts. */
export const run = async (verdicts: Verdicts): Promise<void> => {
  install()
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "runledger-overhead-bundle-"))
  const sink = await startSink()
  try {
    const measured = await measureAll(contendersOf(await bundle(folder)), sink.url, verdicts)
    process.stdout.write(`overhead of one recorded call, fastest of ${ROUNDS} rounds; ours on disk, theirs in memory\n`)
    for (const [name, one] of measured) process.stdout.write(`${line(name, one)}\n`)
    const of = (name: string): Result => {
      const found = measured.get(name)
      if (found === undefined) throw new Error(`${name} was not measured`)
      return found.result
    }
    const { p50, cpu } = of("Runledger")
    verdicts.bound("Runledger, p50 a call", p50, 35, microseconds)
    verdicts.bound("Runledger / langsmith, p50", p50 / of("langsmith").p50, 1, times)
    verdicts.bound("Runledger / braintrust, p50", p50 / of("braintrust").p50, 1, times)
    verdicts.bound("Runledger / langfuse v5, p50", p50 / of("langfuse v5").p50, 2.2, times)
    verdicts.bound("Runledger, CPU a call with flush", cpu, 75, microseconds)
    verdicts.bound("evidence adds to a call, p50", of("Runledger + evidence").p50 - p50, 500, microseconds)
  } finally {
    sink.stop()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv[1] === path.join(here, "Overhead.ts")) {
  process.stdout.write(`${machine()}\n`)
  const verdicts = new Verdicts()
  await run(verdicts)
  process.exitCode = verdicts.exitCode
}
