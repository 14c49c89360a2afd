import { existsSync } from "node:fs"
import * as Reactivity from "@effect/experimental/Reactivity"
import type * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { RunStoreError } from "../services/RunStore.js"
import type { DatabaseReport } from "../src/domain/DatabaseReport.js"
import * as FileProblem from "./FileProblem.js"

const MAX_PROBLEMS = 20

const BEARING = "CASE WHEN job_type = 'llm_call' AND bears = 1"

const failed = (path: string, reason: string, cause?: unknown): RunStoreError =>
  new RunStoreError({ operation: "check", message: `The database ${path} cannot be checked (${reason}).`, cause })

/**
 * Looking at a database in WAL mode makes the log's files beside it, and only a connection that may write takes them away
 * again when it closes. Where they stand already a server has it open, or died: they are left as they are.
 */
export const open = (path: string) =>
  SqliteClient.make({ filename: path, readonly: existsSync(`${path}-wal`), disableWAL: true })

const MEASURES = [
  { name: "rows", inRollups: "rows", inRuns: "1" },
  { name: "tokens", inRollups: "total_tokens", inRuns: `${BEARING} THEN total_tokens END` },
  {
    name: "nano-dollars",
    inRollups: "cost_nanousd",
    inRuns: `${BEARING} AND cost_status = 'priced' THEN cost_nanousd END`,
  },
]

/** Beyond this a sum of floats is not exact. */
const TOLERANCE = 1e-9

/** What the roll-ups say otherwise than the rows do; nothing of a database whose version had none. */
const unequalSums = (sql: SqlClient.SqlClient) =>
  Effect.gen(function* () {
    const tables = yield* sql`SELECT 1 FROM sqlite_master WHERE name = 'rollups'`
    if (tables.length === 0) return []
    const problems = yield* Effect.forEach(MEASURES, ({ name, inRollups, inRuns }) =>
      Effect.map(
        sql.unsafe<{ readonly kept: number; readonly counted: number }>(
          `SELECT (SELECT total(${inRollups}) FROM rollups WHERE span = 'day') AS kept, (SELECT total(${inRuns}) FROM runs) AS counted`,
        ),
        ([sums]) => {
          const { kept, counted } = sums ?? { kept: 0, counted: 0 }
          return Math.abs(kept - counted) <= TOLERANCE * Math.abs(counted)
            ? []
            : [`the roll-ups count ${kept} ${name}, the rows ${counted}`]
        },
      ),
    )
    return problems.flat()
  })

/** Whether what is freed can go back to the disk; databases of older versions cannot do that until they are written anew. */
const canShrink = (sql: SqlClient.SqlClient) =>
  Effect.map(sql<{ readonly auto_vacuum: number }>`PRAGMA auto_vacuum`, ([row]) => row?.auto_vacuum === 2)

/**
 * SQLite's own full check of a database file: pages, indexes, constraints; then whether the roll-ups are the sums of the rows. Takes seconds for a million rows and blocks this
 * process meanwhile. Never makes a file that is not there, never changes one. Fails with {@link RunStoreError} when it cannot
 * be opened at all; a file that is damaged, or no database, is a problem in the report.
 */
export const check = (path: string): Effect.Effect<DatabaseReport, RunStoreError> =>
  Effect.gen(function* () {
    if (!existsSync(path)) return yield* failed(path, "there is no such file")
    const sql = yield* open(path)
    yield* sql`PRAGMA query_only = ON`
    const [row] = yield* sql<{ readonly version: string }>`SELECT sqlite_version() AS version`
    const found = yield* sql<{
      readonly integrity_check: string
    }>`PRAGMA integrity_check(${sql.literal(String(MAX_PROBLEMS))})`.pipe(
      Effect.map((rows) => rows.map((line) => line.integrity_check).filter((line) => line !== "ok")),
      Effect.catchAll((error) => Effect.succeed([FileProblem.reason(error)])),
    )
    const sums = found.length > 0 ? [] : yield* unequalSums(sql)
    return { sqlite: row?.version ?? "unknown", problems: [...found, ...sums], canShrink: yield* canShrink(sql) }
  }).pipe(
    Effect.scoped,
    Effect.provide(Reactivity.layer),
    Effect.catchAllCause((cause) => {
      if (Cause.isInterruptedOnly(cause)) return Effect.interrupt
      const squashed = Cause.squash(cause)
      return Effect.fail(
        squashed instanceof RunStoreError ? squashed : failed(path, FileProblem.reason(squashed), squashed),
      )
    }),
  )
