import { createHash } from "node:crypto"
import Database from "better-sqlite3"

/** What is a matter of when it was received, or of the order in which a batch is walked: it differs between equal stores. */
const OWN: Readonly<Record<string, ReadonlyArray<string>>> = {
  runs: ["received_at", "updated_at", "revision"],
  run_logs: ["received_at"],
  client_reports: ["received_at"],
}

/** Not written by requests. */
const LEFT_OUT = ["pings", "runledger_migrations"]

interface Named {
  readonly name: string
}

const named = (database: Database.Database, text: string): ReadonlyArray<string> =>
  database
    .prepare<[], Named>(text)
    .all()
    .map(({ name }) => name)

const tablesOf = (database: Database.Database): ReadonlyArray<string> =>
  named(
    database,
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  ).filter((table) => !LEFT_OUT.includes(table))

/** How many rows a table has, and a sum over all of them. */
interface Content {
  readonly rows: number
  readonly hash: string
}

const using = <A>(file: string, use: (database: Database.Database) => A): A => {
  const database = new Database(file, { readonly: true, fileMustExist: true })
  try {
    return use(database)
  } finally {
    database.close()
  }
}

const plain = (_name: string, value: unknown): unknown =>
  value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value

/** The content of every table that requests write, apart from what is a matter of time. */
export const of = (file: string): ReadonlyMap<string, Content> =>
  using(file, (database) => {
    const contents = tablesOf(database).map((table): [string, Content] => {
      const columns = named(database, `SELECT name FROM pragma_table_info('${table}') ORDER BY cid`).filter(
        (column) => !(OWN[table] ?? []).includes(column),
      )
      const list = columns.join(", ")
      const rows = database.prepare(`SELECT ${list} FROM ${table} ORDER BY ${list}`).raw(true).all()
      const hash = createHash("sha256")
      for (const row of rows) hash.update(`${JSON.stringify(row, plain)}\n`)
      return [table, { rows: rows.length, hash: hash.digest("hex") }]
    })
    return new Map(contents)
  })

/** The tables in which two stores differ, with their row counts. */
export const differences = (
  left: ReadonlyMap<string, Content>,
  right: ReadonlyMap<string, Content>,
): ReadonlyArray<string> =>
  [...new Set([...left.keys(), ...right.keys()])].flatMap((table) => {
    const [one, other] = [left.get(table), right.get(table)]
    return one?.hash === other?.hash
      ? []
      : [`${table} (${one?.rows ?? "no such table"} and ${other?.rows ?? "no such table"} rows)`]
  })

interface Counts {
  readonly rows: number
  readonly summed: number
  readonly events: number
}

/** How many runs and events there are, and how many runs the sums know of. */
export const counts = (file: string): Counts =>
  using(file, (database) => {
    const [found] = database
      .prepare<[], Counts>(
        `SELECT (SELECT count(*) FROM runs) AS rows, (SELECT total(rows) FROM rollups WHERE span = 'day') AS summed,
           (SELECT count(*) FROM events) AS events`,
      )
      .all()
    return found ?? { rows: Number.NaN, summed: Number.NaN, events: Number.NaN }
  })

/** The schema of a database, as one text. */
export const schema = (file: string): string =>
  using(file, (database) =>
    named(database, "SELECT coalesce(sql, name) AS name FROM sqlite_master ORDER BY type, name").join("\n"),
  )
