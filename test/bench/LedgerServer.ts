import { type ChildProcess, spawn } from "node:child_process"
import * as path from "node:path"

/** A real `runledger serve` in a process of its own, and what it says it has. */
export interface LedgerServer {
  readonly url: string
  readonly pid: number
  readonly stop: () => Promise<void>
  /** The ids of a run's events as the server has them, in order. */
  readonly eventIds: (runId: string) => Promise<ReadonlyArray<string>>
  /** How many events and rows of a run there are. */
  readonly counts: (runId: string) => Promise<{ readonly events: number; readonly rows: number }>
}

/** The address that a server says it listens at. */
export const announced = (server: ChildProcess): Promise<string> =>
  new Promise((resolve, reject) => {
    let said = ""
    const listen = (chunk: Buffer) => {
      said += chunk.toString("utf8")
      const url = /http:\/\/(?:127\.0\.0\.1|localhost|\[::1\]):\d+/.exec(said)?.[0]
      if (url !== undefined) resolve(url)
    }
    server.stdout?.on("data", listen)
    server.stderr?.on("data", listen)
    server.once("exit", (code) => reject(new Error(`runledger serve ended with ${code} and said: ${said}`)))
  })

const PAGE = 1000

const ask = async (url: string): Promise<Response> => {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return response
}

const total = (response: Response): number => Number(response.headers.get("x-total-count") ?? Number.NaN)

const idOf = (event: unknown): string =>
  typeof event === "object" && event !== null && "event_id" in event ? String(event.event_id) : ""

/** Starts one over a database file; without a port on a free one. */
export const start = async (bin: string, folder: string, port = 0): Promise<LedgerServer> => {
  const database = path.join(folder, "telemetry.sqlite")
  const child = spawn(process.execPath, [bin, "serve", "--port", String(port), "--db", database], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], HOME: folder },
  })
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
  const url = await announced(child)

  const page = async (runId: string, after: string | undefined): Promise<ReadonlyArray<string>> => {
    const from = after === undefined ? "" : `&after=${encodeURIComponent(after)}`
    const events: unknown = await (
      await ask(`${url}/api/v1/runs/${encodeURIComponent(runId)}/events?limit=${PAGE}${from}`)
    ).json()
    return Array.isArray(events) ? events.map(idOf) : []
  }

  return {
    url,
    pid: child.pid ?? Number.NaN,
    stop: async () => {
      child.kill("SIGTERM")
      await ended
    },
    eventIds: async (runId) => {
      const ids: Array<string> = []
      for (;;) {
        const found = await page(runId, ids.at(-1))
        ids.push(...found)
        if (found.length === 0) return ids
      }
    },
    counts: async (runId) => {
      const id = encodeURIComponent(runId)
      const events = await ask(`${url}/api/v1/runs/${id}/events?limit=1`)
      const own = await ask(`${url}/api/v1/runs?run_id=${id}&limit=1`)
      const below = await ask(`${url}/api/v1/runs?parent_run_id=${id}&limit=1`)
      return { events: total(events), rows: total(own) + total(below) }
    },
  }
}
