import { spawn, spawnSync } from "node:child_process"
import { inFolder, pause, percentile, say } from "./DeliveryStage.js"
import { milliseconds, ratio, type Verdicts } from "./Report.js"
import { type Answer, type Connection, read, withConnections, write } from "./ServerLoad.js"
import * as ServerQueries from "./ServerQueries.js"
import * as Samples from "./ServerSamples.js"
import * as ServerSeeding from "./ServerSeeding.js"
import { type Contender, type ServerStage, startOurs } from "./ServerStage.js"
import * as StoreContent from "./StoreContent.js"

const fine = (value: number): string => `${value.toFixed(2)} ms`
const mebibytes = (value: number): string => `${value.toFixed(0)} MiB`

const SMALL_P50 = 5
const SMALL_P99 = 25
const GROWTH = 2
const STATS_P50 = 50
const TREE_P50 = 300
const WRITE_GROWTH = 3
const READY_MILLIS = 1000
const IDLE_MIB = 250
const IDLE_AFTER_MILLIS = 10_000

/** The resident memory of a process. */
const residentMib = (pid: number): number => {
  const told = spawnSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })
  if (told.status !== 0) throw new Error(`ps does not know the process ${pid}: ${told.stderr}`)
  return Number(told.stdout.trim()) / 1024
}

/** Starts over a seeded copy; the time goes from before the process is made to the first answer of `/health`. */
const starting = async (stage: ServerStage, folder: string) => {
  const before = performance.now()
  const server = await startOurs(stage, folder)
  await withConnections(server.url, 1, (connection) => read(connection, "/health"))
  return { server, millis: performance.now() - before }
}

const startUp = async (stage: ServerStage, folder: string, rows: number, verdicts: Verdicts): Promise<void> => {
  const times: Array<number> = []
  for (let turn = 0; turn < (stage.quick ? 2 : 5); turn += 1) {
    const { server, millis } = await starting(stage, folder)
    times.push(millis)
    await server.stop()
  }
  const { server, millis } = await starting(stage, folder)
  times.push(millis)
  await pause(IDLE_AFTER_MILLIS)
  const resident = residentMib(server.pid)
  await server.stop()
  say(`starts: ${times.map(milliseconds).join(", ")}`)
  verdicts.bound(
    `start with ${rows} runs, process to /health, slowest of ${times.length}`,
    Math.max(...times),
    READY_MILLIS,
    milliseconds,
  )
  verdicts.bound(`resident memory ${IDLE_AFTER_MILLIS / 1000} s after the start`, resident, IDLE_MIB, mebibytes)
}

const WARM_UP = 20

/** Turns of different queries, one connection, one request at a time. */
const times = async (connection: Connection, query: ServerQueries.Query, from: number, turns: number) => {
  const millis: Array<number> = []
  for (let turn = from; turn < from + turns; turn += 1) millis.push((await read(connection, query.path(turn))).millis)
  return millis
}

/** Asks a few times and looks whether the answers are those of the seed. */
const check = async (
  connection: Connection,
  query: ServerQueries.Query,
  rows: number,
  verdicts: Verdicts,
): Promise<void> => {
  let flaw: string | undefined
  for (let turn = 0; turn < WARM_UP && flaw === undefined; turn += 1) {
    const answer: Answer = await read(connection, query.path(turn))
    flaw = query.flaw(answer, turn)
  }
  verdicts.same(
    flaw === undefined
      ? `${query.what}: what the seed of ${rows} says`
      : `${query.what}: not what the seed of ${rows} says: ${flaw} (--reseed makes it anew)`,
    flaw === undefined,
  )
}

interface Loaded {
  readonly seeded: ServerSeeding.Seeded
  readonly connection: Connection
}

const LOTS = 5

/** The same questions to both servers in turns, so that a slow moment of the machine falls on both. */
const smallReads = async (many: Loaded, few: Loaded, turns: number, verdicts: Verdicts): Promise<void> => {
  const ofFew = ServerQueries.small(few.seeded)
  for (const [index, query] of ServerQueries.small(many.seeded).entries()) {
    const same = ofFew[index]
    if (same === undefined) continue
    await check(many.connection, query, many.seeded.seed.rows, verdicts)
    await check(few.connection, same, few.seeded.seed.rows, verdicts)
    const [large, small]: [Array<number>, Array<number>] = [[], []]
    for (let lot = 0; lot < LOTS; lot += 1) {
      const each = Math.ceil(turns / LOTS)
      large.push(...(await times(many.connection, query, WARM_UP + lot * each, each)))
      small.push(...(await times(few.connection, same, WARM_UP + lot * each, each)))
    }
    const [p50, p50Few] = [percentile(large, 0.5), percentile(small, 0.5)]
    verdicts.bound(`${query.what}, p50`, p50, SMALL_P50, fine)
    verdicts.bound(`${query.what}, p99`, percentile(large, 0.99), SMALL_P99, fine)
    verdicts.bound(
      `${query.what}, p50 beside ${few.seeded.seed.rows} runs (${fine(p50Few)})`,
      p50 / p50Few,
      GROWTH,
      ratio,
    )
  }
}

const largeReads = async ({ seeded, connection }: Loaded, turns: number, verdicts: Verdicts): Promise<void> => {
  const bounded = [
    ...ServerQueries.stats(seeded).map((query) => [query, STATS_P50, turns] as const),
    [ServerQueries.tree(seeded), TREE_P50, Math.ceil(turns / 5)] as const,
  ]
  for (const [query, bound, count] of bounded) {
    await check(connection, query, seeded.seed.rows, verdicts)
    const millis = await times(connection, query, 0, count)
    say(`${query.what}: p99 ${fine(percentile(millis, 0.99))} of ${count}`)
    verdicts.bound(`${query.what}, p50`, percentile(millis, 0.5), bound, fine)
  }
}

const WRITERS = 8
const WRITES_A_SECOND = 200

/** From one write of a connection to its next. */
const PACE_MILLIS = (1000 * WRITERS) / WRITES_A_SECOND

/**
 * Writes at a steady pace whatever the answers take: a write that had to wait for the one before it on its connection counts
 * from the moment at which it was due.
 */
const steadyWrites = async (url: string, run: string, seconds: number): Promise<ReadonlyArray<number>> => {
  const each = Math.ceil((seconds * WRITES_A_SECOND) / WRITERS)
  const posts = Array.from({ length: WRITERS }, (_, writer) =>
    Array.from({ length: each }, (_unused, n) => Samples.single(`${run}-${writer}`, n)),
  )
  const start = performance.now()
  const millis = await withConnections(url, WRITERS, async (connection, writer) => {
    const found: Array<number> = []
    for (const [n, post] of (posts[writer] ?? []).entries()) {
      const due = start + (n + writer / WRITERS) * PACE_MILLIS
      const early = due - performance.now()
      if (early > 0) await pause(early)
      const from = early > 0 ? performance.now() : due
      await write(connection, post.path, post.body)
      found.push(performance.now() - from)
    }
    return found
  })
  return millis.flat()
}

/** Reads of every kind in a process of their own while `use` runs. */
const whileReading = async <A>(
  stage: ServerStage,
  url: string,
  paths: ReadonlyArray<string>,
  use: () => Promise<A>,
): Promise<A> => {
  const child = spawn(process.execPath, [stage.reading, url, ...paths], { stdio: ["pipe", "pipe", "inherit"], env: {} })
  let said = ""
  child.stdout.on("data", (bytes: Buffer) => {
    said += bytes.toString("utf8")
  })
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
  await pause(500)
  const used = await use().finally(() => child.stdin.end())
  const code = await ended
  if (code !== 0) throw new Error(`the reader ended with ${code}`)
  say(`meanwhile: ${said.trim()}`)
  return used
}

const writesWhileReading = async (
  stage: ServerStage,
  server: Contender,
  seeded: ServerSeeding.Seeded,
  verdicts: Verdicts,
): Promise<number> => {
  const queries = [...ServerQueries.small(seeded), ...ServerQueries.stats(seeded), ServerQueries.tree(seeded)]
  const paths = Array.from({ length: 10 }, (_, turn) => queries.map((query) => query.path(turn))).flat()
  const seconds = stage.quick ? 2 : 10
  const quiet: Array<number> = []
  const busy: Array<number> = []
  await steadyWrites(server.url, "bench-warm", 2)
  for (let turn = 0; turn < 3; turn += 1) {
    quiet.push(...(await steadyWrites(server.url, `bench-quiet-${turn}`, seconds)))
    busy.push(
      ...(await whileReading(stage, server.url, paths, () => steadyWrites(server.url, `bench-busy-${turn}`, seconds))),
    )
  }
  const [quietP99, busyP99] = [percentile(quiet, 0.99), percentile(busy, 0.99)]
  say(`writes, ${WRITES_A_SECOND} a second: quiet p50 ${fine(percentile(quiet, 0.5))} p99 ${fine(quietP99)}`)
  say(`while reads run without a pause: p50 ${fine(percentile(busy, 0.5))} p99 ${fine(busyP99)}`)
  verdicts.bound("quiet writes keep their pace, p50", percentile(quiet, 0.5), PACE_MILLIS, fine)
  verdicts.bound("write p99 while these reads run, beside quiet", busyP99 / quietP99, WRITE_GROWTH, ratio)
  return quiet.length + busy.length + 2 * WRITES_A_SECOND
}

const measure = async (
  stage: ServerStage,
  folder: string,
  few: string,
  seeded: readonly [ServerSeeding.Seeded, ServerSeeding.Seeded],
  verdicts: Verdicts,
): Promise<number> => {
  const [many, less] = seeded
  const turns = stage.quick ? 50 : 400
  const server = await startOurs(stage, folder)
  try {
    const other = await startOurs(stage, few)
    try {
      await withConnections(server.url, 1, (connection) =>
        withConnections(other.url, 1, async (otherConnection) => {
          await smallReads({ seeded: many, connection }, { seeded: less, connection: otherConnection }, turns, verdicts)
          await largeReads({ seeded: many, connection }, Math.ceil(turns / 4), verdicts)
        }),
      )
    } finally {
      await other.stop()
    }
    const written = await writesWhileReading(stage, server, many, verdicts)
    say(`resident memory after all of it: ${mebibytes(residentMib(server.pid))}`)
    return written
  } finally {
    await server.stop()
  }
}

/** How the server starts, answers and goes on writing with a million runs. */
export const run = async (stage: ServerStage, verdicts: Verdicts): Promise<void> => {
  const [many, less] = stage.quick ? [20_000, 2000] : [1_000_000, 10_000]
  const seeded = [await ServerSeeding.open(stage, many), await ServerSeeding.open(stage, less)] as const
  await inFolder((folder) =>
    inFolder(async (few) => {
      ServerSeeding.copyInto(seeded[0], folder)
      ServerSeeding.copyInto(seeded[1], few)
      await startUp(stage, folder, many, verdicts)
      const written = await measure(stage, folder, few, seeded, verdicts)
      const counts = StoreContent.counts(`${folder}/telemetry.sqlite`)
      verdicts.same(
        `every acknowledged write is in the store, and the sums know of it (${counts.rows} of ${many + written} rows)`,
        counts.rows === many + written && counts.summed === counts.rows,
      )
    }),
  )
}
