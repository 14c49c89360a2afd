import { GENESIS_HASH } from "./Ids.js"

/** An event as a server received it, as far as it is compared with a log. Hashes are null when it was sent without. */
export interface ReceivedEvent {
  readonly event_id: string
  readonly prev_hash: string | null
  readonly event_hash: string | null
}

/** An event as it stands in a log; lines are counted from 1. */
export interface LoggedEvent {
  readonly line: number
  readonly event_id: string
  readonly event_hash: string
}

/** What comes out when all events that a server received of a run are held against the run's log. */
export interface Received {
  /** How many events were compared: those that bear a hash. */
  readonly events: number
  /** The first line of the log that bears another hash than its event had when the server received it. */
  readonly rewritten: { readonly line: number; readonly eventId: string } | null
  /** Events that the log does not have, and the first of them. */
  readonly missing: { readonly events: number; readonly first: string } | null
  /** One of the missing followed the line that is the log's last. */
  readonly isTailCut: boolean
  /** The first event of a log is among the missing; only told of a log that has lines. */
  readonly hasOtherLog: boolean
  /** The log's own first event was received, to the letter. */
  readonly knowsThisLog: boolean
}

/** A log as it is read on, event by event; undefined at its end, for now. */
export type ReadOn = () => LoggedEvent | undefined

/**
 * Holds received events against a log; both are walked once, side by side. Kept are only the log's events that were passed and
 * not received yet: a few where the server has the log's order, at most all of the log (about 250 bytes a line) where it has
 * events that the log lacks.
 */
export const make = (readOn: ReadOn) => {
  const passed = new Map<string, LoggedEvent>()
  let head = GENESIS_HASH
  let events = 0
  let rewritten: LoggedEvent | undefined
  let missing = 0
  let firstMissing: string | undefined
  let isTailCut = false
  let hasOtherLog = false
  let knowsThisLog = false

  const find = (eventId: string): LoggedEvent | undefined => {
    const known = passed.get(eventId)
    if (known !== undefined) return known
    for (let logged = readOn(); logged !== undefined; logged = readOn()) {
      head = logged.event_hash
      passed.set(logged.event_id, logged)
      if (logged.event_id === eventId) return logged
    }
    return undefined
  }

  const lacks = ({ event_id, prev_hash }: ReceivedEvent): void => {
    missing += 1
    firstMissing ??= event_id
    if (prev_hash === head) isTailCut = true
    else if (prev_hash === GENESIS_HASH) hasOtherLog = true
  }

  const meets = ({ prev_hash, event_hash }: ReceivedEvent, logged: LoggedEvent): void => {
    passed.delete(logged.event_id)
    if (logged.event_hash === event_hash) {
      if (prev_hash === GENESIS_HASH) knowsThisLog = true
    } else if (rewritten === undefined || logged.line < rewritten.line) rewritten = logged
  }

  return {
    take: (event: ReceivedEvent): void => {
      if (event.event_hash === null) return
      events += 1
      const logged = find(event.event_id)
      if (logged === undefined) lacks(event)
      else meets(event, logged)
    },
    result: (): Received => ({
      events,
      rewritten: rewritten === undefined ? null : { line: rewritten.line, eventId: rewritten.event_id },
      missing: firstMissing === undefined ? null : { events: missing, first: firstMissing },
      isTailCut,
      hasOtherLog,
      knowsThisLog,
    }),
  }
}

const missingProblem = ({ missing, isTailCut, hasOtherLog, knowsThisLog }: Received): ReadonlyArray<string> => {
  if (missing === null) return []
  const some = missing.events === 1 ? "1 event" : `${missing.events} events`
  const absent = `${some} that the server received ${missing.events === 1 ? "is" : "are"} not in the log, from ${missing.first} on`
  if (hasOtherLog) {
    const held = knowsThisLog ? "two logs" : "another log"
    const other = isTailCut ? "; its tail was cut as well" : ""
    return [
      `the server holds ${held} under this run id: ${absent}. Either the same run id was used in another runs folder, or the log was written anew under other event ids${other}`,
    ]
  }
  return [`${absent}: ${isTailCut ? "its tail was cut" : "they were cut off, removed or replaced"}`]
}

/** What that proves against the log, in words; null when every event that the server received stands in it as received. */
export const problemOf = (received: Received): string | null => {
  const { rewritten } = received
  const changed =
    rewritten === null
      ? []
      : [
          `line ${rewritten.line}: the server received another content for event ${rewritten.eventId}: the line was rewritten after it was delivered`,
        ]
  const all = [...changed, ...missingProblem(received)]
  return all.length === 0 ? null : all.join("; ")
}

/** The server also has events of another log, and everything that it has of this one stands as received. */
export const isOnlyMixed = ({ rewritten, isTailCut, hasOtherLog, knowsThisLog }: Received): boolean =>
  hasOtherLog && knowsThisLog && rewritten === null && !isTailCut
