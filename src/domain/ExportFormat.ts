import * as Schema from "effect/Schema"
import type { RunRecord } from "./Run.js"

/** In which forms runs are given out. */
export const ExportFormat = Schema.Literal("ndjson", "csv", "parquet")
export type ExportFormat = typeof ExportFormat.Type

/** What each form is called on the wire. */
export const MEDIA_TYPES: Readonly<Record<ExportFormat, string>> = {
  ndjson: "application/x-ndjson",
  csv: "text/csv; charset=utf-8; header=present",
  parquet: "application/vnd.apache.parquet",
}

type Name = keyof RunRecord

/** What a column holds. JSON objects are given as text. */
export type Kind = "text" | "whole" | "boolean" | "instant"

const KINDS: Readonly<Record<Name, Kind>> = {
  id: "whole",
  event_id: "text",
  run_id: "text",
  parent_run_id: "text",
  agent_name: "text",
  job_type: "text",
  status: "text",
  created_at: "instant",
  updated_at: "instant",
  start_time: "instant",
  end_time: "instant",
  duration_ms: "whole",
  product: "text",
  product_family: "text",
  platform: "text",
  subdomain: "text",
  website: "text",
  website_section: "text",
  item_name: "text",
  items_discovered: "whole",
  items_succeeded: "whole",
  items_failed: "whole",
  items_skipped: "whole",
  input_summary: "text",
  output_summary: "text",
  source_ref: "text",
  target_ref: "text",
  error_summary: "text",
  error_details: "text",
  git_repo: "text",
  git_branch: "text",
  git_commit_hash: "text",
  git_run_tag: "text",
  git_commit_source: "text",
  git_commit_author: "text",
  git_commit_timestamp: "instant",
  commit_url: "text",
  repo_url: "text",
  host: "text",
  environment: "text",
  trigger_type: "text",
  metrics_json: "text",
  context_json: "text",
  api_posted: "boolean",
  api_posted_at: "instant",
  api_retry_count: "whole",
  insight_id: "text",
  schema_version: "whole",
}

/** The columns of a table of runs: the fields of the API, under their names, in this order. */
export const COLUMNS: ReadonlyArray<Name> = Object.keys(KINDS).filter((name): name is Name => name in KINDS)

export const kindOf = (name: Name): Kind => KINDS[name]

export type Cell = string | number | boolean | null

/** The values of a run in the order of {@link COLUMNS}. */
export const cellsOf = (run: RunRecord): ReadonlyArray<Cell> =>
  COLUMNS.map((name) => {
    const value = run[name]
    return typeof value === "object" && value !== null ? JSON.stringify(value) : (value ?? null)
  })

const MUST_QUOTE = /[",\r\n]/

/** RFC 4180. Nothing at all is null, two quotes are the empty text. */
const field = (value: Cell): string => {
  if (value === null) return ""
  const text = String(value)
  return text === "" || MUST_QUOTE.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

const line = (cells: ReadonlyArray<Cell>): string => `${cells.map(field).join(",")}\r\n`

/** The first line of a CSV file. */
export const CSV_HEADER = line(COLUMNS)

/** A run as a line of CSV. */
export const csvLine = (run: RunRecord): string => line(cellsOf(run))

/** A run as a line of NDJSON: the same as the API gives. */
export const ndjsonLine = (run: RunRecord): string => `${JSON.stringify(run)}\n`
