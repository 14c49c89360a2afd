import { type ChildProcess, spawn } from "node:child_process"
import * as LedgerServer from "./LedgerServer.js"

/** Where a server keeps its runs, where it listens, and what it is started under. */
export interface Options {
  readonly bin: string
  readonly database: string
  /** A folder that stands in for the user's own. */
  readonly home: string
  /** 0 takes a free one. */
  readonly port?: number
  /** A command that runs the server's own, such as a tracer; it must leave the server its process. */
  readonly under?: ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string>>
}

/** A real `runledger serve` in a process of its own, which may be killed. */
export interface ServeProcess {
  readonly child: ChildProcess
  readonly url: string
  readonly port: number
  /** Milliseconds from the start of the process to its first good answer at `/health`. */
  readonly readyMillis: number
  /** Everything that it wrote to its two streams so far. */
  readonly said: () => string
  /** The code with which it ended by itself, null while it runs or when a signal ended it. */
  readonly code: () => number | null
  readonly ended: Promise<void>
  /** Ends it as `kill -9` does, and waits until it is gone. */
  readonly kill: () => Promise<void>
  /** Ends it as Ctrl-C does, and waits until it is gone. */
  readonly stop: () => Promise<void>
}

const POLL_MILLIS = 3

const isHealthy = (url: string): Promise<boolean> =>
  fetch(`${url}/health`).then(
    async (response) => {
      await response.arrayBuffer()
      return response.ok
    },
    () => false,
  )

/** Starts one, and returns when it answers. */
export const start = async (options: Options): Promise<ServeProcess> => {
  const serve = [options.bin, "serve", "--port", String(options.port ?? 0), "--db", options.database]
  const [command = process.execPath, ...commandArguments] = [...(options.under ?? []), process.execPath, ...serve]
  const since = performance.now()
  const child = spawn(command, commandArguments, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], HOME: options.home, ...options.environment },
  })
  let said = ""
  const listen = (bytes: Buffer) => {
    said += bytes.toString("utf8")
  }
  child.stdout.on("data", listen)
  child.stderr.on("data", listen)
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await ended
  }
  const url = await LedgerServer.announced(child)
  while (!(await isHealthy(url))) await new Promise((resolve) => setTimeout(resolve, POLL_MILLIS))
  return {
    child,
    url,
    port: Number(new URL(url).port),
    readyMillis: performance.now() - since,
    said: () => said,
    code: () => child.exitCode,
    ended,
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  }
}
