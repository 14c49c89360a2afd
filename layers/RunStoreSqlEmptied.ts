import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import type { Database } from "./RunStoreSqlDatabase.js"
import { type Place, START } from "./RunStoreSqlFamilies.js"

/**
 * How far old runs have been emptied of their texts and events, so that the next pruning goes on from there instead of meeting
 * them all again. A pass from the very start is made anew when the last one began before an instant of the caller's: for rows
 * that were created earlier than they were received, and runs that were passed by.
 */
export const make = (sql: SqlClient.SqlClient, database: Database) => {
  /** Where the next pass begins. Synchronous. */
  const place = (begunSince: string): Place => {
    const [row] = database.all<Place>({
      text: "SELECT created_at, row_id AS id FROM emptied WHERE id = 1 AND begun_at >= ?",
      values: [begunSince],
    })
    return row ?? START
  }

  /** Everything between two places has been emptied as far as it may be; nothing is kept when `from` is not how far it was known to be. */
  const reach = (from: Place, to: Place, now: string): Effect.Effect<void, SqlError> => {
    const { created_at, id } = to
    return Effect.asVoid(
      from.created_at === START.created_at && from.id === START.id
        ? sql`INSERT INTO emptied (id, created_at, row_id, begun_at) VALUES (1, ${created_at}, ${id}, ${now})
            ON CONFLICT (id) DO UPDATE SET created_at = excluded.created_at, row_id = excluded.row_id, begun_at = excluded.begun_at`
        : sql`UPDATE emptied SET created_at = ${created_at}, row_id = ${id}
            WHERE id = 1 AND created_at = ${from.created_at} AND row_id = ${from.id}`,
    )
  }

  return { place, reach }
}
