import { commitUrl, repoUrl } from "../src/domain/CommitUrl.js"
import type { Value } from "./RunStoreSqlDatabase.js"
import type { JsonBytes } from "./RunStoreSqlJsonBytes.js"
import { RUN_COLUMNS, type RunRow } from "./RunStoreSqlRows.js"

const DOCUMENTS: ReadonlyArray<keyof RunRow> = ["metrics_json", "context_json"]

const memberOf = (column: keyof RunRow): string => {
  if (DOCUMENTS.includes(column)) return `coalesce(${column}, 'null')`
  return column === "api_posted" ? "CASE api_posted WHEN 1 THEN 'true' ELSE 'false' END" : `json_quote(${column})`
}

const MEMBERS = RUN_COLUMNS.filter((column) => column !== "exact_json").map(
  (column, place) => `'${place === 0 ? "{" : ","}"${column}":', ${memberOf(column)}`,
)

/** The select list of what {@link toText} takes: the database writes the JSON of a row faster than its columns can be fetched. */
export const TEXT_SELECTION = `exact_json, git_repo, git_commit_hash, concat(${MEMBERS.join(", ")})`

/** The expression of the JSON of a row, but for the members that {@link writeRow} adds. */
export const JSON_EXPRESSION = `concat(${MEMBERS.join(", ")})`

const textOf = (value: Value | undefined): string | null => (typeof value === "string" ? value : null)

let lastRepo: string | null = null
let lastCommit: string | null = null
let lastLinks = ""

/** The rows of a page are mostly of one commit. */
const linksOf = (repo: string | null, commit: string | null): string => {
  if (repo !== lastRepo || commit !== lastCommit || lastLinks === "") {
    lastRepo = repo
    lastCommit = commit
    lastLinks = `,"commit_url":${JSON.stringify(commitUrl(repo, commit))},"repo_url":${JSON.stringify(repoUrl(repo))}}`
  }
  return lastLinks
}

/**
 * A row, as the values of {@link TEXT_SELECTION}, as the JSON of the record that clients read: the same text as
 * `JSON.stringify` of `toRecord`, without parsing the documents in it.
 */
export const toText = ([exact, repo, commit, text]: ReadonlyArray<Value>): string => {
  const whole = `${textOf(text)}${linksOf(textOf(repo), textOf(commit))}`
  const kept = textOf(exact)
  return kept === null ? whole : JSON.stringify({ ...JSON.parse(whole), ...JSON.parse(kept) })
}

const decoder = new TextDecoder()

/** What of a row decides the end of its JSON. */
export interface Ending {
  readonly exact: string | null
  readonly repo: string | null
  readonly commit: string | null
}

/** Writes what {@link toText} gives from what {@link JSON_EXPRESSION} gave: but for a row with an exact text nothing is decoded. */
export const writeRow = (out: JsonBytes, bytes: Uint8Array, { exact, repo, commit }: Ending): void => {
  if (exact !== null) out.text(toText([exact, repo, commit, decoder.decode(bytes)]))
  else {
    out.bytes(bytes)
    out.text(linksOf(repo, commit))
  }
}
