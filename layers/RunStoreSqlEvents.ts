import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { LogHead, ReceivedEvent } from "../services/RunStore.js"

/** Events read at once, and how long a page may grow: it ends early rather than fill the memory. */
const ROWS_AT_ONCE = 50
const PAGE_CHARACTERS = 8 * 1024 * 1024

interface EventRow {
  readonly id: number
  readonly event_id: string
  readonly event_json: string
}

interface Reading {
  readonly after: number
  readonly events: ReadonlyArray<ReceivedEvent>
  readonly characters: number
  readonly isAtEnd: boolean
}

/** The reading of what the store has of a run's log. */
export const make = (sql: SqlClient.SqlClient) => {
  const logHead = (runId: string): Effect.Effect<Option.Option<LogHead>, SqlError> =>
    Effect.gen(function* () {
      const [log] = yield* sql<{ readonly events: number; readonly log_head: string | null }>`
        SELECT events, log_head FROM run_logs WHERE run_id = ${runId}`
      if (log !== undefined && log.events > 0) return Option.some({ hash: log.log_head, events: log.events })
      const rows = yield* sql`SELECT 1 FROM runs WHERE run_id = ${runId} LIMIT 1`
      return rows.length === 0 ? Option.none() : Option.some({ hash: null, events: 0 })
    })

  const next = (runId: string, reading: Reading, limit: number): Effect.Effect<Reading, SqlError> =>
    Effect.map(
      sql<EventRow>`SELECT id, event_id, event_json FROM events WHERE run_id = ${runId} AND id > ${reading.after}
        ORDER BY id LIMIT ${Math.min(ROWS_AT_ONCE, limit - reading.events.length)}`,
      (rows) => ({
        after: rows.at(-1)?.id ?? reading.after,
        events: [...reading.events, ...rows.map((row) => ({ eventId: row.event_id, text: row.event_json }))],
        characters: rows.reduce((sum, row) => sum + row.event_json.length, reading.characters),
        isAtEnd: rows.length === 0,
      }),
    )

  const placeOf = (runId: string, eventId: string | undefined) =>
    eventId === undefined
      ? Effect.succeedSome(0)
      : Effect.map(
          sql<{ readonly id: number }>`SELECT id FROM events WHERE event_id = ${eventId} AND run_id = ${runId}`,
          ([row]) => Option.map(Option.fromNullable(row), ({ id }) => id),
        )

  const events = (runId: string, page: { readonly after?: string | undefined; readonly limit: number }) =>
    Effect.gen(function* () {
      const place = yield* placeOf(runId, page.after)
      if (Option.isNone(place)) return Option.none()
      const start: Reading = { after: place.value, events: [], characters: 0, isAtEnd: false }
      const read = yield* Effect.iterate(start, {
        while: ({ events: found, characters, isAtEnd }) =>
          !isAtEnd && found.length < page.limit && characters < PAGE_CHARACTERS,
        body: (reading) => next(runId, reading, page.limit),
      })
      const others = yield* sql`SELECT 1 FROM events WHERE run_id = ${runId} AND id > ${read.after} LIMIT 1`
      return Option.some({ events: read.events, more: others.length > 0 })
    })

  return { events, logHead }
}
