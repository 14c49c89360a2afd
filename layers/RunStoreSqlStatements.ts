import type Sqlite from "better-sqlite3"
import * as Prepared from "./RunStoreSqlPrepared.js"

/** What a statement takes. */
export type Parameter = string | number | null | Uint8Array

/**
 * Statements of the connection that writes, each prepared once and run at once: nothing else comes between two of them. They
 * throw what the driver throws. Small statements take longer through a client that builds, traces and awaits them than in SQLite.
 */
export interface Statements {
  readonly run: (text: string, parameters: ReadonlyArray<Parameter>) => void
  readonly rows: <A extends object = Readonly<Record<string, Parameter>>>(
    text: string,
    parameters: ReadonlyArray<Parameter>,
  ) => ReadonlyArray<A>
  /** Rows as the values of their select list: much faster for rows of many columns. */
  readonly values: (text: string, parameters: ReadonlyArray<Parameter>) => ReadonlyArray<ReadonlyArray<unknown>>
  /** Work of these statements as one transaction: all of it is durable when this returns, none of it when it throws. */
  readonly transaction: (work: () => void) => void
}

/** The statements of a connection. The driver takes the parameters as one list too, however many there are. */
export const make = (database: Sqlite.Database): Statements => {
  const prepared = Prepared.remembering((text) => database.prepare<[ReadonlyArray<Parameter>]>(text))
  const raw = Prepared.remembering((text) => database.prepare<[ReadonlyArray<Parameter>]>(text).raw(true))
  const transact = database.transaction((work: () => void) => work())
  return {
    run: (text, parameters) => {
      prepared(text).run(parameters)
    },
    rows: <A extends object>(text: string, parameters: ReadonlyArray<Parameter>) =>
      prepared(text).all(parameters) as ReadonlyArray<A>,
    values: (text, parameters) => raw(text).all(parameters) as ReadonlyArray<ReadonlyArray<unknown>>,
    transaction: (work) => {
      transact.immediate(work)
    },
  }
}

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

/** The cells of some rows one after the other: much faster than `flat` on rows of many cells. */
const joined = (rows: ReadonlyArray<ReadonlyArray<Parameter>>, from: number, to: number): ReadonlyArray<Parameter> => {
  const cells: Array<Parameter> = []
  for (const row of rows.slice(from, to)) for (const cell of row) cells.push(cell)
  return cells
}

/**
 * An INSERT of many rows, written out by hand once: building it from records takes longer than the database takes to run it.
 */
export const insertion = ({ run }: Statements, into: Insertion) => {
  const texts = SIZES.map((size) => [size, textOf(into, size)] as const)
  return (rows: ReadonlyArray<ReadonlyArray<Parameter>>): void => {
    let from = 0
    for (const [size, text] of texts) {
      for (; rows.length - from >= size; from += size) run(text, joined(rows, from, from + size))
    }
  }
}
