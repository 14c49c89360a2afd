import { type CallMeasure, measure } from "../src/domain/CallMeasure.js"
import { commitUrl, repoUrl } from "../src/domain/CommitUrl.js"
import { isPlainText, toPlainText } from "../src/domain/JsonText.js"
import { TOKENS } from "../src/domain/Rollup.js"
import { type RunCreate, type RunRecord, SCHEMA_VERSION } from "../src/domain/Run.js"

/** What a column holds. */
export type Cell = string | number | null

/** A row as the database gives it: column by name. */
export type Row = Readonly<Record<string, Cell>>

/** The values of {@link STORED_COLUMNS} in their order. */
export type Cells = ReadonlyArray<Cell>

/** The columns of a run as they are read back. */
export type RunRow = Omit<RunRecord, "metrics_json" | "context_json" | "api_posted" | "commit_url" | "repo_url"> & {
  readonly metrics_json: string | null
  readonly context_json: string | null
  readonly api_posted: number
  readonly exact_json: string | null
}

/** Fields of a run that a client may set. */
export type RunFields = { readonly [Name in keyof RunCreate]?: RunCreate[Name] | undefined }

/** The columns of {@link RunRow} in the order of {@link RUN_SELECTION}. */
export const RUN_COLUMNS: ReadonlyArray<keyof RunRow> = [
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

const STORE_OWN: ReadonlyArray<string> = ["id", "event_id", "schema_version", "updated_at", "exact_json"]

/** Every column but the number that the database gives, in the order in which rows are written. */
export const STORED_COLUMNS: ReadonlyArray<string> = [
  ...RUN_COLUMNS.filter((column) => column !== "id"),
  "inferred",
  "received_at",
  "trace_id",
  "span_id",
  "parent_span_id",
  "model",
  "provider",
  ...TOKENS,
  "cost_nanousd",
  "cost_status",
  "time_to_first_token_ms",
  "bears",
  "revision",
]

const PLACES: ReadonlyMap<string, number> = new Map(STORED_COLUMNS.map((name, index) => [name, index]))

/** Where a column stands among {@link Cells}. */
export const placeOf = (column: string): number => PLACES.get(column) ?? -1

const EXACT = placeOf("exact_json")

/** The fields that a client may set, each with its place. */
const ASSIGNABLE = RUN_COLUMNS.flatMap(
  (column): ReadonlyArray<readonly [keyof RunFields, number]> =>
    STORE_OWN.includes(column) ? [] : [[column as keyof RunFields, placeOf(column)]],
)

const NO_CELLS: Cells = STORED_COLUMNS.map(() => null)

/** The stored values of a row that was read. */
export const cellsOf = (row: Row): Cells => STORED_COLUMNS.map((name) => row[name] ?? null)

/** The select list of {@link Cells}. */
export const STORED_SELECTION = STORED_COLUMNS.join(", ")

/** The cells of a row that was read as the values of {@link STORED_SELECTION}. */
export const cellsOfValues = (values: ReadonlyArray<unknown>): Cells =>
  values.map((value) => (typeof value === "string" || typeof value === "number" ? value : null))

/** The cells with some columns replaced. */
export const withCells = (cells: Cells, columns: Row): Cells => {
  const next = [...cells]
  for (const [name, value] of Object.entries(columns)) next[placeOf(name)] = value
  return next
}

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

const CONTEXT_PLACES = ["trace_id", "span_id", "parent_span_id", "model", "provider"].map(
  (name) => [name, placeOf(name)] as const,
)

const MEASURE_PLACES = (
  [...TOKENS, "cost_nanousd", "cost_status", "time_to_first_token_ms"] as ReadonlyArray<keyof CallMeasure>
).map((name) => [name, placeOf(name)] as const)

const cell = (value: string | number | boolean | null): Cell => (typeof value === "boolean" ? Number(value) : value)

/** Texts that no column can hold exactly, by the name of their field. */
type Exact = Record<string, string>

/** Puts fields into cells, and gives what of these and of those before no column can hold exactly. */
const put = (next: Array<Cell>, fields: RunFields, before: Exact | undefined): Exact | undefined => {
  let exact = before
  for (const [name, place] of ASSIGNABLE) {
    const value = fields[name]
    if (value === undefined) continue
    if (exact !== undefined) delete exact[name]
    if (typeof value === "string" && !isPlainText(value)) {
      exact = { ...exact, [name]: value }
      next[place] = toPlainText(value)
    } else next[place] = typeof value === "object" && value !== null ? JSON.stringify(value) : cell(value)
  }
  if (fields.metrics_json !== undefined) {
    const call = measure(fields.metrics_json)
    for (const [name, place] of MEASURE_PLACES) next[place] = call[name]
  }
  if (fields.context_json !== undefined) {
    for (const [name, place] of CONTEXT_PLACES) next[place] = textAt(fields.context_json, name)
  }
  return exact
}

/**
 * Cells with fields put into them, the columns that filters and sums need along with them; an array of the caller's own. A text
 * that not every database takes (NUL, lone surrogates) is stored plain in its column and exactly in `exact_json`, from where it
 * is read back.
 */
export const assign = (cells: Cells, fields: RunFields): Array<Cell> => {
  const next = [...cells]
  const before = cells[EXACT]
  const exact = put(next, fields, typeof before === "string" ? JSON.parse(before) : undefined)
  next[EXACT] = exact === undefined || Object.keys(exact).length === 0 ? null : JSON.stringify(exact)
  return next
}

const NEW_CELLS = withCells(NO_CELLS, { schema_version: SCHEMA_VERSION, inferred: 0, bears: 1, revision: 0 })
const EVENT_ID = placeOf("event_id")
const CREATED_AT = placeOf("created_at")
const RECEIVED_AT = placeOf("received_at")

/** A new row of a run, not yet numbered. `receivedAt` stands in for `created_at` when the client gave none. */
export const fromCreate = (run: RunCreate, receivedAt: string): Array<Cell> => {
  const next = assign(NEW_CELLS, run)
  next[CREATED_AT] ??= receivedAt
  next[EVENT_ID] = run.event_id
  next[RECEIVED_AT] = receivedAt
  return next
}
