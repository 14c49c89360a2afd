import type { Page } from "../services/RunStore.js"
import type { RunFilter } from "../src/domain/Run.js"
import { type Database, type Query, WHILE_WANTED } from "./RunStoreSqlDatabase.js"
import { JsonBytes } from "./RunStoreSqlJsonBytes.js"
import { type Bytes, TooLarge } from "./RunStoreSqlPageBytes.js"
import * as RowBytes from "./RunStoreSqlRowBytes.js"
import { RUN_SELECTION, type RunRow, toRecord } from "./RunStoreSqlRows.js"
import { all, type Condition, given, isAnswered, newestFirst, where } from "./RunStoreSqlWhere.js"

export type Cursor = NonNullable<Page["after"]>

/** Some rows as JSON, separated, and where the next page begins; `next` is absent when these were the last. */
export interface RowsBytes {
  readonly json: Bytes
  readonly rows: number
  readonly next: Cursor | undefined
}

/** Rows that a look along an index may meet on the thread that writes: a few milliseconds at most. */
export const GLANCE = 1000

/** A page that the thread that writes may read itself. */
export const SHORT_PAGE = 200

/** Bytes that such a page may have: some milliseconds of work. */
const SHORT_BYTES = 1024 * 1024

/** Bytes of a page that another brief read may have to wait for. */
const BRIEF_BYTES = 4 * 1024 * 1024

/** Bytes after which a page of a stream ends, whatever its limit: what its reader holds. */
export const PART_BYTES = 8 * 1024 * 1024

/** Bytes of a page that has to be whole: beyond, it would take the memory that everybody else works in. */
const MOST_BYTES = 256 * 1024 * 1024

export interface Place {
  readonly id: number
  readonly created_at: string
}

/** The condition of what follows a cursor. */
export const after = ({ after: cursor }: Page): ReadonlyArray<Condition> =>
  cursor === undefined
    ? []
    : [
        // The first bound is what lets the index be entered at the cursor; the second decides among rows of one instant.
        { text: "created_at <= ?", values: [cursor.createdAt] },
        { text: "(created_at, id) < (?, ?)", values: [cursor.createdAt, cursor.id] },
      ]

export const NEWEST_FIRST = "ORDER BY created_at DESC, id DESC"

/**
 * Where the rows of a page are, newest first, by a walk along one index in its order. With `glance` the walk ends after so many
 * rows of the index, whether or not they match.
 */
export const places = (filter: RunFilter, page: Page, glance?: number): Query => {
  const path = newestFirst(filter)
  const names = given(filter)
  const entered = all([
    { text: path.also, values: [] },
    where(
      filter,
      names.filter((name) => path.answered.includes(name)),
    ),
    ...after(page),
  ])
  const rest = names.filter((name) => !path.answered.includes(name))
  const matching = where(filter, rest)
  const bounds = [page.limit ?? -1, page.offset ?? 0]
  const from = `FROM runs INDEXED BY ${path.index} WHERE ${entered.text}`
  if (glance === undefined || rest.length === 0) {
    return {
      text: `SELECT id, created_at ${from} AND ${WHILE_WANTED} AND ${matching.text} ${NEWEST_FIRST} LIMIT ? OFFSET ?`,
      values: [...entered.values, ...matching.values, ...bounds],
    }
  }
  const columns = ["id", "created_at", "run_id", "parent_run_id", "trace_id", "agent_name", "job_type", "status"]
  const met = [...columns, "product", "model", "start_time"].join(", ")
  return {
    text: `SELECT id, created_at FROM (SELECT ${met} ${from} ${NEWEST_FIRST} LIMIT ?) WHERE ${matching.text} LIMIT ? OFFSET ?`,
    values: [...entered.values, glance, ...matching.values, ...bounds],
  }
}

/** How many rows an index holds of a filter that it answers, counted up to `most`. */
const held = (db: Database, filter: RunFilter, page: Page, most: number): number => {
  const path = newestFirst(filter)
  const names = given(filter).filter((name) => path.answered.includes(name))
  const { text, values } = all([{ text: path.also, values: [] }, where(filter, names), ...after(page)])
  const [row] = db.all<{ readonly n: number }>({
    text: `SELECT count(*) AS n FROM (SELECT 1 FROM runs INDEXED BY ${path.index} WHERE ${text} LIMIT ?)`,
    values: [...values, most],
  })
  return row?.n ?? 0
}

/** How many rows match, when few enough are met on the way to know; `undefined` when there may be more. */
export const countAtGlance = (db: Database, filter: RunFilter): number | undefined => {
  const met = held(db, filter, {}, GLANCE + 1)
  if (met > GLANCE) return undefined
  return isAnswered(filter, newestFirst(filter)) ? met : db.all(places(filter, {}, GLANCE)).length
}

/** How many rows match, by a walk along one index: as long as there are rows. */
export const countByRows = (db: Database, filter: RunFilter): number => {
  const path = newestFirst(filter)
  const { text, values } = all([{ text: path.also, values: [] }, where(filter, given(filter))])
  const [row] = db.all<{ readonly n: number }>({
    text: `SELECT count(*) AS n FROM runs INDEXED BY ${path.index} WHERE ${WHILE_WANTED} AND ${text}`,
    values,
  })
  return row?.n ?? 0
}

const ROW = `SELECT ${RUN_SELECTION} FROM runs WHERE id = ?`

/** How large a row is, told without reading it: its long columns. */
const WEIGHT = [
  "metrics_json",
  "context_json",
  "exact_json",
  "input_summary",
  "output_summary",
  "error_summary",
  "error_details",
]
  .map((column) => `coalesce(octet_length(${column}), 0)`)
  .join(" + ")
const WEIGHTS = `SELECT id, ${WEIGHT} AS bytes FROM runs WHERE id IN (SELECT value FROM json_each(?))`

/** Rows and bytes that are fetched at once: more would have the database ask for new memory each time. */
const ROWS_AT_ONCE = 100
const BYTES_AT_ONCE = 1024 * 1024

/** Bytes that the JSON of a row has room for beside its long columns. */
const ROOM_BESIDE = 1536

/** A page of so many rows; one that is a `part` of a stream may end earlier, when its rows are large. */
export type BoundedPage = Page & { readonly limit: number; readonly part?: boolean }

export const nextOf = ({ id, created_at }: Place): Cursor => ({ createdAt: created_at, id })

type Weights = ReadonlyArray<readonly [id: number, bytes: number]>

/** How large the rows at some places are, in their order. */
const weightsOf = (db: Database, here: ReadonlyArray<Place>): Weights => {
  const text = JSON.stringify(here.map(({ id }) => id))
  const found = db.all<{ readonly id: number; readonly bytes: number }>({ text: WEIGHTS, values: [text] })
  const bytes = new Map(found.map((row) => [row.id, row.bytes]))
  return here.map(({ id }) => [id, bytes.get(id) ?? 0])
}

const sum = (weights: Weights): number => weights.reduce((total, [, bytes]) => total + bytes, 0)

/** The rows at some places, `limit` of them; one place more tells that others follow. */
const rowsAt = (
  db: Database,
  found: ReadonlyArray<Place>,
  { limit, part = false }: BoundedPage,
  separator: string,
  weights = weightsOf(db, found.slice(0, limit)),
): RowsBytes => {
  const out = new JsonBytes(Math.min(sum(weights), PART_BYTES) + weights.length * ROOM_BESIDE)
  let [rows, looked] = [0, 0]
  for (const lot of RowBytes.lots(weights, ROWS_AT_ONCE, BYTES_AT_ONCE)) {
    if (part && out.length >= PART_BYTES) break
    db.checkWanted()
    rows += RowBytes.writeRows(out, RowBytes.rowBytes(db, lot), lot, separator, rows > 0)
    if (!part && out.length > MOST_BYTES)
      throw new TooLarge(`${limit} rows are more than ${MOST_BYTES} bytes: ask for fewer rows at a time`)
    looked += lot.length
  }
  const last = found[looked - 1]
  return { json: out.done(), rows, next: found.length > looked && last !== undefined ? nextOf(last) : undefined }
}

/** The same when they have no more bytes than `most`; `undefined` when they have. */
const lightRowsAt = (
  db: Database,
  found: ReadonlyArray<Place>,
  wanted: BoundedPage,
  separator: string,
  most: number,
): RowsBytes | undefined => {
  const weights = weightsOf(db, found.slice(0, wanted.limit))
  return sum(weights) > most ? undefined : rowsAt(db, found, wanted, separator, weights)
}

const oneMore = (page: BoundedPage): Page => ({ ...page, limit: page.limit + 1 })

/** One page of rows, newest first, on one snapshot. */
export const page = (db: Database, filter: RunFilter, wanted: BoundedPage, separator: string): RowsBytes =>
  db.snapshot(() => rowsAt(db, db.all<Place>(places(filter, oneMore(wanted))), wanted, separator))

/** The same when the rows are so small that nobody has to wait long for it; `undefined` when they are not. */
export const briefPage = (
  db: Database,
  filter: RunFilter,
  wanted: BoundedPage,
  separator: string,
): RowsBytes | undefined =>
  db.snapshot(() => lightRowsAt(db, db.all<Place>(places(filter, oneMore(wanted))), wanted, separator, BRIEF_BYTES))

/** The same, when few and small rows need to be met for it; `undefined` when it may take long. */
export const pageAtGlance = (
  db: Database,
  filter: RunFilter,
  wanted: BoundedPage,
  separator: string,
): RowsBytes | undefined => {
  if (wanted.limit > SHORT_PAGE || (wanted.offset ?? 0) > GLANCE) return undefined
  return db.snapshot(() => {
    const found = db.all<Place>(places(filter, oneMore(wanted), GLANCE))
    const isKnown =
      found.length > wanted.limit ||
      isAnswered(filter, newestFirst(filter)) ||
      held(db, filter, wanted, GLANCE + 1) <= GLANCE
    return isKnown ? lightRowsAt(db, found, wanted, separator, SHORT_BYTES) : undefined
  })
}

/** The row with an event_id, else the newest of a run_id. */
export const get = (db: Database, id: string) => {
  const [row] = [
    ...db.all<RunRow>({ text: `SELECT ${RUN_SELECTION} FROM runs WHERE event_id = ?`, values: [id] }),
    ...db
      .all<Place>(places({ run_id: id }, { limit: 1 }))
      .flatMap((place) => db.all<RunRow>({ text: ROW, values: [place.id] })),
  ]
  return row === undefined ? undefined : toRecord(row)
}
