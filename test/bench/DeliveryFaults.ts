import * as path from "node:path"
import * as Calling from "../support/Calling.js"
import * as FaultProxy from "../support/FaultProxy.js"
import { inFolder, percentile, type Stage, say } from "./DeliveryStage.js"
import * as LedgerServer from "./LedgerServer.js"
import { median, type Verdicts } from "./Report.js"

const MODES: Readonly<Record<string, FaultProxy.Mode | null>> = {
  offline: null,
  "server well": { kind: "pass" },
  "server hanging": { kind: "hang" },
  "answer at 1 byte a second": { kind: "slow", bytesPerSecond: 1 },
  "reset in the request's body": { kind: "reset", of: "request", after: 3000 },
  "reset in the answer": { kind: "reset", of: "answer", after: 40 },
}

/** Short, so that many requests fail within the measurement. */
const REQUEST_TIMEOUT_MILLIS = 400

const milliseconds = (value: number): string => `${value.toFixed(3)} ms`

interface Figures {
  readonly p50: number
  readonly p99: number
  readonly answers: string
  readonly connections: number
  readonly total: number
  readonly requests: number
  readonly circuit: string
}

const one = async (stage: Stage, mode: FaultProxy.Mode | null, upstream: string): Promise<Figures> =>
  inFolder(async (folder) => {
    const proxy = await FaultProxy.open(upstream)
    try {
      if (mode !== null) await proxy.set(mode)
      const { millis, answers, delivery } = await Calling.run(stage.programs.calling, {
        ...Calling.defaults,
        runsDir: path.join(folder, "runs"),
        runId: "run-001",
        said: path.join(folder, "said.json"),
        endpoint: mode === null ? null : proxy.url,
        requestTimeoutMillis: REQUEST_TIMEOUT_MILLIS,
        flushMillis: 100,
        calls: stage.quick ? 1000 : 6000,
      })
      const { mostAtOnce, total, requests } = proxy.counters()
      // The first calls compile the program.
      const steady = millis.slice(Math.floor(millis.length / 5))
      return {
        p50: percentile(steady, 0.5),
        p99: percentile(steady, 0.99),
        answers,
        connections: mostAtOnce,
        total,
        requests,
        circuit: delivery.circuit,
      }
    } finally {
      await proxy.close()
    }
  })

/** What a server that misbehaves adds to a call of its client. */
export const run = (stage: Stage, verdicts: Verdicts): Promise<void> =>
  inFolder(async (folder) => {
    const server = await LedgerServer.start(stage.bin, folder)
    const names = Object.keys(MODES)
    const rounds = stage.quick ? 1 : 3
    const found = new Map<string, Array<Figures>>(names.map((name) => [name, []]))
    for (let round = 0; round < rounds; round++) {
      for (const name of [...names.slice(round), ...names.slice(0, round)]) {
        found.get(name)?.push(await one(stage, MODES[name] ?? null, server.url))
      }
    }
    await server.stop()
    const of = (name: string, pick: (figures: Figures) => number) => (found.get(name) ?? []).map(pick)
    const p99 = (name: string): number => median(of(name, (figures) => figures.p99))
    for (const name of names) {
      say(
        `${name.padEnd(28)} p50 ${milliseconds(median(of(name, (figures) => figures.p50)))}, p99 ${milliseconds(p99(name))} (medians of ${rounds}), ${of(name, (figures) => figures.requests).join("/")} requests over ${of(name, (figures) => figures.total).join("/")} connections, at most ${Math.max(...of(name, (figures) => figures.connections))} at once`,
      )
    }
    const answers = new Set([...found.values()].flat().map((figures) => figures.answers))
    verdicts.same("all calls returned the same in every case", answers.size === 1)
    for (const name of names.filter((candidate) => candidate !== "offline")) {
      verdicts.same(`${name}: the server was really asked`, Math.min(...of(name, ({ requests }) => requests)) > 0)
      verdicts.bound(`${name}: added to a call, p99 against offline`, p99(name) - p99("offline"), 1, milliseconds)
      verdicts.bound(`${name}: connections at once`, Math.max(...of(name, ({ connections }) => connections)), 2, String)
    }
  })
