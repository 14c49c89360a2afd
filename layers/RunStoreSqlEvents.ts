import * as Option from "effect/Option"
import type { LogHead, ReceivedEvent } from "../services/RunStore.js"
import type { Database } from "./RunStoreSqlDatabase.js"

/** Events read at once, and how long a page may grow: it ends early rather than keep the process or fill the memory. */
const ROWS_AT_ONCE = 50
const PAGE_CHARACTERS = 4 * 1024 * 1024

interface EventRow {
  readonly id: number
  readonly event_id: string
  readonly event_json: string
}

export interface EventsPage {
  readonly events: ReadonlyArray<ReceivedEvent>
  readonly more: boolean
}

/** Where the log of a run ends, as far as it is known; none when neither a row nor an event of the run is. */
export const logHead = (db: Database, runId: string): Option.Option<LogHead> => {
  const [log] = db.all<{ readonly events: number; readonly log_head: string | null }>({
    text: "SELECT events, log_head FROM run_logs WHERE run_id = ?",
    values: [runId],
  })
  if (log !== undefined && log.events > 0) return Option.some({ hash: log.log_head, events: log.events })
  const rows = db.all({ text: "SELECT 1 FROM runs WHERE run_id = ? LIMIT 1", values: [runId] })
  return rows.length === 0 ? Option.none() : Option.some({ hash: null, events: 0 })
}

const placeOf = (db: Database, runId: string, eventId: string | undefined): number | undefined =>
  eventId === undefined
    ? 0
    : db.all<{ readonly id: number }>({
        text: "SELECT id FROM events WHERE event_id = ? AND run_id = ?",
        values: [eventId, runId],
      })[0]?.id

/** A page of the events of a run after one of them; none when that is not an event of the run. */
export const events = (
  db: Database,
  runId: string,
  { after, limit }: { readonly after?: string | undefined; readonly limit: number },
): Option.Option<EventsPage> => {
  const start = placeOf(db, runId, after)
  if (start === undefined) return Option.none()
  const found: Array<EventRow> = []
  let characters = 0
  let more = true
  while (more && found.length < limit && characters < PAGE_CHARACTERS) {
    const most = Math.min(ROWS_AT_ONCE, limit - found.length)
    const rows = db.all<EventRow>({
      text: "SELECT id, event_id, event_json FROM events WHERE run_id = ? AND id > ? ORDER BY id LIMIT ?",
      values: [runId, found.at(-1)?.id ?? start, most + 1],
    })
    found.push(...rows.slice(0, most))
    characters = found.reduce((sum, row) => sum + row.event_json.length, 0)
    more = rows.length > most
  }
  return Option.some({ events: found.map((row) => ({ eventId: row.event_id, text: row.event_json })), more })
}
