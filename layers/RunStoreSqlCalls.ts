import type { Page } from "../services/RunStore.js"
import { CALL_JOB_TYPE } from "../src/domain/CallMeasure.js"
import { CALL_CONTEXT, CALL_FIELDS } from "../src/domain/CallRecord.js"
import type { RunFilter } from "../src/domain/Run.js"
import { type Database, type Query, WHILE_WANTED } from "./RunStoreSqlDatabase.js"
import { PageBytes } from "./RunStoreSqlPageBytes.js"
import { after, NEWEST_FIRST, nextOf, PART_BYTES, type Place, type RowsBytes } from "./RunStoreSqlQueries.js"
import { all, type Condition, given, newestFirst, where } from "./RunStoreSqlWhere.js"

/** Which calls are asked for: those of a filter from a place on, under a run when one is named. */
export interface Asked {
  readonly filter: RunFilter
  readonly under: string | undefined
  readonly after: Page["after"]
  readonly limit: number
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

const below = (runId: string | undefined): ReadonlyArray<Condition> =>
  runId === undefined ? [] : [{ text: FAMILY, values: [runId] }]

/** Where the calls of a page are: leaves alone, along one index. */
const places = ({ filter, under, after: cursor, limit }: Asked): Query => {
  const wanted: RunFilter = { ...filter, job_type: CALL_JOB_TYPE }
  const path = under === undefined ? newestFirst(wanted) : { index: "runs_run", also: "run_id IS NOT NULL" }
  const { text, values } = all([
    { text: path.also, values: [] },
    where(wanted, given(wanted)),
    ...below(under),
    ...after({ after: cursor }),
  ])
  return {
    text: `SELECT id, created_at FROM runs INDEXED BY ${path.index}
      WHERE ${WHILE_WANTED} AND ${text} AND bears = 1 ${NEWEST_FIRST} LIMIT ?`,
    values: [...values, limit + 1],
  }
}

const CONTEXT = CALL_CONTEXT.map(
  (name, place) => `'${place === 0 ? "{" : ","}"${name}":', coalesce(context_json -> '$.${name}', 'null')`,
).join(", ")

const MEMBERS = CALL_FIELDS.map((name, place) => {
  const key = `'${place === 0 ? "{" : ","}"${name}":'`
  if (name === "metrics_json") return `${key}, coalesce(metrics_json, 'null')`
  return name === "context_json" ? `${key}, ${CONTEXT}, '}'` : `${key}, json_quote(${name})`
})

const CALL = `SELECT exact_json, concat(${MEMBERS.join(", ")}, '}') FROM runs WHERE id = ?`

/** The call as one line. Texts that no column holds exactly take the place of those in the columns. */
const lineOf = (exact: unknown, text: unknown): string => {
  if (typeof exact !== "string") return `${text}\n`
  const kept: Readonly<Record<string, unknown>> = JSON.parse(exact)
  const known = CALL_FIELDS.filter((name) => Object.hasOwn(kept, name)).map((name) => [name, kept[name]])
  return `${JSON.stringify({ ...JSON.parse(String(text)), ...Object.fromEntries(known) })}\n`
}

/** Calls that bear their own cost, newest first, each a `CallRecord` on a line; on one snapshot. */
export const page = (db: Database, asked: Asked): RowsBytes =>
  db.snapshot(() => {
    const found = db.all<Place>(places(asked))
    const out = new PageBytes("")
    let last: Place | undefined
    let looked = 0
    for (const place of found.slice(0, asked.limit)) {
      if (out.length >= PART_BYTES) break
      db.checkWanted()
      for (const [exact, text] of db.values({ text: CALL, values: [place.id] })) out.row(lineOf(exact, text))
      looked += 1
      last = place
    }
    return {
      json: out.done(),
      rows: out.rows,
      next: found.length > looked && last !== undefined ? nextOf(last) : undefined,
    }
  })
