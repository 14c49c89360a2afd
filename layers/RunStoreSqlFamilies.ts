import * as Effect from "effect/Effect"
import type { RunStoreError } from "../services/RunStore.js"
import { CALL_JOB_TYPE } from "../src/domain/CallMeasure.js"
import { add, NOTHING, type Pruned } from "../src/domain/Pruning.js"
import * as NextTurn from "./NextTurn.js"
import type { Database } from "./RunStoreSqlDatabase.js"
import * as Rows from "./RunStoreSqlFamilyRows.js"

/** Runs asked of in one go, and rows looked at: some milliseconds. */
const RUNS_AT_ONCE = 200
const WINDOW_ROWS = 1000

const EVENTS_AT_ONCE = 2000
const EVENT_BYTES = 200

const AMONG = "IN (SELECT value FROM json_each(?))"

/** A place in the order of creation. */
export interface Place {
  readonly created_at: string
  readonly id: number
}

/** Before every row. */
export const START: Place = { created_at: "", id: 0 }

/** The first row of a family. */
export type First = Place & { readonly run_id: string }

/** Runs that belong together by parent_run_id, in either direction, with what they hold. */
export interface Family {
  /** Their run_ids, from the first on to those that are furthest from it. */
  readonly members: ReadonlyArray<string>
  readonly holds: Pruned
  /** What of it are events and texts. */
  readonly bodyBytes: number
  readonly isRunning: boolean
  /** When the newest of its rows was created, and when anything was last received of it. */
  readonly newest: string
  readonly heard: string
  /** The greatest numbers among its rows and events: what has a greater one came later. */
  readonly lastRow: number
  readonly lastEvent: number
}

/**
 * A row that is likely the first of its family after a place: none of the same run, of the same parent, and not its parent, stands
 * between. It is asked for certain afterwards; this keeps a parent's ten thousand calls from being asked.
 */
const FIRST = [
  "other.run_id = seen.run_id",
  "other.run_id = seen.parent_run_id",
  "other.parent_run_id = seen.parent_run_id",
]
  .map(
    (isRelated) => `NOT EXISTS (SELECT 1 FROM runs AS other WHERE ${isRelated}
      AND (other.created_at, other.id) > (?, ?) AND (other.created_at, other.id) < (seen.created_at, seen.id))`,
  )
  .join(" AND ")

/** Some runs from a place on, and where the last row that was looked at is; `isLast` when none follow. */
export interface Window {
  readonly firsts: ReadonlyArray<First>
  readonly end: Place
  readonly isLast: boolean
}

/** In pieces that are asked of in one go. */
export const pieces = <A>(items: ReadonlyArray<A>, size = RUNS_AT_ONCE): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size))

const isBefore = (one: Place, other: Place): boolean =>
  one.created_at < other.created_at || (one.created_at === other.created_at && one.id < other.id)

const later = (one: string, other: string | null): string => (other !== null && other > one ? other : one)

type Look = <A>(look: () => A) => Effect.Effect<A, RunStoreError>

/** Finds runs as wholes. However large a family is, each look takes milliseconds, and others have their turn in between. */
export const make = (database: Database, looking: Look) => {
  const look: Look = (question) => Effect.zipLeft(looking(question), NextTurn.nextTurn)
  const rows = Rows.make(database)

  /** The next rows in the order of creation, at most those created before `before`; families are those after `since`. */
  const window = (from: Place, since: Place, before: string | null): Effect.Effect<Window, RunStoreError> =>
    look(() => {
      const found = database.all<Place>({
        text: `SELECT created_at, id FROM runs WHERE (created_at, id) > (?, ?) AND created_at < ?
          ORDER BY created_at, id LIMIT ${WINDOW_ROWS}`,
        values: [from.created_at, from.id, before ?? "~"],
      })
      const end = found.at(-1)
      if (end === undefined) return { firsts: [], end: from, isLast: true }
      const after = [since.created_at, since.id]
      const firsts = database.all<First>({
        text: `SELECT seen.created_at, seen.id, seen.run_id FROM runs AS seen
          WHERE (seen.created_at, seen.id) > (?, ?) AND (seen.created_at, seen.id) <= (?, ?) AND ${FIRST}
          ORDER BY seen.created_at, seen.id`,
        values: [from.created_at, from.id, end.created_at, end.id, ...after, ...after, ...after],
      })
      return { firsts, end, isLast: found.length < WINDOW_ROWS }
    })

  const relatives = (some: ReadonlyArray<string>): ReadonlyArray<string> => {
    const asked = JSON.stringify(some)
    return database
      .values({
        text: `SELECT run_id FROM runs WHERE parent_run_id ${AMONG}
          UNION SELECT parent_run_id FROM runs WHERE run_id ${AMONG} AND parent_run_id IS NOT NULL`,
        values: [asked, asked],
      })
      .flatMap(([runId]) => (typeof runId === "string" ? [runId] : []))
  }

  const membersOf = (runId: string) =>
    Effect.gen(function* () {
      const members = new Set([runId])
      let newcomers: ReadonlyArray<string> = [runId]
      while (newcomers.length > 0) {
        const next = new Set<string>()
        for (const some of pieces(newcomers)) {
          for (const one of yield* look(() => relatives(some))) if (!members.has(one)) next.add(one)
        }
        newcomers = [...next]
        for (const one of newcomers) members.add(one)
      }
      return [...members]
    })

  const heardOf = (some: ReadonlyArray<string>): string => {
    const asked = JSON.stringify(some)
    return database
      .all<{ readonly at: string | null }>({
        text: `SELECT max(received_at) AS at FROM run_logs WHERE run_id ${AMONG}
          UNION ALL SELECT max(received_at) FROM client_reports WHERE run_id ${AMONG}`,
        values: [asked, asked],
      })
      .reduce((latest, { at }) => later(latest, at), "")
  }

  /** Those of some runs that have events. */
  const withEvents = (some: ReadonlyArray<string>): ReadonlyArray<string> =>
    database
      .values({
        text: "SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM events WHERE events.run_id = value)",
        values: [JSON.stringify(some)],
      })
      .flatMap(([runId]) => (typeof runId === "string" ? [runId] : []))

  const eventsOfRun = (runId: string) =>
    Effect.gen(function* () {
      let sums = { events: 0, bytes: 0, last: 0 }
      let last: number | null = 0
      while (last !== null) {
        const from: number = last
        const [found] = yield* look(() =>
          database.all<{ readonly events: number; readonly bytes: number; readonly last: number | null }>({
            text: `SELECT count(*) AS events, total(bytes) AS bytes, max(id) AS last FROM (
              SELECT id, octet_length(event_json) + ${EVENT_BYTES} AS bytes FROM events
              WHERE run_id = ? AND id > ? ORDER BY id LIMIT ${EVENTS_AT_ONCE})`,
            values: [runId, from],
          }),
        )
        last = found?.last ?? null
        sums = {
          events: sums.events + (found?.events ?? 0),
          bytes: sums.bytes + (found?.bytes ?? 0),
          last: last ?? sums.last,
        }
      }
      return sums
    })

  /** The events of some runs: how many, how much they hold, and the greatest of their numbers. */
  const eventsOf = (members: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const having = yield* Effect.forEach(pieces(members), (some) => look(() => withEvents(some)))
      const sums = yield* Effect.forEach(having.flat(), eventsOfRun)
      return sums.reduce(
        (all, one) => ({
          events: all.events + one.events,
          bytes: all.bytes + one.bytes,
          last: Math.max(all.last, one.last),
        }),
        { events: 0, bytes: 0, last: 0 },
      )
    })

  /** The family of a run; undefined when `first` is not the oldest of its rows after `since`, so that each family is met once. */
  const of = (first: First, since: Place): Effect.Effect<Family | undefined, RunStoreError> =>
    Effect.gen(function* () {
      const members = yield* membersOf(first.run_id)
      let holds: Pruned = { ...NOTHING, runs: 1 }
      let [bodyBytes, isRunning, newest, heard, lastRow] = [0, false, "", "", 0]
      let page = yield* look(() => rows.page(members, Rows.BEGINNING))
      for (;;) {
        for (const row of page.rows) {
          if (isBefore(since, row) && isBefore(row, first)) return undefined
          holds = add(holds, Rows.held(row, CALL_JOB_TYPE))
          bodyBytes += row.bodies
          isRunning ||= row.status === "running"
          newest = later(newest, row.created_at)
          heard = later(heard, row.received_at)
          lastRow = Math.max(lastRow, row.id)
        }
        const { next } = page
        if (next === null) break
        page = yield* look(() => rows.page(members, next))
      }
      const { events, bytes, last } = yield* eventsOf(members)
      for (const some of pieces(members)) heard = later(heard, yield* look(() => heardOf(some)))
      return {
        members,
        holds: add(holds, { ...NOTHING, events, bytes }),
        bodyBytes: bodyBytes + bytes,
        isRunning,
        newest,
        heard,
        lastRow,
        lastEvent: last,
      }
    })

  /** Runs of which there are events or reports, but no row any more, and of which nothing was heard since. */
  const orphans = (before: string, most: number): Effect.Effect<ReadonlyArray<string>, RunStoreError> =>
    look(() =>
      database
        .all<{ readonly run_id: string }>({
          text: `SELECT run_id FROM run_logs WHERE received_at < ?
            AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.run_id = run_logs.run_id)
            AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.parent_run_id = run_logs.run_id)
          ORDER BY received_at LIMIT ?`,
          values: [before, most],
        })
        .map(({ run_id }) => run_id),
    )

  return {
    window,
    of,
    orphans,
    eventsOf,
    withEvents: (some: ReadonlyArray<string>) => look(() => withEvents(some)),
    /** The rows of some runs from where the last page ended. */
    rowsOf: (members: ReadonlyArray<string>, at: Rows.Turn) => look(() => rows.names(members, at)),
  }
}
