import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import { billedAttempts } from "../src/domain/CallParts.js"
import * as Batch from "./RunStoreSqlBatch.js"
import { assign, type Row } from "./RunStoreSqlRows.js"
import type * as Writes from "./RunStoreSqlWrites.js"

/** A context below this stays: there is little to win. */
const SMALL_BYTES = 1024

/** What of a context still says where the row belongs and what was asked of whom. */
const KEPT = [
  "trace_id",
  "span_id",
  "parent_span_id",
  "call_id",
  "model",
  "provider",
  "worker",
  "prompt_hash",
  "evidence_path",
]

/** Of these it says at least that there was none: who answered, and which attempts are billed, decides what the call costs. */
const priced = (context: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const attempts = billedAttempts(context["attempts"])
  return { response_model: context["response_model"] ?? null, ...(attempts.length === 0 ? {} : { attempts }) }
}

type FoundRow = Row & { readonly event_id: string; readonly context_json: string | null }

const isLarge = (context: string | null): context is string =>
  context !== null && Buffer.byteLength(context) > SMALL_BYTES

const slim = (context: string): Record<string, unknown> => {
  const parsed: Record<string, unknown> = JSON.parse(context)
  return Object.fromEntries([
    ...KEPT.filter((name) => Object.hasOwn(parsed, name)).map((name) => [name, parsed[name]]),
    ...Object.entries(priced(parsed)),
    ["bodies_pruned", true],
  ])
}

/**
 * Takes summaries, details and large contexts out of rows that have ended, and leaves every figure; meant for one transaction.
 * A context keeps its ids, and says `bodies_pruned`.
 */
export const make =
  (sql: SqlClient.SqlClient, writes: Pick<ReturnType<typeof Writes.make>, "saveRows">) =>
  (eventIds: ReadonlyArray<string>): Effect.Effect<void, SqlError> =>
    Effect.gen(function* () {
      const rows = yield* sql<FoundRow>`SELECT * FROM runs
        WHERE event_id IN (SELECT value FROM json_each(${JSON.stringify(eventIds)})) AND status <> 'running'
          AND (coalesce(input_summary, output_summary, error_details) IS NOT NULL OR (
            octet_length(context_json) > ${SMALL_BYTES} AND json_extract(context_json, '$.bodies_pruned') IS NULL))`
      const emptied = rows.map((row) => {
        const texts = { input_summary: null, output_summary: null, error_details: null }
        const fields = isLarge(row.context_json) ? { ...texts, context_json: slim(row.context_json) } : texts
        const held = Batch.hold(row)
        held.cells = assign(held.cells, fields)
        held.dirty = true
        return [row.event_id, held] as const
      })
      yield* writes.saveRows({ rows: new Map(emptied) })
    })
