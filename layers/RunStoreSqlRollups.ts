import * as Histogram from "../src/domain/Histogram.js"
import * as Rollup from "../src/domain/Rollup.js"
import { isStatus } from "../src/domain/Status.js"
import { type Cell, type Cells, cellsOf, placeOf, type Row } from "./RunStoreSqlRows.js"
import { insertion, type Parameter, type Statements } from "./RunStoreSqlStatements.js"

/** A row before and after what a transaction does to it; null where there is none. */
export interface Change {
  readonly before: Cells | null
  readonly after: Cells | null
}

const START = placeOf("start_time")
const JOB_TYPE = placeOf("job_type")
const STATUS = placeOf("status")
const BEARS = placeOf("bears")
const DURATION = placeOf("duration_ms")
const FIRST_TOKEN = placeOf("time_to_first_token_ms")
const COST = placeOf("cost_nanousd")
const COST_STATUS = placeOf("cost_status")
const AGENT = placeOf("agent_name")
const TOKENS = Rollup.TOKENS.map(placeOf)
const SERIES_COLUMNS = ["job_type", "model", "provider", "status", "product"] as const
const SERIES = SERIES_COLUMNS.map(placeOf)
const COUNTED = [START, ...SERIES, BEARS, DURATION, FIRST_TOKEN, COST, COST_STATUS, ...TOKENS]

const KEY = ["span", "bucket", "series"]
const COLUMNS = [...KEY, ...SERIES_COLUMNS, ...Rollup.COUNTERS, "latency", "time_to_first_token"]
const HOUR_END = ":00:00.000Z"
const HOUR_LENGTH = "2026-01-01T00".length
const DAY_LENGTH = "2026-01-01".length

/** One row of the table: which rows it sums up. */
interface Key {
  readonly span: "hour" | "day"
  readonly bucket: string
  readonly series: string
}

interface Summed extends Key {
  readonly difference: Rollup.Rollup
}

type Stored = Key & Readonly<Record<string, Parameter>>

const textOf = (cell: Cell | undefined): string => (typeof cell === "string" ? cell : "")
const numberOf = (cell: Cell | undefined): number => (typeof cell === "number" ? cell : 0)
const numberOrNull = (cell: Cell | undefined): number | null => (typeof cell === "number" ? cell : null)

const counted = (cells: Cells): Rollup.Counted => {
  const status = cells[STATUS]
  const costStatus = cells[COST_STATUS]
  return {
    jobType: textOf(cells[JOB_TYPE]),
    status: isStatus(status) ? status : "running",
    bears: cells[BEARS] === 1,
    durationMs: numberOf(cells[DURATION]),
    timeToFirstTokenMs: numberOrNull(cells[FIRST_TOKEN]),
    tokens: TOKENS.map((place) => numberOrNull(cells[place])),
    costNanoUsd: numberOrNull(cells[COST]),
    costStatus: typeof costStatus === "string" ? costStatus : null,
  }
}

const seriesOf = (cells: Cells): string => JSON.stringify(SERIES.map((place) => cells[place] ?? null))

const isSameCount = (before: Cells, after: Cells): boolean => COUNTED.every((place) => before[place] === after[place])

/** The differences that rows make, by what sums them up: hours first, and days from the hours. */
class Fold {
  readonly summed = new Map<string, Summed>()

  private of(span: Key["span"], bucket: string, series: string): Rollup.Rollup {
    const key = `${bucket}${series}`
    const known = this.summed.get(key)
    if (known !== undefined) return known.difference
    const difference = Rollup.make()
    this.summed.set(key, { span, bucket, series, difference })
    return difference
  }

  count(cells: Cells, sign: 1 | -1): void {
    const bucket = `${textOf(cells[START]).slice(0, HOUR_LENGTH)}${HOUR_END}`
    Rollup.count(this.of("hour", bucket, seriesOf(cells)), counted(cells), sign)
  }

  sumDays(): void {
    for (const { bucket, series, difference } of [...this.summed.values()]) {
      const day = this.of("day", bucket.slice(0, DAY_LENGTH), series)
      if (!Rollup.merge(day, difference)) day.isExact = false
    }
  }
}

/** The end of what a bucket holds, as the start of texts that sort after all of its instants. */
const endOf = ({ span, bucket }: Key): string => `${bucket.slice(0, span === "hour" ? HOUR_LENGTH : DAY_LENGTH)}~`

const startOf = ({ span, bucket }: Key): string => bucket.slice(0, span === "hour" ? HOUR_LENGTH : DAY_LENGTH)

const rollupOf = (row: Stored | undefined): Rollup.Rollup => {
  if (row === undefined) return Rollup.make()
  const bytes = (value: Parameter | undefined): Uint8Array | null => (value instanceof Uint8Array ? value : null)
  return {
    counters: Rollup.COUNTERS.map((name) => Number(row[name] ?? 0)),
    latency: Histogram.decode(bytes(row["latency"])),
    timeToFirstToken: Histogram.decode(bytes(row["time_to_first_token"])),
    isExact: true,
  }
}

const cellsOfSeries = (series: string): ReadonlyArray<string | null> => JSON.parse(series)

const rowOf = ({ span, bucket, series }: Key, sums: Rollup.Rollup): ReadonlyArray<Parameter> => [
  span,
  bucket,
  series,
  ...cellsOfSeries(series),
  ...sums.counters,
  Histogram.encode(sums.latency),
  Histogram.encode(sums.timeToFirstToken),
]

const keysAsJson = (keys: ReadonlyArray<Key>): string =>
  JSON.stringify(keys.map(({ span, bucket, series }) => [span, bucket, series]))

const AMONG = `(span, bucket, series) IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?))`

const nameOf = ({ span, bucket, series }: Key): string => `${span}${bucket}${series}`

/**
 * Keeps sums over rows beside the rows, in the transaction that writes them: what a changed row counted for before is taken
 * out, what it counts for now is put in, and each sum that a batch touches is written once. Sums beyond 2^53 are counted anew
 * from the rows when something comes off them, so that they are always what a scan would say.
 */
export const make = (statements: Statements) => {
  const save = insertion(statements, {
    table: "rollups",
    columns: COLUMNS,
    after: `ON CONFLICT (${KEY.join(", ")}) DO UPDATE SET ${COLUMNS.filter((name) => !KEY.includes(name))
      .map((name) => `${name} = excluded.${name}`)
      .join(", ")}`,
  })

  const recount = (key: Key): Rollup.Rollup => {
    const same = SERIES_COLUMNS.map((name) => `${name} IS ?`).join(" AND ")
    const rows = statements.rows<Row>(`SELECT * FROM runs WHERE start_time >= ? AND start_time < ? AND ${same}`, [
      startOf(key),
      endOf(key),
      ...cellsOfSeries(key.series),
    ])
    const sums = Rollup.make()
    for (const row of rows) Rollup.count(sums, counted(cellsOf(row)), 1)
    return sums
  }

  const saveSums = (summed: ReadonlyArray<Summed>): void => {
    const found = statements.rows<Stored>(`SELECT * FROM rollups WHERE ${AMONG}`, [keysAsJson(summed)])
    const known = new Map(found.map((row) => [nameOf(row), row]))
    const rows: Array<ReadonlyArray<Parameter>> = []
    const gone: Array<Key> = []
    for (const one of summed) {
      const stored = rollupOf(known.get(nameOf(one)))
      const sums = Rollup.merge(stored, one.difference) ? stored : recount(one)
      if (!Rollup.isEmpty(sums)) rows.push(rowOf(one, sums))
      else if (known.has(nameOf(one))) gone.push(one)
    }
    save(rows)
    if (gone.length > 0) statements.run(`DELETE FROM rollups WHERE ${AMONG}`, [keysAsJson(gone)])
  }

  /** Counts rows by a name that they never change, in a table of its own. */
  const names = (table: "agents" | "job_types", column: "agent_name" | "job_type", place: number) => {
    const add = insertion(statements, {
      table,
      columns: [column, "rows"],
      after: `ON CONFLICT (${column}) DO UPDATE SET rows = rows + excluded.rows`,
    })
    return (changes: ReadonlyArray<Change>): void => {
      const counts = new Map<string, number>()
      let isLess = false
      const put = (cells: Cells, times: number): void => {
        const name = textOf(cells[place])
        counts.set(name, (counts.get(name) ?? 0) + times)
      }
      for (const { before, after } of changes) {
        if (before !== null && after !== null && before[place] === after[place]) continue
        if (after !== null) put(after, 1)
        if (before !== null) put(before, -1)
        if (before !== null) isLess = true
      }
      add([...counts])
      if (!isLess) return
      statements.run(`DELETE FROM ${table} WHERE rows = 0 AND ${column} IN (SELECT value FROM json_each(?))`, [
        JSON.stringify([...counts.keys()]),
      ])
    }
  }

  const countAgents = names("agents", "agent_name", AGENT)
  const countJobTypes = names("job_types", "job_type", JOB_TYPE)

  /** Brings every sum up to what the rows are after these changes. The rows must have been written before. */
  return (changes: ReadonlyArray<Change>): void => {
    const fold = new Fold()
    for (const { before, after } of changes) {
      if (before !== null && after !== null && isSameCount(before, after)) continue
      if (before !== null) fold.count(before, -1)
      if (after !== null) fold.count(after, 1)
    }
    fold.sumDays()
    if (fold.summed.size > 0) saveSums([...fold.summed.values()])
    countAgents(changes)
    countJobTypes(changes)
  }
}
