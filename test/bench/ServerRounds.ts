import { percentile, say } from "./DeliveryStage.js"
import { median, ratio, type Verdicts } from "./Report.js"
import { withConnections, write } from "./ServerLoad.js"
import type { Post } from "./ServerSamples.js"
import { type ContenderName, cpuSeconds, type ServerStage, withContender } from "./ServerStage.js"
import * as StoreContent from "./StoreContent.js"

/** What one connection sends, one request after the other. */
export interface Flow {
  /** Sent before the clock starts, so that neither server is measured while it is being compiled. */
  readonly warmUp: ReadonlyArray<Post>
  readonly measured: ReadonlyArray<Post>
}

interface Round {
  readonly rowsASecond: number
  readonly p50: number
  readonly p99: number
  /** Microseconds of CPU that the server spent on a row. */
  readonly cpu: number
  readonly counts: { readonly rows: number; readonly summed: number; readonly events: number }
}

const rowsOf = (posts: ReadonlyArray<Post>): number => posts.reduce((sum, { rows }) => sum + rows, 0)

const drive = async (url: string, pid: number, flows: ReadonlyArray<Flow>): Promise<Omit<Round, "counts">> => {
  const send = (pick: (flow: Flow) => ReadonlyArray<Post>) =>
    withConnections(url, flows.length, async (connection, index) => {
      const flow = flows[index]
      const millis: Array<number> = []
      for (const { path, body } of flow === undefined ? [] : pick(flow))
        millis.push((await write(connection, path, body)).millis)
      return millis
    })
  await send(({ warmUp }) => warmUp)
  const cpuBefore = cpuSeconds(pid)
  const before = performance.now()
  const millis = (await send(({ measured }) => measured)).flat()
  const seconds = (performance.now() - before) / 1000
  const rows = flows.reduce((sum, { measured }) => sum + rowsOf(measured), 0)
  return {
    rowsASecond: rows / seconds,
    p50: percentile(millis, 0.5),
    p99: percentile(millis, 0.99),
    cpu: ((cpuSeconds(pid) - cpuBefore) * 1e6) / rows,
  }
}

const round = (stage: ServerStage, name: ContenderName, flows: ReadonlyArray<Flow>): Promise<Round> =>
  withContender(
    stage,
    name,
    ({ url, pid }) => drive(url, pid, flows),
    (database, driven): Round => ({ ...driven, counts: StoreContent.counts(database) }),
  )

const middle = (rounds: ReadonlyArray<Round>, of: (round: Round) => number): number => median(rounds.map(of))

const line = (name: string, rounds: ReadonlyArray<Round>): string =>
  [
    name.padEnd(5),
    `${middle(rounds, (one) => one.rowsASecond)
      .toFixed(0)
      .padStart(8)} rows/s`,
    `request p50 ${middle(rounds, (one) => one.p50)
      .toFixed(2)
      .padStart(7)} ms`,
    `p99 ${middle(rounds, (one) => one.p99)
      .toFixed(2)
      .padStart(7)} ms`,
    `server CPU ${middle(rounds, (one) => one.cpu)
      .toFixed(1)
      .padStart(6)} µs/row`,
  ].join("  ")

interface Race {
  readonly what: string
  readonly flows: ReadonlyArray<Flow>
  readonly rounds: number
  readonly atLeast: number
}

/**
 * Sends the same requests to ours and to raw, in turns over fresh databases, each going first as often as the other, and
 * holds the middle of the rounds' ratios against its bound.
 */
export const race = async (
  stage: ServerStage,
  verdicts: Verdicts,
  { what, flows, rounds, atLeast }: Race,
): Promise<void> => {
  const taken: Record<ContenderName, Array<Round>> = { ours: [], raw: [] }
  for (let turn = 0; turn < rounds; turn += 1) {
    const order: ReadonlyArray<ContenderName> = turn % 2 === 0 ? ["ours", "raw"] : ["raw", "ours"]
    for (const name of order) taken[name].push(await round(stage, name, flows))
  }
  say(`${what}, middle of ${rounds} rounds`)
  say(line("ours", taken.ours))
  say(line("raw", taken.raw))
  const told = [...taken.ours, ...taken.raw].map(({ counts }) => JSON.stringify(counts))
  const [counts] = taken.ours
  verdicts.same(
    `${what}: both wrote the same number of rows and events in every round (${counts?.counts.rows}, ${counts?.counts.events}), and their sums know of all`,
    new Set(told).size === 1 && counts !== undefined && counts.counts.rows === counts.counts.summed,
  )
  const ratios = taken.ours.map((ours, index) => ours.rowsASecond / (taken.raw[index]?.rowsASecond ?? Number.NaN))
  say(`ratios ${ratios.map(ratio).join(" ")}`)
  verdicts.least(`${what}, ours / raw`, median(ratios), atLeast, ratio)
}
