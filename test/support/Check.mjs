// `npm run check`: types with Effect's diagnostics, lint and format, architecture and unit tests, offline. The types are
// checked beside the rest, because each uses one core.
import { spawn } from "node:child_process"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..", "..")
const script = (...parts) => path.join(root, "node_modules", ...parts)
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`

const step = (name, file, commandArguments) =>
  new Promise((resolve) => {
    const since = performance.now()
    const child = spawn(process.execPath, [file, ...commandArguments], { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
    const output = []
    child.stdout.on("data", (chunk) => output.push(chunk))
    child.stderr.on("data", (chunk) => output.push(chunk))
    child.on("close", (code) => {
      const passed = code === 0
      if (!passed) process.stdout.write(`${Buffer.concat(output).toString("utf8").trimEnd()}\n`)
      process.stdout.write(`${passed ? "ok  " : "FAIL"} ${name} (${seconds(since)})\n`)
      resolve(passed)
    })
  })

const types = () => step("types and Effect diagnostics", script("typescript", "bin", "tsc"), ["-p", ".", "--noEmit"])
const style = () => step("lint and format", script("@biomejs", "biome", "bin", "biome"), ["ci", "--colors=off"])
// Unit tests are pure, so they may share a process: loading every module anew for each file would take most of the time.
const units = () =>
  step("architecture and unit tests", script("vitest", "vitest.mjs"), [
    "run",
    "--project=unit",
    "--no-isolate",
    "--reporter=dot",
  ])

const since = performance.now()
const results = await Promise.all([types(), style().then(async (passed) => (await units()) && passed)])
process.stdout.write(`${results.every(Boolean) ? "check passed" : "check FAILED"} in ${seconds(since)}\n`)
process.exitCode = results.every(Boolean) ? 0 : 1
