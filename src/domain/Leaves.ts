import { CALL_JOB_TYPE } from "./CallMeasure.js"
import type { RunRecord } from "./Run.js"

/** What of a row says which call it ran inside of, and which ran inside of it. */
export interface Placed {
  readonly run_id: string
  readonly parent_run_id: string | null
  readonly job_type: string
  /** Names the span of the row, and the one around it, among all traces; undefined when the row names none. */
  readonly span: string | undefined
  readonly parentSpan: string | undefined
}

/** The name of a span among all traces. */
export const spanName = (traceId: unknown, spanId: unknown): string | undefined =>
  typeof spanId === "string" && spanId !== "" ? `${typeof traceId === "string" ? traceId : ""}/${spanId}` : undefined

/** Where a row stands. */
export const placed = (row: Pick<RunRecord, "run_id" | "parent_run_id" | "job_type" | "context_json">): Placed => {
  const context = row.context_json ?? {}
  const spanAt = (field: string) => spanName(context["trace_id"], context[field])
  return {
    run_id: row.run_id,
    parent_run_id: row.parent_run_id,
    job_type: row.job_type,
    span: spanAt("span_id"),
    parentSpan: spanAt("parent_span_id"),
  }
}

const isCall = (row: Placed): boolean => row.job_type === CALL_JOB_TYPE

/** A span or a run that calls can be inside of. */
const spanPlace = (span: string | undefined) => (span === undefined ? undefined : `s${span}`)
const runPlace = (run: string | null) => (run === null ? undefined : `r${run}`)

const own = (row: Placed) => [spanPlace(row.span), runPlace(row.run_id)]
const outer = (row: Placed) => [spanPlace(row.parentSpan), runPlace(row.parent_run_id)]

/**
 * Which of some rows bear tokens and cost: the leaves, calls that no other call names as the span or the run around it.
 * Usage of anything else (a worker's own sums, a call that made calls) is kept with its row and never added. The answer
 * holds among these rows.
 */
export const among = (rows: Iterable<Placed>): ((row: Placed) => boolean) => {
  const inside = new Map<string, number>()
  for (const row of rows) {
    if (!isCall(row)) continue
    for (const place of outer(row)) if (place !== undefined) inside.set(place, (inside.get(place) ?? 0) + 1)
  }
  return (row) => {
    if (!isCall(row)) return false
    const around = outer(row)
    return !own(row).some(
      // A call that names itself is inside of no other one.
      (place, index) => place !== undefined && (inside.get(place) ?? 0) > (around[index] === place ? 1 : 0),
    )
  }
}
