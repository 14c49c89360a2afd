import { type CallMeasure, measure } from "../src/domain/CallMeasure.js"
import { commitUrl, repoUrl } from "../src/domain/CommitUrl.js"
import { isPlainText, toPlainText } from "../src/domain/JsonText.js"
import { type RunCreate, type RunRecord, SCHEMA_VERSION } from "../src/domain/Run.js"

/** What a column holds. */
export type Cell = string | number | null

/** A row as the database keeps it: column by name. */
export type Row = Record<string, Cell>

/** The columns of a run as they are read back. */
export type RunRow = Omit<RunRecord, "metrics_json" | "context_json" | "api_posted" | "commit_url" | "repo_url"> & {
  readonly metrics_json: string | null
  readonly context_json: string | null
  readonly api_posted: number
  readonly exact_json: string | null
}

/** Fields of a run that a client may set. */
export type RunFields = { readonly [Name in keyof RunCreate]?: RunCreate[Name] | undefined }

const RUN_COLUMNS: ReadonlyArray<keyof RunRow> = [
  "id",
  "schema_version",
  "event_id",
  "run_id",
  "parent_run_id",
  "agent_name",
  "job_type",
  "status",
  "created_at",
  "updated_at",
  "start_time",
  "end_time",
  "duration_ms",
  "product",
  "product_family",
  "platform",
  "subdomain",
  "website",
  "website_section",
  "item_name",
  "items_discovered",
  "items_succeeded",
  "items_failed",
  "items_skipped",
  "input_summary",
  "output_summary",
  "source_ref",
  "target_ref",
  "error_summary",
  "error_details",
  "git_repo",
  "git_branch",
  "git_commit_hash",
  "git_run_tag",
  "git_commit_source",
  "git_commit_author",
  "git_commit_timestamp",
  "host",
  "environment",
  "trigger_type",
  "metrics_json",
  "context_json",
  "api_posted",
  "api_posted_at",
  "api_retry_count",
  "insight_id",
  "exact_json",
]

/** The select list of {@link RunRow}. */
export const RUN_SELECTION = RUN_COLUMNS.join(", ")

const ASSIGNABLE: ReadonlySet<string> = new Set(
  RUN_COLUMNS.filter((column) => !["id", "event_id", "schema_version", "updated_at", "exact_json"].includes(column)),
)

/** Tokens of a call by class, with their totals. */
export const TOKEN_COLUMNS: ReadonlyArray<string> = [
  "input_tokens",
  "output_tokens",
  "total_tokens",
  "cache_read_tokens",
  "cache_write_5m_tokens",
  "cache_write_1h_tokens",
  "reasoning_tokens",
]

/** Every column but the number that the database gives, in the order in which rows are written. */
export const STORED_COLUMNS: ReadonlyArray<string> = [
  ...RUN_COLUMNS.filter((column) => column !== "id"),
  "inferred",
  "trace_id",
  "span_id",
  "parent_span_id",
  "model",
  "provider",
  ...TOKEN_COLUMNS,
  "cost_nanousd",
  "cost_status",
  "time_to_first_token_ms",
]

/** The values of every stored column, in their order. */
export const cells = (row: Row): ReadonlyArray<Cell> => STORED_COLUMNS.map((name) => row[name] ?? null)

type Json = Readonly<Record<string, unknown>>

const parseObject = (text: string | null): Json | null => (text === null ? null : JSON.parse(text))

/** A stored row as the record that clients read. */
export const toRecord = (row: RunRow): RunRecord => {
  const { exact_json, ...fields } = row
  const exact: Partial<RunRecord> = parseObject(exact_json) ?? {}
  return {
    ...fields,
    ...exact,
    api_posted: row.api_posted === 1,
    metrics_json: parseObject(row.metrics_json),
    context_json: parseObject(row.context_json),
    commit_url: commitUrl(row.git_repo, row.git_commit_hash),
    repo_url: repoUrl(row.git_repo),
  }
}

const textAt = (context: Json | null, key: string): string | null => {
  const value = context !== null && Object.hasOwn(context, key) ? context[key] : null
  return typeof value === "string" && value !== "" ? toPlainText(value) : null
}

const contextCells = (context: Json | null): Row => ({
  trace_id: textAt(context, "trace_id"),
  span_id: textAt(context, "span_id"),
  parent_span_id: textAt(context, "parent_span_id"),
  model: textAt(context, "model"),
  provider: textAt(context, "provider"),
})

const measureCells = (metrics: Json | null): Row => {
  const call: CallMeasure = measure(metrics)
  return { ...call }
}

const cell = (value: string | number | boolean | null): Cell => (typeof value === "boolean" ? Number(value) : value)

/**
 * Puts fields into a row, the columns that filters and sums need along with them. A text that not every database takes (NUL,
 * lone surrogates) is stored plain in its column and exactly in `exact_json`, from where it is read back.
 */
export const assign = (row: Row, fields: RunFields): Row => {
  const next: Row = { ...row }
  const before = row["exact_json"]
  const exact: Record<string, string> = typeof before === "string" ? JSON.parse(before) : {}
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || !ASSIGNABLE.has(name)) continue
    delete exact[name]
    if (typeof value === "object" && value !== null) next[name] = JSON.stringify(value)
    else if (typeof value === "string" && !isPlainText(value)) {
      exact[name] = value
      next[name] = toPlainText(value)
    } else next[name] = cell(value)
  }
  if (fields.metrics_json !== undefined) Object.assign(next, measureCells(fields.metrics_json))
  if (fields.context_json !== undefined) Object.assign(next, contextCells(fields.context_json))
  next["exact_json"] = Object.keys(exact).length === 0 ? null : JSON.stringify(exact)
  return next
}

/** A new row of a run, not yet numbered. `createdAt` stands in when the client gave none. */
export const fromCreate = (run: RunCreate, createdAt: string): Row =>
  assign(
    { event_id: run.event_id, schema_version: SCHEMA_VERSION, updated_at: null, inferred: 0, exact_json: null },
    { ...run, created_at: run.created_at ?? createdAt },
  )
