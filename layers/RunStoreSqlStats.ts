import { CALL_JOB_TYPE } from "../src/domain/CallMeasure.js"
import { toUsd } from "../src/domain/Cost.js"
import * as Histogram from "../src/domain/Histogram.js"
import type { RunFilter } from "../src/domain/Run.js"
import type { GroupBy, StatsGroup } from "../src/domain/Stats.js"
import type { Database, Value } from "./RunStoreSqlDatabase.js"
import * as Sums from "./RunStoreSqlSums.js"

/** What is known of one group while its parts are added up. */
interface Group {
  readonly sums: Array<number>
  readonly latency: Histogram.Histogram
  readonly firstToken: Histogram.Histogram
}

type Groups = Map<string | null, Group>

const groupAt = (groups: Groups, key: Value | undefined): Group => {
  const name = typeof key === "string" ? key : null
  const found = groups.get(name)
  if (found !== undefined) return found
  const group: Group = {
    sums: Sums.COUNTERS.map(() => 0),
    latency: Histogram.make(),
    firstToken: Histogram.make(),
  }
  groups.set(name, group)
  return group
}

const numberOf = (value: Value | undefined): number => (typeof value === "number" ? value : 0)

const addSums = (groups: Groups, rows: ReadonlyArray<ReadonlyArray<Value>>): void => {
  for (const [key, ...sums] of rows) {
    const group = groupAt(groups, key)
    for (const [place, sum] of sums.entries()) group.sums[place] = (group.sums[place] ?? 0) + numberOf(sum)
  }
}

const merge = (histogram: Histogram.Histogram, bytes: Value | undefined): void => {
  if (bytes instanceof Uint8Array) Histogram.mergeEncoded(histogram, bytes)
}

const addRollups = (db: Database, groups: Groups, groupBy: GroupBy, source: Sums.Sources["rollups"][number]): void => {
  addSums(groups, db.values(Sums.ofRollups(groupBy, source)))
  for (const [key, latency, firstToken] of db.values(Sums.histograms(groupBy, source))) {
    const group = groupAt(groups, key)
    merge(group.latency, latency)
    merge(group.firstToken, firstToken)
  }
}

/** Numbers with commas between, as a query of rows gives them. */
const addMeasured = (histogram: Histogram.Histogram, list: Value | undefined): void => {
  if (typeof list !== "string") return
  for (const value of list.split(",")) Histogram.add(histogram, Number(value))
}

const addRows = (db: Database, groups: Groups, groupBy: GroupBy, source: Sums.Sources["rows"][number]): void => {
  db.each(Sums.ofRows(groupBy, source), (values) => {
    db.checkWanted()
    addSums(groups, [values.slice(0, Sums.COUNTERS.length + 1)])
    const group = groupAt(groups, values[0])
    addMeasured(group.latency, values[Sums.COUNTERS.length + 1])
    addMeasured(group.firstToken, values[Sums.COUNTERS.length + 2])
  })
}

const SHARES = [0.5, 0.95, 0.99]

const percentiles = (histogram: Histogram.Histogram, round: (value: number) => number) => {
  const [p50 = null, p95 = null, p99 = null] = Histogram.quantiles(histogram, SHARES).map((value) =>
    value === null ? null : round(value),
  )
  return { p50, p95, p99 }
}

/** A sum that a double no longer holds exactly is shown as the largest that it does. */
const whole = (sum: number | undefined): number => Math.min(sum ?? 0, Number.MAX_SAFE_INTEGER)

const toMicros = (millis: number): number => Number(millis.toPrecision(6))

const told = (name: string | null, { sums, latency, firstToken }: Group): StatsGroup => {
  const at = (counter: Sums.Counter): number => whole(sums[Sums.COUNTERS.indexOf(counter)])
  return {
    group: name,
    calls: at("calls"),
    errors: at("errors"),
    input_tokens: at("input_tokens"),
    output_tokens: at("output_tokens"),
    total_tokens: at("total_tokens"),
    cache_read_tokens: at("cache_read_tokens"),
    cache_write_5m_tokens: at("cache_write_5m_tokens"),
    cache_write_1h_tokens: at("cache_write_1h_tokens"),
    reasoning_tokens: at("reasoning_tokens"),
    cost_nanousd: at("cost_nanousd"),
    cost_usd: toUsd(at("cost_nanousd")),
    simulated_cost_nanousd: at("simulated_cost_nanousd"),
    simulated_cost_usd: toUsd(at("simulated_cost_nanousd")),
    unpriced_calls: at("unpriced_calls"),
    replayed_calls: at("replayed_calls"),
    latency_ms: percentiles(latency, Math.round),
    time_to_first_token_ms: percentiles(firstToken, toMicros),
  }
}

const byName = ([left]: readonly [string | null, Group], [right]: readonly [string | null, Group]): number => {
  if (left === right) return 0
  if (left === null || right === null) return left === null ? 1 : -1
  return left < right ? -1 : 1
}

/**
 * Rolls calls up. Without a word on `job_type` only calls are looked at, so that the groups add up to what was called; asked
 * for another job type, or by job type, rows of that type count as `calls` too, while tokens and cost stay the calls' own.
 * What the roll-ups that are kept with every write can tell is read from them, the rest from the rows. Sums are floats of
 * integers: exact to 2^53, and never an overflow error whatever a client reported. Percentiles are within 5 %.
 */
export const stats = (db: Database, groupBy: GroupBy, filter: RunFilter): ReadonlyArray<StatsGroup> => {
  const every = filter.job_type !== undefined || groupBy === "job_type"
  const asked: RunFilter = every ? filter : { ...filter, job_type: CALL_JOB_TYPE }
  const groups: Groups = new Map()
  db.snapshot(() => {
    const { rollups, rows } = Sums.sources(asked, groupBy)
    for (const source of rollups) addRollups(db, groups, groupBy, source)
    for (const source of rows) addRows(db, groups, groupBy, source)
  })
  return [...groups].sort(byName).map(([name, group]) => told(name, group))
}
