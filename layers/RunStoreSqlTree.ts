import * as Option from "effect/Option"
import { CALL_JOB_TYPE, type CallMeasure } from "../src/domain/CallMeasure.js"
import { spanName } from "../src/domain/Leaves.js"
import { TOKENS } from "../src/domain/Rollup.js"
import * as RunGrowth from "../src/domain/RunGrowth.js"
import { type Database, WHILE_WANTED } from "./RunStoreSqlDatabase.js"
import { JsonBytes } from "./RunStoreSqlJsonBytes.js"
import { TooLarge } from "./RunStoreSqlPageBytes.js"
import { JSON_EXPRESSION, writeRow } from "./RunStoreSqlRowText.js"

const COLUMNS = [
  "exact_json",
  "git_repo",
  "git_commit_hash",
  "id",
  "run_id",
  "parent_run_id",
  "job_type",
  "status",
  "created_at",
  "start_time",
  "trace_id",
  "span_id",
  "parent_span_id",
  "cost_status",
  ...TOKENS,
  "cost_nanousd",
  "bears",
] as const

/** How many bytes the JSON of a row has, and its {@link COLUMNS}. */
type Found = readonly [
  bytes: number,
  exact: string | null,
  repo: string | null,
  commit: string | null,
  id: number,
  runId: string,
  parentRunId: string | null,
  jobType: string,
  status: RunGrowth.Member["status"],
  createdAt: string,
  startTime: string,
  traceId: string | null,
  spanId: string | null,
  parentSpanId: string | null,
  costStatus: CallMeasure["cost_status"],
  input: number | null,
  output: number | null,
  total: number | null,
  cacheRead: number | null,
  cacheWrite5m: number | null,
  cacheWrite1h: number | null,
  reasoning: number | null,
  cost: number | null,
  bears: number,
]

/** A run and all that it started, directly or not, whatever rings their parents form: the numbers of the rows. */
const FAMILY = `WITH RECURSIVE family (member) AS (
    SELECT ?
    UNION
    SELECT runs.run_id FROM family CROSS JOIN runs INDEXED BY runs_parent ON runs.parent_run_id = family.member
    WHERE ${WHILE_WANTED}
  )
  SELECT runs.id FROM family CROSS JOIN runs INDEXED BY runs_run ON runs.run_id = family.member
  WHERE ${WHILE_WANTED} ORDER BY runs.id`

/** Rows fetched at once: more would have the database ask for new memory each time. */
const ROWS_AT_ONCE = 250

/**
 * Some rows as two values, what is computed with and what only passes through: fetching each row, or each column of it, would
 * take longer than all the rest.
 */
const ROWS = `SELECT json_group_array(json_array(octet_length(text), ${COLUMNS.join(", ")})), CAST(group_concat(text, '') AS BLOB)
  FROM (
    SELECT ${JSON_EXPRESSION} AS text, ${COLUMNS.join(", ")} FROM runs WHERE id IN (SELECT value FROM json_each(?)) LIMIT -1
  )`

/** Bytes of rows in one tree: beyond, the answer would take the memory that everybody else works in. */
const MOST_BYTES = 512 * 1024 * 1024

/** Bytes that a node has room for beside its row: more than its totals and links mostly take. */
const ROOM_BESIDE = 1024

type Row = RunGrowth.Member & {
  /** The JSON of some rows, and where in it that of this one is. */
  readonly texts: Uint8Array
  readonly from: number
  readonly to: number
  readonly exact: string | null
  readonly repo: string | null
  readonly commit: string | null
}

let lastTrace: string | null = null
let lastSpan: string | null = null
let lastName: string | undefined

/** Rows that follow each other are mostly inside of the same span: one name for it is made and looked up faster than many. */
const parentSpanName = (trace: string | null, span: string | null): string | undefined => {
  if (trace !== lastTrace || span !== lastSpan) {
    lastTrace = trace
    lastSpan = span
    lastName = spanName(trace, span)
  }
  return lastName
}

const rowOf = (found: Found, texts: Uint8Array, from: number, to: number): Row => ({
  id: found[4],
  run_id: found[5],
  parent_run_id: found[6],
  job_type: found[7],
  status: found[8],
  created_at: found[9],
  start_time: found[10],
  span: spanName(found[11], found[12]),
  parentSpan: parentSpanName(found[11], found[13]),
  call: {
    input_tokens: found[15],
    output_tokens: found[16],
    total_tokens: found[17],
    cache_read_tokens: found[18],
    cache_write_5m_tokens: found[19],
    cache_write_1h_tokens: found[20],
    reasoning_tokens: found[21],
    cost_nanousd: found[22],
    cost_status: found[14],
    // No tree tells of it.
    time_to_first_token_ms: null,
  },
  // Any row but a call is marked as bearing too, for where rows of its type are counted.
  bears: found[7] === CALL_JOB_TYPE && found[23] === 1,
  texts,
  from,
  to,
  exact: found[1],
  repo: found[2],
  commit: found[3],
})

/** Not deeper than {@link RunGrowth.MAX_DEPTH} levels. */
const write = (out: JsonBytes, { run, totals, children }: RunGrowth.Branch<Row>): void => {
  out.text('{"run":')
  writeRow(out, run.texts.subarray(run.from, run.to), run)
  out.text(`,"totals":${JSON.stringify(totals)},"children":[`)
  for (const [place, child] of children.entries()) {
    if (place > 0) out.text(",")
    write(out, child)
  }
  out.text("]}")
}

/** The rows of some numbers. */
const rowsAt = (db: Database, ids: ReadonlyArray<number>): ReadonlyArray<Row> => {
  const [found] = db.values({ text: ROWS, values: [JSON.stringify(ids)] })
  const [list, texts] = found ?? []
  if (typeof list !== "string" || !(texts instanceof Uint8Array)) return []
  const rows: ReadonlyArray<Found> = JSON.parse(list)
  let end = 0
  return rows.map((found) => {
    const start = end
    end += found[0]
    return rowOf(found, texts, start, end)
  })
}

const familyOf = (db: Database, runId: string): ReadonlyArray<Row> => {
  const ids = db.values({ text: FAMILY, values: [runId] }).map(([id]) => Number(id))
  const rows: Array<Row> = []
  let bytes = 0
  for (let place = 0; place < ids.length; place += ROWS_AT_ONCE) {
    db.checkWanted()
    for (const row of rowsAt(db, ids.slice(place, place + ROWS_AT_ONCE))) {
      bytes += row.to - row.from
      rows.push(row)
    }
    if (bytes > MOST_BYTES)
      throw new TooLarge(`the tree of ${runId} is larger than ${MOST_BYTES} bytes: list its runs page by page instead`)
  }
  db.checkWanted()
  return rows
}

const treeOf = (db: Database, runId: string): Uint8Array<ArrayBuffer> | undefined => {
  const rows = familyOf(db, runId)
  const grown = RunGrowth.grow(rows, runId)
  if (Option.isNone(grown)) return undefined
  const out = new JsonBytes(rows.reduce((sum, { from, to }) => sum + to - from + ROOM_BESIDE, 0))
  write(out, grown.value)
  return out.done()
}

/** The tree of a run, or of the run that the row of an event_id belongs to, as JSON; `undefined` when there is no such row. */
export const tree = (db: Database, id: string): Uint8Array<ArrayBuffer> | undefined =>
  db.snapshot(() => {
    const own = treeOf(db, id)
    if (own !== undefined) return own
    const [row] = db.all<{ readonly run_id: string }>({
      text: "SELECT run_id FROM runs WHERE event_id = ?",
      values: [id],
    })
    return row === undefined ? undefined : treeOf(db, row.run_id)
  })
