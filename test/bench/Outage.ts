// `npm run bench:outage`: the same launch offline, with the telemetry API's port closed, and with an API that accepts and
// never answers. The drafts must be the same to the byte, and the launch at most 3 % longer (5 s at exit, told apart).
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as net from "node:net"
import * as os from "node:os"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Sandbox from "../../src/sandbox/Sandbox.js"
import * as Repository from "../support/Repository.js"
import * as FrozenBin from "./FrozenBin.js"
import { machine, median, milliseconds, ratio, Verdicts } from "./Report.js"

const bin = FrozenBin.freeze()
const input = path.resolve(process.argv[2] ?? path.join(Repository.root, "node_modules", "yaml"))
const names = ["offline", "closed", "hanging"] as const
const rounds = 6
const latencyMs = 900

interface Launch {
  readonly launchMs: number
  readonly exitMs: number
  readonly calls: number
  readonly undelivered: number
  readonly drafts: string
}

const listen = (server: net.Server): Promise<number> =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as net.AddressInfo).port))
  })

const close = (server: net.Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

const closedPort = async (): Promise<number> => {
  const server = net.createServer()
  const port = await listen(server)
  await close(server)
  return port
}

const hashOf = (folder: string): string => {
  const hash = createHash("sha256")
  const files = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  for (const file of files.map((entry) => path.join(entry.parentPath, entry.name)).sort()) {
    hash.update(`${path.relative(folder, file)}\0`).update(fs.readFileSync(file))
  }
  return `${files.length} files, ${hash.digest("hex").slice(0, 16)}`
}

const oneLaunch = (
  runsDir: string,
  sandbox: string,
  telemetry: ReadonlyArray<string>,
  apiUrl: string,
): Promise<Launch> =>
  new Promise((resolve, reject) => {
    const since = performance.now()
    const child = spawn(
      process.execPath,
      [bin, "launch", input, "--provider", "anthropic", "--runs-dir", runsDir, "--json", ...telemetry],
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          PATH: process.env["PATH"],
          HOME: runsDir,
          ANTHROPIC_API_KEY: "sandbox",
          ANTHROPIC_BASE_URL: sandbox,
          TELEMETRY_API_URL: apiUrl,
        },
      },
    )
    let said = ""
    let logged = ""
    child.stdout.on("data", (chunk) => {
      said += chunk
    })
    child.stderr.on("data", (chunk) => {
      logged += chunk
    })
    child.once("close", (code) => {
      const wall = performance.now() - since
      if (code !== 0) return reject(new Error(`a launch ended with ${code}:\n${said}${logged}`))
      const result = JSON.parse(said)
      resolve({
        launchMs: result.duration_ms,
        exitMs: wall - result.duration_ms,
        calls: result.calls,
        undelivered: result.undelivered,
        drafts: hashOf(path.join(result.run_dir, "drafts")),
      })
    })
  })

const measure = async (sandbox: string): Promise<number> => {
  const sockets = new Set<net.Socket>()
  const silent = net.createServer((socket) => {
    sockets.add(socket)
    socket.on("error", () => {}).resume()
  })
  const cases = {
    offline: { telemetry: ["--offline"], url: "http://127.0.0.1:9" },
    closed: { telemetry: [], url: `http://127.0.0.1:${await closedPort()}` },
    hanging: { telemetry: [], url: `http://127.0.0.1:${await listen(silent)}` },
  }
  const results: Record<keyof typeof cases, Array<Launch>> = { offline: [], closed: [], hanging: [] }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "runledger-outage-"))
  try {
    for (let round = 0; round < rounds; round += 1) {
      // Each case comes first, second and third equally often.
      for (const name of [...names.slice(round % 3), ...names.slice(0, round % 3)]) {
        const { telemetry, url } = cases[name]
        const runsDir = path.join(folder, `${name}-${round}`)
        fs.mkdirSync(runsDir)
        results[name].push(await oneLaunch(runsDir, sandbox, telemetry, url))
      }
    }
    return report(results, sockets.size)
  } finally {
    for (const socket of sockets) socket.destroy()
    silent.close()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

const report = (
  results: Readonly<Record<"offline" | "closed" | "hanging", ReadonlyArray<Launch>>>,
  accepted: number,
) => {
  const verdicts = new Verdicts()
  // Whatever else the machine does only adds time, so the fastest launch says most about the launch itself.
  const fastestOf = (name: keyof typeof results) => Math.min(...results[name].map(({ launchMs }) => launchMs))
  const launchOf = (name: keyof typeof results) => median(results[name].map(({ launchMs }) => launchMs))
  const exitOf = (name: keyof typeof results) => median(results[name].map(({ exitMs }) => exitMs))
  for (const name of names) {
    const [first] = results[name]
    process.stdout.write(
      `${name.padEnd(8)} launch ${milliseconds(fastestOf(name))} (median ${milliseconds(launchOf(name))}), start and exit ${milliseconds(exitOf(name))}, ${first?.calls} calls, ${first?.undelivered} events undelivered\n`,
    )
  }
  const all = Object.values(results).flat()
  verdicts.same(
    `all ${all.length} launches wrote the same drafts (${all[0]?.drafts})`,
    new Set(all.map((one) => one.drafts)).size === 1,
  )
  verdicts.same(
    "every launch made calls",
    all.every(({ calls }) => calls > 0),
  )
  verdicts.same("the silent API was really asked", accepted > 0)
  verdicts.same(
    "with the API away every event stayed undelivered, and was counted",
    [...results.closed, ...results.hanging].every(({ undelivered }) => undelivered > 0),
  )
  for (const name of ["closed", "hanging"] as const) {
    verdicts.bound(
      `${name} / offline, the launch (fastest of ${rounds})`,
      fastestOf(name) / fastestOf("offline"),
      1.03,
      ratio,
    )
    verdicts.bound(`${name} − offline, start and exit`, exitOf(name) - exitOf("offline"), 5000, milliseconds)
  }
  return verdicts.exitCode
}

process.stdout.write(`${machine()}\ninput ${path.basename(input)}, sandbox latency ${latencyMs} ms\n`)
const program = Sandbox.serve({ faults: `latency:${latencyMs}*` }).pipe(
  Effect.flatMap(({ url }) => Effect.promise(() => measure(url))),
  Effect.scoped,
)
process.exitCode = await Effect.runPromise(program)
