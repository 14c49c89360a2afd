import type { Page } from "../services/RunStore.js"
import { CALL_JOB_TYPE } from "../src/domain/CallMeasure.js"
import { CALL_CONTEXT, CALL_FIELDS } from "../src/domain/CallRecord.js"
import type { RunFilter } from "../src/domain/Run.js"
import { type Database, type Query, WHILE_WANTED } from "./RunStoreSqlDatabase.js"
import { type Bytes, PageBytes } from "./RunStoreSqlPageBytes.js"
import { after, NEWEST_FIRST, nextOf, PART_BYTES, type Place, type RowsBytes } from "./RunStoreSqlQueries.js"
import { all, given, newestFirst, where } from "./RunStoreSqlWhere.js"

/** Which calls are asked for: those of a filter from a place on. */
export interface Asked {
  readonly filter: RunFilter
  readonly after: Page["after"]
  readonly limit: number
}

/** Which calls are asked for: those of a filter that a run made, and all that it started. */
export interface AskedUnder {
  readonly filter: RunFilter
  readonly under: string
}

/** Calls by their place in the store. */
export interface AskedAt {
  readonly ids: Float64Array<ArrayBuffer>
}

/** Some calls, each a `CallRecord` on a line, and how many of those that were asked for were looked at. */
export interface LinesBytes {
  readonly json: Bytes
  readonly looked: number
}

/** Runs that a run started, directly or not, and the run itself. */
const FAMILY = `run_id IN (
    WITH RECURSIVE family (member) AS (
      SELECT ?
      UNION
      SELECT runs.run_id FROM family CROSS JOIN runs INDEXED BY runs_parent ON runs.parent_run_id = family.member
      WHERE ${WHILE_WANTED}
    )
    SELECT member FROM family)`

const callsOf = (filter: RunFilter): RunFilter => ({ ...filter, job_type: CALL_JOB_TYPE })

/** Where the calls of a page are: leaves alone, along one index. */
const places = ({ filter, after: cursor, limit }: Asked): Query => {
  const wanted = callsOf(filter)
  const path = newestFirst(wanted)
  const { text, values } = all([
    { text: path.also, values: [] },
    where(wanted, given(wanted)),
    ...after({ after: cursor }),
  ])
  return {
    text: `SELECT id, created_at FROM runs INDEXED BY ${path.index}
      WHERE ${WHILE_WANTED} AND ${text} AND bears = 1 ${NEWEST_FIRST} LIMIT ?`,
    values: [...values, limit + 1],
  }
}

/**
 * Where all calls are that a run and its descendants made, newest first. The family is met once, at eight bytes a call: pages
 * that each met it anew would cost the square of it.
 */
export const idsUnder = (db: Database, { filter, under }: AskedUnder): Float64Array<ArrayBuffer> => {
  const wanted = callsOf(filter)
  const { text, values } = all([where(wanted, given(wanted)), { text: FAMILY, values: [under] }])
  const [[ids] = []] = db.values({
    text: `SELECT json_group_array(id ${NEWEST_FIRST}) FROM runs INDEXED BY runs_run
      WHERE ${WHILE_WANTED} AND run_id IS NOT NULL AND ${text} AND bears = 1`,
    values,
  })
  const found: unknown = JSON.parse(String(ids ?? "[]"))
  return Float64Array.from(Array.isArray(found) ? found : [])
}

/** Most attempts are not billed, and would only be sent along. */
const member = (name: string): string =>
  name === "attempts"
    ? `iif(instr(context_json, '"token_usage"') > 0, context_json -> '$.attempts', NULL)`
    : `context_json -> '$.${name}'`

const CONTEXT = CALL_CONTEXT.map(
  (name, place) => `'${place === 0 ? "{" : ","}"${name}":', coalesce(${member(name)}, 'null')`,
).join(", ")

const MEMBERS = CALL_FIELDS.map((name, place) => {
  const key = `'${place === 0 ? "{" : ","}"${name}":'`
  if (name === "metrics_json") return `${key}, coalesce(metrics_json, 'null')`
  return name === "context_json" ? `${key}, ${CONTEXT}, '}'` : `${key}, json_quote(${name})`
})

const CALL = `SELECT exact_json, concat(${MEMBERS.join(", ")}, '}') FROM runs WHERE id = ? AND bears = 1`

/** The call as one line. Texts that no column holds exactly take the place of those in the columns. */
const lineOf = (exact: unknown, text: unknown): string => {
  if (typeof exact !== "string") return `${text}\n`
  const kept: Readonly<Record<string, unknown>> = JSON.parse(exact)
  const known = CALL_FIELDS.filter((name) => Object.hasOwn(kept, name)).map((name) => [name, kept[name]])
  return `${JSON.stringify({ ...JSON.parse(String(text)), ...Object.fromEntries(known) })}\n`
}

const linesAt = (db: Database, ids: Iterable<number>): LinesBytes & { readonly rows: number } => {
  const out = new PageBytes("")
  let looked = 0
  for (const id of ids) {
    if (out.length >= PART_BYTES) break
    db.checkWanted()
    for (const [exact, text] of db.values({ text: CALL, values: [id] })) out.row(lineOf(exact, text))
    looked += 1
  }
  return { json: out.done(), rows: out.rows, looked }
}

/** Calls that bear their own cost, in the order in which they are asked for; those that went since are left out. */
export const at = (db: Database, { ids }: AskedAt): LinesBytes => {
  const { json, looked } = db.snapshot(() => linesAt(db, ids))
  return { json, looked }
}

/** Calls that bear their own cost, newest first, each a `CallRecord` on a line; on one snapshot. */
export const page = (db: Database, asked: Asked): RowsBytes =>
  db.snapshot(() => {
    const found = db.all<Place>(places(asked))
    const { json, rows, looked } = linesAt(
      db,
      found.slice(0, asked.limit).map(({ id }) => id),
    )
    const last = found[looked - 1]
    return { json, rows, next: found.length > looked && last !== undefined ? nextOf(last) : undefined }
  })
