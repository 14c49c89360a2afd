import type Database from "better-sqlite3"
import * as Histogram from "../../src/domain/Histogram.js"
import { CALL, type Cell, type Held, type Parameter, type Rows, TOKENS } from "./RawRows.js"

const COUNTERS = [
  "rows",
  "calls",
  "errors",
  ...TOKENS,
  "cost_nanousd",
  "simulated_cost_nanousd",
  "unpriced_calls",
  "replayed_calls",
]
const SERIES = ["job_type", "model", "provider", "status", "product"]
const KEY = ["span", "bucket", "series"]
const COLUMNS = [...KEY, ...SERIES, ...COUNTERS, "latency", "time_to_first_token"]

interface Sum {
  readonly key: readonly [span: string, bucket: string, series: string]
  readonly series: ReadonlyArray<Cell>
  readonly counters: Array<number>
  readonly latency: Histogram.Histogram
  readonly firstToken: Histogram.Histogram
}

interface Stored {
  readonly latency: Uint8Array | null
  readonly time_to_first_token: Uint8Array | null
}

/** Sums by hour and day, and how many rows each agent and job type has. */
export const make = (database: Database.Database, rows: Rows) => {
  const at = rows.place
  const [START, DURATION, FIRST_TOKEN] = [at("start_time"), at("duration_ms"), at("time_to_first_token_ms")]
  const [JOB_TYPE, STATUS, BEARS, AGENT] = [at("job_type"), at("status"), at("bears"), at("agent_name")]
  const [COST, COST_STATUS] = [at("cost_nanousd"), at("cost_status")]
  const tokenPlaces = TOKENS.map(at)
  const seriesPlaces = SERIES.map(at)
  const COST_FIELDS: Readonly<Record<string, readonly [place: number, isMoney: boolean]>> = {
    priced: [3 + TOKENS.length, true],
    simulated: [4 + TOKENS.length, true],
    unpriced: [5 + TOKENS.length, false],
    replayed: [6 + TOKENS.length, false],
  }

  const load = database.prepare<[string, string, string], Stored>(
    "SELECT latency, time_to_first_token FROM rollups WHERE span = ? AND bucket = ? AND series = ?",
  )
  const save = database.prepare(
    `INSERT INTO rollups (${COLUMNS.join(", ")}) VALUES (${COLUMNS.map(() => "?").join(", ")})
     ON CONFLICT (${KEY.join(", ")}) DO UPDATE SET ${COUNTERS.map((name) => `${name} = ${name} + excluded.${name}`).join(", ")},
       latency = excluded.latency, time_to_first_token = excluded.time_to_first_token`,
  )
  const forget = database.prepare("DELETE FROM rollups WHERE span = ? AND bucket = ? AND series = ? AND rows = 0")
  const name = (table: string, column: string) =>
    database.prepare(
      `INSERT INTO ${table} (${column}, rows) VALUES (?, ?) ON CONFLICT (${column}) DO UPDATE SET rows = rows + excluded.rows`,
    )
  const addAgent = name("agents", "agent_name")
  const addJobType = name("job_types", "job_type")

  const count = (sum: Sum, cells: ReadonlyArray<Cell>, sign: number): void => {
    const plus = (place: number, amount: number) => {
      sum.counters[place] = (sum.counters[place] ?? 0) + sign * amount
    }
    plus(0, 1)
    if (cells[BEARS] !== 1) return
    plus(1, 1)
    const status = cells[STATUS]
    if (status === "failure" || status === "timeout") plus(2, 1)
    if (cells[JOB_TYPE] === CALL) {
      for (const [index, place] of tokenPlaces.entries()) plus(3 + index, Number(cells[place] ?? 0))
      const cost = COST_FIELDS[String(cells[COST_STATUS])]
      if (cost !== undefined) plus(cost[0], cost[1] ? Number(cells[COST] ?? 0) : 1)
    }
    if (status === "running") return
    Histogram.add(sum.latency, Number(cells[DURATION] ?? 0), sign)
    const firstToken = cells[FIRST_TOKEN]
    if (typeof firstToken === "number") Histogram.add(sum.firstToken, firstToken, sign)
  }

  const saveSum = ({ key, series, counters, latency, firstToken }: Sum): void => {
    const stored = load.get(...key)
    const merged = (bytes: Uint8Array | null | undefined, more: Histogram.Histogram): Parameter => {
      const histogram = Histogram.decode(bytes ?? null)
      Histogram.merge(histogram, more)
      return Histogram.encode(histogram)
    }
    save.run(
      ...key,
      ...series,
      ...counters,
      merged(stored?.latency, latency),
      merged(stored?.time_to_first_token, firstToken),
    )
    if ((counters[0] ?? 0) < 0) forget.run(...key)
  }

  return (changed: ReadonlyArray<Held>): void => {
    const sums = new Map<string, Sum>()
    const sumOf = (span: string, bucket: string, series: string, cells: ReadonlyArray<Cell>): Sum => {
      const found = sums.get(bucket + series)
      if (found !== undefined) return found
      const made: Sum = {
        key: [span, bucket, series],
        series: seriesPlaces.map((place) => cells[place] ?? null),
        counters: COUNTERS.map(() => 0),
        latency: Histogram.make(),
        firstToken: Histogram.make(),
      }
      sums.set(bucket + series, made)
      return made
    }
    const put = (cells: ReadonlyArray<Cell>, sign: number): void => {
      const series = JSON.stringify(seriesPlaces.map((place) => cells[place] ?? null))
      const start = String(cells[START])
      count(sumOf("hour", `${start.slice(0, 13)}:00:00.000Z`, series, cells), cells, sign)
      count(sumOf("day", start.slice(0, 10), series, cells), cells, sign)
    }
    const agents = new Map<string, number>()
    const jobTypes = new Map<string, number>()
    for (const { before, cells } of changed) {
      if (before !== null) put(before, -1)
      put(cells, 1)
      if (before !== null) continue
      const [agent, jobType] = [String(cells[AGENT]), String(cells[JOB_TYPE])]
      agents.set(agent, (agents.get(agent) ?? 0) + 1)
      jobTypes.set(jobType, (jobTypes.get(jobType) ?? 0) + 1)
    }
    for (const sum of sums.values()) saveSum(sum)
    for (const [agent, times] of agents) addAgent.run(agent, times)
    for (const [jobType, times] of jobTypes) addJobType.run(jobType, times)
  }
}
