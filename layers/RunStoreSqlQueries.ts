import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import type * as Statement from "@effect/sql/Statement"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Page, StoreInfo } from "../services/RunStore.js"
import type { RunFilter, RunRecord } from "../src/domain/Run.js"
import type { Metadata, Metrics } from "../src/domain/Stats.js"
import { fromMillis } from "../src/domain/Timestamp.js"
import { RUN_SELECTION, type RunRow, toRecord } from "./RunStoreSqlRows.js"

const STREAM_ROWS = 500
const DAY_MILLIS = 24 * 60 * 60 * 1000

/** The condition of a filter over the columns of `runs`. */
export const where = (sql: SqlClient.SqlClient, filter: RunFilter): Statement.Fragment => {
  const conditions: Array<Statement.Fragment> = []
  if (filter.run_id !== undefined) conditions.push(sql`run_id = ${filter.run_id}`)
  if (filter.parent_run_id !== undefined) conditions.push(sql`parent_run_id = ${filter.parent_run_id}`)
  if (filter.trace_id !== undefined) conditions.push(sql`trace_id = ${filter.trace_id}`)
  if (filter.agent_name !== undefined) conditions.push(sql`agent_name = ${filter.agent_name}`)
  if (filter.job_type !== undefined) conditions.push(sql`job_type = ${filter.job_type}`)
  if (filter.status !== undefined) conditions.push(sql`status = ${filter.status}`)
  if (filter.product !== undefined) conditions.push(sql`product = ${filter.product}`)
  if (filter.model !== undefined) conditions.push(sql`model = ${filter.model}`)
  if (filter.created_after !== undefined) conditions.push(sql`created_at > ${filter.created_after}`)
  if (filter.created_before !== undefined) conditions.push(sql`created_at < ${filter.created_before}`)
  if (filter.start_time_from !== undefined) conditions.push(sql`start_time >= ${filter.start_time_from}`)
  if (filter.start_time_to !== undefined) conditions.push(sql`start_time <= ${filter.start_time_to}`)
  return conditions.length === 0 ? sql.literal("1 = 1") : sql.and(conditions)
}

type Cursor = NonNullable<Page["after"]>

/** Every row that `list` has, page by page from where the last one ended, so that no page is held longer than it is read. */
export const stream = <E>(
  list: (page: Page) => Effect.Effect<ReadonlyArray<RunRecord>, E>,
): Stream.Stream<RunRecord, E> =>
  Stream.paginateChunkEffect(undefined, (after: Cursor | undefined) =>
    list({ limit: STREAM_ROWS, after }).pipe(
      Effect.map((rows) => {
        const last = rows.at(-1)
        const next =
          rows.length === STREAM_ROWS && last !== undefined
            ? Option.some<Cursor>({ createdAt: last.created_at, id: last.id })
            : Option.none<Cursor>()
        return [Chunk.unsafeFromArray(rows), next] as const
      }),
    ),
  )

/** The reading half of the store. */
export const make = (sql: SqlClient.SqlClient, info: StoreInfo) => {
  const selection = sql.literal(RUN_SELECTION)

  const list = (filter: RunFilter, page: Page): Effect.Effect<ReadonlyArray<RunRecord>, SqlError> => {
    const after =
      page.after === undefined
        ? sql.literal("1 = 1")
        : sql`(created_at, id) < (${page.after.createdAt}, ${page.after.id})`
    return sql<RunRow>`SELECT ${selection} FROM runs WHERE ${where(sql, filter)} AND ${after}
      ORDER BY created_at DESC, id DESC LIMIT ${page.limit ?? -1} OFFSET ${page.offset ?? 0}`.pipe(
      Effect.map((rows) => rows.map(toRecord)),
    )
  }

  const count = (filter: RunFilter) =>
    sql<{ readonly n: number }>`SELECT count(*) AS n FROM runs WHERE ${where(sql, filter)}`.pipe(
      Effect.map(([row]) => row?.n ?? 0),
    )

  const get = (id: string) =>
    sql<RunRow>`SELECT ${selection} FROM runs WHERE event_id = ${id}`.pipe(
      Effect.flatMap((rows) =>
        rows.length > 0
          ? Effect.succeed(rows)
          : sql<RunRow>`SELECT ${selection} FROM runs WHERE run_id = ${id} ORDER BY created_at DESC, id DESC LIMIT 1`,
      ),
      Effect.map(([row]) => Option.map(Option.fromNullable(row), toRecord)),
    )

  const family = (runId: string) =>
    sql<RunRow>`WITH RECURSIVE family (member) AS (
        SELECT ${runId}
        UNION
        SELECT runs.run_id FROM runs JOIN family ON runs.parent_run_id = family.member
      )
      SELECT ${selection} FROM runs WHERE run_id IN (SELECT member FROM family)
        AND EXISTS (SELECT 1 FROM runs WHERE run_id = ${runId})`.pipe(Effect.map((rows) => rows.map(toRecord)))

  const distinct = (column: "agent_name" | "job_type") =>
    sql<{ readonly name: string; readonly n: number }>`SELECT ${sql(column)} AS name, count(*) AS n FROM runs
      GROUP BY ${sql(column)} ORDER BY ${sql(column)}`

  const dataVersion = sql<{ readonly data_version: number }>`PRAGMA data_version`.pipe(
    Effect.map(([row]) => row?.data_version ?? 0),
  )

  let known: { readonly version: number; readonly metadata: Metadata } | undefined

  const metadata: Effect.Effect<Metadata, SqlError> = Effect.gen(function* () {
    const version = yield* dataVersion
    if (known?.version === version) return { ...known.metadata, cache_hit: true }
    const agents = yield* distinct("agent_name")
    const jobs = yield* distinct("job_type")
    const fresh: Metadata = {
      agent_names: agents.map((row) => row.name),
      job_types: jobs.map((row) => row.name),
      counts: { agent_names: agents.length, job_types: jobs.length },
      cache_hit: false,
    }
    known = { version, metadata: fresh }
    return fresh
  })

  const metrics = (nowMillis: number): Effect.Effect<Metrics, SqlError> =>
    Effect.gen(function* () {
      const agents = yield* distinct("agent_name")
      const [recent] = yield* sql<{ readonly n: number }>`
        SELECT count(*) AS n FROM runs WHERE created_at >= ${fromMillis(nowMillis - DAY_MILLIS)}`
      const [waiting] = yield* sql<{ readonly n: number }>`SELECT count(*) AS n FROM pending_updates`
      const [clients] = yield* sql<{ readonly dropped: number; readonly dead_letters: number }>`
        SELECT total(dropped) AS dropped, total(dead_letters) AS dead_letters FROM client_reports`
      const [size] = yield* sql<{ readonly bytes: number }>`
        SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()`
      return {
        total_runs: agents.reduce((sum, row) => sum + row.n, 0),
        agents: Object.fromEntries(agents.map((row) => [row.name, row.n])),
        recent_24h: recent?.n ?? 0,
        performance: {
          db_path: info.path,
          journal_mode: info.journalMode,
          synchronous: info.synchronous,
          db_bytes: size?.bytes ?? 0,
          pending_updates: waiting?.n ?? 0,
          client_dropped: clients?.dropped ?? 0,
          client_dead_letters: clients?.dead_letters ?? 0,
        },
      }
    })

  return { list, count, get, family, metadata, metrics }
}
