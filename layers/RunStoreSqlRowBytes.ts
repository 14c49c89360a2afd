import type { Database } from "./RunStoreSqlDatabase.js"
import type { JsonBytes } from "./RunStoreSqlJsonBytes.js"
import { type Ending, JSON_EXPRESSION, writeRow } from "./RunStoreSqlRowText.js"

/**
 * Some rows as two values, what decides their ends and the JSON of all of them: fetching each row by itself, and its JSON as a text,
 * would take longer than all the rest.
 */
const ROWS = `SELECT json_group_array(json_array(id, octet_length(text), exact_json, git_repo, git_commit_hash)),
    CAST(group_concat(text, '') AS BLOB)
  FROM (
    SELECT ${JSON_EXPRESSION} AS text, id, exact_json, git_repo, git_commit_hash FROM runs
    WHERE id IN (SELECT value FROM json_each(?)) LIMIT -1
  )`

type Found = readonly [id: number, bytes: number, exact: string | null, repo: string | null, commit: string | null]

/** A row's JSON but for its end, and what decides that. */
export interface RowBytes extends Ending {
  readonly json: Uint8Array
}

/** The rows of some numbers, by number: those that are there. All of their JSON is held. */
export const rowBytes = (db: Database, ids: ReadonlyArray<number>): ReadonlyMap<number, RowBytes> => {
  const [values] = db.values({ text: ROWS, values: [JSON.stringify(ids)] })
  const [list, texts] = values ?? []
  const rows = new Map<number, RowBytes>()
  if (typeof list !== "string" || !(texts instanceof Uint8Array)) return rows
  const found: ReadonlyArray<Found> = JSON.parse(list)
  let end = 0
  for (const [id, bytes, exact, repo, commit] of found) {
    const start = end
    end += bytes
    rows.set(id, { json: texts.subarray(start, end), exact, repo, commit })
  }
  return rows
}

/** Writes the rows of some numbers in their order, with a separator between each two, the first written one included; how many there were. */
export const writeRows = (
  out: JsonBytes,
  rows: ReadonlyMap<number, RowBytes>,
  ids: ReadonlyArray<number>,
  separator: string,
  isLater: boolean,
): number => {
  let written = 0
  for (const id of ids) {
    const row = rows.get(id)
    if (row === undefined) continue
    if (isLater || written > 0) out.text(separator)
    writeRow(out, row.json, row)
    written += 1
  }
  return written
}

/** Numbers of rows with how many bytes the long columns of each have: told without reading them. */
export const lots = (
  weights: ReadonlyArray<readonly [id: number, bytes: number]>,
  rowsAtOnce: number,
  bytesAtOnce: number,
): ReadonlyArray<ReadonlyArray<number>> => {
  const found: Array<Array<number>> = []
  let lot: Array<number> = []
  let size = 0
  for (const [id, bytes] of weights) {
    if (lot.length > 0 && (lot.length >= rowsAtOnce || size + bytes > bytesAtOnce)) {
      found.push(lot)
      lot = []
      size = 0
    }
    lot.push(id)
    size += bytes
  }
  return lot.length > 0 ? [...found, lot] : found
}
