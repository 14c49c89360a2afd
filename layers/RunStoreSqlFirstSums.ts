import type * as SqlClient from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { Connection } from "./RunStoreSqlConnection.js"
import * as InnerCalls from "./RunStoreSqlInnerCalls.js"
import * as Rollups from "./RunStoreSqlRollups.js"
import { cellsOf, placeOf, type Row, withCells } from "./RunStoreSqlRows.js"

/** The tables beside `runs` that its writes keep. */
export const TABLES: ReadonlyArray<string> = [
  `CREATE TABLE revisions (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL,
    store TEXT NOT NULL
  )`,
  `CREATE TABLE rollups (
    span TEXT NOT NULL,
    bucket TEXT NOT NULL,
    series TEXT NOT NULL,
    job_type TEXT NOT NULL,
    model TEXT,
    provider TEXT,
    status TEXT NOT NULL,
    product TEXT,
    rows INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    total_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL,
    cache_write_1h_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_nanousd INTEGER NOT NULL,
    simulated_cost_nanousd INTEGER NOT NULL,
    unpriced_calls INTEGER NOT NULL,
    replayed_calls INTEGER NOT NULL,
    latency BLOB,
    time_to_first_token BLOB,
    PRIMARY KEY (span, bucket, series)
  ) WITHOUT ROWID`,
  "CREATE TABLE agents (agent_name TEXT PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID",
  "CREATE TABLE job_types (job_type TEXT PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID",
  "CREATE TABLE inner_calls (place TEXT PRIMARY KEY, calls INTEGER NOT NULL) WITHOUT ROWID",
]

/** Rows in memory at a time. */
const ROWS_AT_ONCE = 1000

const BEARS = placeOf("bears")

type NumberedRow = Row & { readonly id: number }

/** The rows in their order, some at a time. */
const eachLot = (
  sql: SqlClient.SqlClient,
  use: (rows: ReadonlyArray<NumberedRow>) => Effect.Effect<void, SqlError>,
): Effect.Effect<void, SqlError> => {
  const from = (id: number): Effect.Effect<void, SqlError> =>
    Effect.gen(function* () {
      const rows = yield* sql<NumberedRow>`SELECT * FROM runs WHERE id >= ${id} ORDER BY id LIMIT ${ROWS_AT_ONCE}`
      yield* use(rows)
      const last = rows.at(-1)
      if (last !== undefined && rows.length === ROWS_AT_ONCE) yield* from(last.id + 1)
    })
  return from(Number.MIN_SAFE_INTEGER)
}

/**
 * Fills the tables of {@link TABLES}, which are empty, from the rows that are there, and puts the mark on calls that bear
 * nothing. Some rows at a time, twice: which calls have others inside is known only when all were seen. Meant for a transaction.
 */
export const fill = (sql: Connection): Effect.Effect<void, SqlError> =>
  Effect.gen(function* () {
    const inner = InnerCalls.make(sql.statements)
    const keepSums = Rollups.make(sql.statements)
    const attempt = (work: () => void) =>
      Effect.try({ try: work, catch: (cause) => new SqlError({ cause, message: "The rows could not be summed up" }) })

    yield* eachLot(sql, (rows) =>
      attempt(() => inner.save(InnerCalls.differences(rows.map((row) => ({ before: null, after: cellsOf(row) }))))),
    )
    yield* eachLot(sql, (rows) =>
      attempt(() => {
        const held = rows.map((row) => ({ id: row.id, cells: cellsOf(row) }))
        const counts = inner.load(held.flatMap(({ cells }) => InnerCalls.deciding(cells)))
        const settled = held.map(({ id, cells }) => ({
          id,
          cells: withCells(cells, { bears: InnerCalls.bears(cells, counts) }),
        }))
        const bare = settled.flatMap(({ id, cells }) => (cells[BEARS] === 0 ? [id] : []))
        if (bare.length > 0) {
          sql.statements.run("UPDATE runs SET bears = 0 WHERE id IN (SELECT value FROM json_each(?))", [
            JSON.stringify(bare),
          ])
        }
        keepSums(settled.map(({ cells }) => ({ before: null, after: cells })))
      }),
    )
  })
