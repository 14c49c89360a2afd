import type { StoreInfo } from "../services/RunStore.js"
import type { RunFilter } from "../src/domain/Run.js"
import type { Metadata, Metrics } from "../src/domain/Stats.js"
import { fromMillis } from "../src/domain/Timestamp.js"
import { type Database, type Query, WHILE_WANTED } from "./RunStoreSqlDatabase.js"
import * as Queries from "./RunStoreSqlQueries.js"
import type { Cell } from "./RunStoreSqlRows.js"
import * as Sums from "./RunStoreSqlSums.js"
import { given } from "./RunStoreSqlWhere.js"

const DAY_MILLIS = 24 * 60 * 60 * 1000

const number = (db: Database, text: string, values: ReadonlyArray<Cell> = []): number =>
  db.all<{ readonly n: number | null }>({ text, values })[0]?.n ?? 0

/** What is counted with every write: all rows, those of a job type, those of an agent. */
const kept = (db: Database, filter: RunFilter): number | undefined => {
  const [name, ...others] = given(filter)
  if (others.length > 0) return undefined
  if (name === undefined) return number(db, "SELECT total(rows) AS n FROM job_types")
  if (name === "job_type")
    return number(db, "SELECT rows AS n FROM job_types WHERE job_type = ?", [filter[name] ?? null])
  if (name === "agent_name")
    return number(db, "SELECT rows AS n FROM agents WHERE agent_name = ?", [filter[name] ?? null])
  return undefined
}

/** How many rows match, when that is known within a few milliseconds; `undefined` when it may take longer. */
export const atGlance = (db: Database, filter: RunFilter): number | undefined =>
  db.snapshot(() => kept(db, filter) ?? Queries.countAtGlance(db, filter))

/** How many rows match: from what is counted with every write where that tells, else along an index. */
export const count = (db: Database, filter: RunFilter): number =>
  db.snapshot(() => {
    const known = kept(db, filter)
    if (known !== undefined) return known
    if (!Sums.areKept(filter)) return Queries.countByRows(db, filter)
    const { rollups, rows } = Sums.sources(filter)
    const sums: ReadonlyArray<Query> = [
      ...rollups.map(({ text, values }) => ({ text: `SELECT total(rows) AS n FROM rollups WHERE ${text}`, values })),
      ...rows.map(({ index, text, values }) => ({
        text: `SELECT count(*) AS n FROM runs INDEXED BY ${index} WHERE ${WHILE_WANTED} AND ${text}`,
        values,
      })),
    ]
    return sums.reduce((sum, { text, values }) => sum + number(db, text, values), 0)
  })

const names = (db: Database, table: "agents" | "job_types", column: "agent_name" | "job_type"): ReadonlyArray<string> =>
  db
    .values({ text: `SELECT ${column} FROM ${table} ORDER BY ${column}`, values: [] })
    .flatMap(([name]) => (typeof name === "string" ? [name] : []))

/** Every change of a row has a number; the last one given tells whether anything was written since. */
export const version = (db: Database): number => number(db, "SELECT last AS n FROM revisions")

/** The names that exist, and the version of the store that they were read from. */
export const metadata = (db: Database): { readonly version: number; readonly metadata: Metadata } =>
  db.snapshot(() => {
    const agents = names(db, "agents", "agent_name")
    const jobs = names(db, "job_types", "job_type")
    return {
      version: version(db),
      metadata: {
        agent_names: agents,
        job_types: jobs,
        counts: { agent_names: agents.length, job_types: jobs.length },
        cache_hit: false,
      },
    }
  })

/** The store at a glance; `nowMillis` decides what the last 24 hours are. */
export const metrics = (db: Database, info: StoreInfo, nowMillis: number): Metrics =>
  db.snapshot(() => {
    const agents = db.all<{ readonly name: string; readonly n: number }>({
      text: "SELECT agent_name AS name, rows AS n FROM agents ORDER BY agent_name",
      values: [],
    })
    const [clients] = db.all<{ readonly dropped: number; readonly dead_letters: number }>({
      text: "SELECT total(dropped) AS dropped, total(dead_letters) AS dead_letters FROM client_reports",
      values: [],
    })
    return {
      total_runs: number(db, "SELECT total(rows) AS n FROM job_types"),
      agents: Object.fromEntries(agents.map(({ name, n }) => [name, n])),
      recent_24h: number(db, "SELECT count(*) AS n FROM runs INDEXED BY runs_created WHERE created_at >= ?", [
        fromMillis(nowMillis - DAY_MILLIS),
      ]),
      performance: {
        db_path: info.path,
        journal_mode: info.journalMode,
        synchronous: info.synchronous,
        db_bytes: number(db, "SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()"),
        pending_updates: number(db, "SELECT count(*) AS n FROM pending_updates"),
        client_dropped: clients?.dropped ?? 0,
        client_dead_letters: clients?.dead_letters ?? 0,
      },
    }
  })
