import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { BenchPrograms } from "./BenchPrograms.js"

/** What every part of the delivery bench works with. */
export interface Stage {
  /** The built command line. */
  readonly bin: string
  readonly programs: BenchPrograms
  /** True when counts are shrunk for trying out. */
  readonly quick: boolean
}

/** Uses a folder that is gone afterwards. */
export const inFolder = async <A>(use: (folder: string) => Promise<A>): Promise<A> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "runledger-delivery-"))
  try {
    return await use(folder)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

export const say = (line: string): void => void process.stdout.write(`${line}\n`)

export const pause = (millis: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, millis))

/** The lines of a file; none when there is no such file. */
export const linesOf = (file: string): ReadonlyArray<string> =>
  fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n").slice(0, -1) : []

/** Runs the command line to its end. */
export const runledger = (
  bin: string,
  commandArguments: ReadonlyArray<string>,
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly output: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [bin, ...commandArguments], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env["PATH"], ...environment },
    })
    let output = ""
    child.stdout.on("data", (bytes: Buffer) => {
      output += bytes.toString("utf8")
    })
    child.stderr.on("data", (bytes: Buffer) => {
      output += bytes.toString("utf8")
    })
    child.once("close", (code) => resolve({ code, output }))
  })

/** The value below which such a share of the values lies. */
export const percentile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = [...values].sort((left, right) => left - right)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
