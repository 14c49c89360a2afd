import Sqlite from "better-sqlite3"
import * as Prepared from "./RunStoreSqlPrepared.js"
import type { Cell } from "./RunStoreSqlRows.js"

/** A statement as it is asked: its text, which is prepared once, and what stands for its question marks. */
export interface Query {
  readonly text: string
  readonly values: ReadonlyArray<Cell>
}

/** What a database gives for a cell: blobs too. */
export type Value = Cell | Uint8Array

/**
 * A condition over `runs` that every row meets, to be put first: it ends a statement that meets many rows soon after nobody waits
 * for its answer any more.
 */
export const WHILE_WANTED = "(runs.id & 1023 <> 0 OR still_wanted())"

/** A connection that only reads. Synchronous, and it throws what the driver throws: its user translates. */
export interface Database {
  /** Rows by column name. */
  readonly all: <Row>(query: Query) => ReadonlyArray<Row>
  /** Rows as their values in the order of the select list: much faster for rows of many columns. */
  readonly values: (query: Query) => ReadonlyArray<ReadonlyArray<Value>>
  /** Gives rows one by one, as their values, so that not all of them are held. */
  readonly each: (query: Query, use: (values: ReadonlyArray<Value>) => void) => void
  /** Throws when nobody waits any more for what is being read. */
  readonly checkWanted: () => void
  /** Runs `use` on one snapshot of the database. */
  readonly snapshot: <A>(use: () => A) => A
  readonly close: () => void
}

/** Milliseconds that a read waits for a lock, which in a write-ahead log only recovery and clean-up take. */
const BUSY_MILLIS = 5000

/**
 * Opens a database that is there; `cacheKiB` bounds the pages that the connection keeps in memory. Long statements ask
 * `isWanted` now and then, and throw once it says no.
 */
export const open = (path: string, cacheKiB: number, isWanted: () => boolean = () => true): Database => {
  const checkWanted = (): void => {
    if (!isWanted()) throw new Error("nobody waits for this read any more")
  }
  const sqlite = new Sqlite(path, { readonly: true, fileMustExist: true })
  sqlite.pragma(`busy_timeout = ${BUSY_MILLIS}`)
  sqlite.pragma(`cache_size = -${cacheKiB}`)
  sqlite.function("still_wanted", () => {
    checkWanted()
    return 1
  })
  const statement = Prepared.remembering((text) => sqlite.prepare(text))
  return {
    all: <Row>({ text, values }: Query) =>
      statement(text)
        .raw(false)
        .all(...values) as ReadonlyArray<Row>,
    values: ({ text, values }) =>
      statement(text)
        .raw(true)
        .all(...values) as ReadonlyArray<ReadonlyArray<Value>>,
    each: ({ text, values }, use) => {
      const rows = statement(text)
        .raw(true)
        .iterate(...values) as IterableIterator<ReadonlyArray<Value>>
      for (const row of rows) use(row)
    },
    checkWanted,
    snapshot: (use) => {
      sqlite.exec("BEGIN")
      try {
        return use()
      } finally {
        sqlite.exec("COMMIT")
      }
    },
    close: () => {
      sqlite.close()
    },
  }
}
