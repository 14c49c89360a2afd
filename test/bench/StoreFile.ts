import Database from "better-sqlite3"

interface Named {
  readonly name: string
}

const has = (database: Database.Database, table: string): boolean =>
  database.prepare<[string], Named>("SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?").get(table) !==
  undefined

/** Sums that are kept along with the rows, each beside the same sum over the rows themselves. */
const SUMS: ReadonlyArray<{
  readonly table: string
  readonly what: string
  readonly kept: string
  readonly real: string
}> = [
  {
    table: "rollups",
    what: "rows by status",
    kept: "SELECT status AS key, total(rows) AS sum FROM rollups WHERE span = 'hour' GROUP BY status ORDER BY status",
    real: "SELECT status AS key, total(1) AS sum FROM runs GROUP BY status ORDER BY status",
  },
  {
    table: "rollups",
    what: "tokens by model",
    kept: `SELECT model AS key, total(input_tokens + output_tokens) AS sum FROM rollups
        WHERE span = 'day' AND job_type = 'llm_call' GROUP BY model ORDER BY model`,
    real: `SELECT model AS key, total(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS sum FROM runs
        WHERE job_type = 'llm_call' AND bears = 1 GROUP BY model ORDER BY model`,
  },
  {
    table: "agents",
    what: "rows by agent",
    kept: "SELECT agent_name AS key, total(rows) AS sum FROM agents GROUP BY agent_name ORDER BY agent_name",
    real: "SELECT agent_name AS key, total(1) AS sum FROM runs GROUP BY agent_name ORDER BY agent_name",
  },
]

/** What SQLite's own full check finds in a database file, and sums that do not agree with their rows. */
export const flaws = (file: string): ReadonlyArray<string> => {
  const database = new Database(file, { readonly: true })
  try {
    const checked = database
      .prepare<[], { readonly integrity_check: string }>("PRAGMA integrity_check")
      .all()
      .map((row) => String(Object(row).integrity_check))
      .filter((line) => line !== "ok")
    const unequal = SUMS.filter(({ table }) => has(database, table)).flatMap(({ what, kept, real }) => {
      const told = JSON.stringify(database.prepare(kept).all())
      const counted = JSON.stringify(database.prepare(real).all())
      return told === counted ? [] : [`${what}: kept ${told.slice(0, 200)}, counted ${counted.slice(0, 200)}`]
    })
    return [...checked, ...unequal]
  } finally {
    database.close()
  }
}
