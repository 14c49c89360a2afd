import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { Cell } from "./RunStoreSqlRows.js"

/**
 * Rows of one statement: far below SQLite's 32,766 parameters. Only a few sizes, so that each text is prepared once and found
 * again; the last rows go one by one.
 */
const SIZES = [50, 10, 1]

interface Insertion {
  readonly table: string
  readonly columns: ReadonlyArray<string>
  /** What follows the values, such as a conflict clause. */
  readonly after: string
}

const textOf = ({ table, columns, after }: Insertion, rows: number): string => {
  const row = `(${columns.map(() => "?").join(", ")})`
  return `INSERT INTO ${table} (${columns.join(", ")}) VALUES ${Array.from({ length: rows }, () => row).join(", ")} ${after}`
}

const chunks = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> => {
  const found: Array<ReadonlyArray<A>> = []
  let from = 0
  for (const size of SIZES) {
    for (; items.length - from >= size; from += size) found.push(items.slice(from, from + size))
  }
  return found
}

/** Much faster than `flat` on rows of many cells. */
const joined = (rows: ReadonlyArray<ReadonlyArray<Cell>>): ReadonlyArray<Cell> => {
  const cells: Array<Cell> = []
  for (const row of rows) for (const cell of row) cells.push(cell)
  return cells
}

/**
 * An INSERT of many rows, written out by hand once: building it from records takes longer than the database takes to run it.
 */
export const insertion = (sql: SqlClient.SqlClient, into: Insertion) => {
  const texts = new Map(SIZES.map((size) => [size, textOf(into, size)]))
  return (rows: ReadonlyArray<ReadonlyArray<Cell>>): Effect.Effect<void, SqlError> =>
    Effect.forEach(
      chunks(rows),
      (some) => sql.unsafe(texts.get(some.length) ?? textOf(into, some.length), joined(some)),
      { discard: true },
    )
}
