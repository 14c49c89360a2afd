import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { RunStoreError } from "../services/RunStore.js"
import type { PruneOptions } from "../services/StoreKeeping.js"
import { add, NOTHING, type Pruned, type PrunePlace, type PruneStep } from "../src/domain/Pruning.js"
import { fromMillis } from "../src/domain/Timestamp.js"
import * as NextTurn from "./NextTurn.js"
import * as Bodies from "./RunStoreSqlBodies.js"
import type { Database } from "./RunStoreSqlDatabase.js"
import * as Emptied from "./RunStoreSqlEmptied.js"
import * as Families from "./RunStoreSqlFamilies.js"
import * as Rows from "./RunStoreSqlFamilyRows.js"
import type * as Space from "./RunStoreSqlSpace.js"
import type * as Writes from "./RunStoreSqlWrites.js"

/** Rows and events of one transaction: few enough for writers that wait, and for the room that a ballast gives up. */
const AT_ONCE = 200
const AT_ONCE_WHEN_FULL = 20
const ORPHANS_AT_ONCE = 50

/** What the retention works with. */
export interface Desk {
  readonly sql: SqlClient.SqlClient
  /** A connection of its own for looking. */
  readonly database: Database
  readonly writes: Pick<ReturnType<typeof Writes.make>, "saveRows" | "removeRows">
  readonly space: ReturnType<typeof Space.make>
  /** One transaction in the writers' queue, also on a full disk. */
  readonly transact: <A, E>(operation: string, work: Effect.Effect<A, E>) => Effect.Effect<A, RunStoreError>
  /** A turn in the writers' queue without a transaction. */
  readonly alone: <A, E>(operation: string, work: Effect.Effect<A, E>) => Effect.Effect<A, RunStoreError>
  /** Whether the disk is full, so that only a little can be written at a time. */
  readonly isFull: () => boolean
  /** A look through `database`. */
  readonly look: <A>(look: () => A) => Effect.Effect<A, RunStoreError>
}

const OPERATION = "remove old runs"

/** After so long emptying begins with the oldest run again, and a run that still is not quiet holds nothing up. */
const PASS_MILLIS = 24 * 60 * 60 * 1000

const NEXT_PHASE = { bodies: "rows", rows: "orphans", orphans: "compact" } as const

const AGAIN = { ...Families.START, since: undefined }

/** What goes of a family in a phase. A dry run has counted the bodies before, a real one has taken them. */
const share = ({ holds, bodyBytes }: Families.Family, { phase }: PrunePlace, isCounted: boolean): Pruned => {
  if (phase === "bodies") return { ...NOTHING, emptied_runs: 1, events: holds.events, bytes: bodyBytes }
  return isCounted ? { ...holds, events: 0, bytes: Math.max(0, holds.bytes - bodyBytes) } : holds
}

/** Emptying a family of less is not worth a transaction. */
const LEAST_BYTES = 4096

/** Still being written, as far as anybody can tell. */
const isAlive = ({ isRunning, heard }: Families.Family, { quietSince }: PruneOptions): boolean =>
  isRunning || heard >= quietSince

const mayGo = (family: Families.Family, options: PruneOptions, phase: PrunePlace["phase"]): boolean => {
  if (isAlive(family, options) || (phase === "bodies" && family.bodyBytes < LEAST_BYTES)) return false
  return options.goal.kind === "size" || family.newest < options.goal.before
}

const justBefore = ({ created_at, id }: Families.First): Families.Place => ({ created_at, id: id - 1 })

/** When each run's newest event of some was recorded. */
const newest = (events: ReadonlyArray<{ readonly run_id: string; readonly ts: string }>) => {
  const found = new Map<string, string>()
  for (const { run_id, ts } of events) if (ts > (found.get(run_id) ?? "")) found.set(run_id, ts)
  return JSON.stringify([...found])
}

/** Removes what is to go, a step at a time; see `StoreKeeping.prune`. */
export const make = ({ sql, database, writes, space, transact, alone, isFull, look }: Desk) => {
  const families = Families.make(database, look)
  const emptied = Emptied.make(sql, database)
  const empty = Bodies.make(sql, writes)

  const atOnce = () => (isFull() ? AT_ONCE_WHEN_FULL : AT_ONCE)

  /** On a full disk the log has to stay small: what it was given goes into the file before more comes. */
  const foldedWhenFull = Effect.suspend(() =>
    isFull() ? Effect.ignore(alone("fold its log", space.fold)) : Effect.void,
  )

  /** One short transaction, and then whoever waits. */
  const step = <A>(work: Effect.Effect<A, SqlError>) =>
    transact(OPERATION, work).pipe(Effect.zipLeft(foldedWhenFull), Effect.zipLeft(NextTurn.nextTurn))

  /** Up to which event they went stays known, so that one that is sent again does not count as another. */
  const removeSomeEvents = (members: string) =>
    Effect.gen(function* () {
      const removed = yield* sql<{ readonly run_id: string; readonly ts: string }>`DELETE FROM events
        WHERE id IN (SELECT id FROM events WHERE run_id IN (SELECT value FROM json_each(${members})) LIMIT ${atOnce()})
        RETURNING run_id, ts`
      yield* sql`UPDATE run_logs SET let_go_to = max(coalesce(let_go_to, ''), gone.ts)
        FROM (SELECT value ->> 0 AS run_id, value ->> 1 AS ts FROM json_each(${newest(removed)})) AS gone
        WHERE run_logs.run_id = gone.run_id`
      return removed.length
    })

  const removeEvents = (members: ReadonlyArray<string>) =>
    Effect.forEach(
      Families.pieces(members),
      (some) =>
        Effect.flatMap(families.withEvents(some), (those) =>
          those.length === 0
            ? Effect.void
            : Effect.repeat(step(removeSomeEvents(JSON.stringify(those))), { until: (removed) => removed === 0 }),
        ),
      { discard: true },
    )

  /** What is known of runs besides their rows. */
  const forget = (members: ReadonlyArray<string>) =>
    Effect.forEach(
      Families.pieces(members),
      (some) => {
        const those = JSON.stringify(some)
        return step(
          sql`DELETE FROM client_reports WHERE run_id IN (SELECT value FROM json_each(${those}))`.pipe(
            Effect.zipRight(sql`DELETE FROM run_logs WHERE run_id IN (SELECT value FROM json_each(${those}))
              AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.run_id = run_logs.run_id)`),
          ),
        )
      },
      { discard: true },
    )

  /** Rows that came to life since they were judged stay. */
  const removeRows = (eventIds: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const ended = yield* sql<{ readonly event_id: string }>`SELECT event_id FROM runs
        WHERE event_id IN (SELECT value FROM json_each(${JSON.stringify(eventIds)})) AND status <> 'running'`
      yield* writes.removeRows(ended.map(({ event_id }) => event_id))
    })

  /** From the furthest descendants on, so that what is left after a stop still has its parents. */
  const take = ({ members }: Families.Family, phase: PrunePlace["phase"]) =>
    Effect.gen(function* () {
      yield* removeEvents(members)
      const work = phase === "bodies" ? empty : removeRows
      const fromLast = members.toReversed()
      let turn: Rows.Turn | null = Rows.BEGINNING
      while (turn !== null) {
        const page: Rows.Page<{ readonly event_id: string }> = yield* families.rowsOf(fromLast, turn)
        const eventIds = page.rows.map(({ event_id }) => event_id)
        yield* Effect.forEach(Families.pieces(eventIds, atOnce()), (some) => step(work(some)), { discard: true })
        turn = page.next
      }
      if (phase === "rows") yield* forget(members)
    })

  const isEnough = ({ goal, dryRun }: PruneOptions, spared: number) =>
    goal.kind === "age"
      ? Effect.succeed(false)
      : Effect.map(
          alone("measure itself", space.size),
          ({ used_bytes }) => used_bytes - (dryRun ? spared : 0) <= goal.to_bytes,
        )

  const passMillis = Effect.map(Clock.currentTimeMillis, (now) => ({
    now: fromMillis(now),
    before: fromMillis(Math.max(0, now - PASS_MILLIS)),
  }))

  /** One window of rows in the order of creation. */
  const walk = (options: PruneOptions, place: PrunePlace) =>
    Effect.gen(function* () {
      const { goal, dryRun } = options
      const pass = yield* passMillis
      const since = place.since ?? Families.START
      const { firsts, end, isLast } = yield* families.window(place, since, goal.kind === "age" ? goal.before : null)
      let pruned = NOTHING
      let reached: Families.Place = end
      let waitsFor: Families.First | undefined
      for (const first of firsts) {
        const family = yield* families.of(first, since)
        if (family === undefined) continue
        if (!mayGo(family, options, place.phase)) {
          if (isAlive(family, options) && family.newest > pass.before) waitsFor ??= first
          continue
        }
        if (yield* isEnough(options, place.spared + pruned.bytes)) {
          reached = justBefore(first)
          break
        }
        if (!dryRun) yield* take(family, place.phase)
        pruned = add(pruned, share(family, place, dryRun && goal.kind === "size"))
      }
      if (waitsFor !== undefined) reached = justBefore(waitsFor)
      if (place.phase === "bodies" && !dryRun) yield* step(emptied.reach(place, reached, pass.now))
      return { pruned, end: isLast ? null : end }
    })

  const removeOrphans = ({ goal, quietSince, dryRun }: PruneOptions) =>
    Effect.gen(function* () {
      const before = goal.kind === "age" && goal.before < quietSince ? goal.before : quietSince
      const found = yield* families.orphans(before, ORPHANS_AT_ONCE)
      const { events, bytes } = yield* families.eventsOf(found)
      if (!dryRun && found.length > 0) {
        yield* removeEvents(found)
        yield* forget(found)
      }
      if (!dryRun && goal.kind === "age") yield* step(sql`DELETE FROM pending_updates WHERE received_at < ${before}`)
      const pruned: Pruned = { ...NOTHING, events, bytes }
      return { pruned, more: !dryRun && found.length === ORPHANS_AT_ONCE }
    })

  /** What was removed is removed: a log that cannot be folded now, for want of room or because somebody reads, is folded later. */
  const folded = Effect.catchAll(alone("fold its log", space.fold), (error) => Effect.logWarning(error.message))

  const compact = (isDry: boolean) =>
    Effect.gen(function* () {
      if (isDry) return false
      const more = yield* step(space.shrink(isFull()))
      if (!more) yield* folded
      return more
    })

  const after = (pruned: Pruned, place: PrunePlace, next: PrunePlace | null) =>
    Effect.map(
      alone("measure itself", space.size),
      (size): PruneStep => ({
        pruned,
        next: next === null ? null : { ...next, spared: place.spared + pruned.bytes },
        size,
      }),
    )

  /** Emptying goes on where an earlier pruning came to; whole runs go from the oldest on. */
  const begin = ({ goal }: PruneOptions) =>
    Effect.gen(function* () {
      const beginning: PrunePlace = { phase: "rows", ...AGAIN, spared: 0 }
      if (goal.kind === "age") return beginning
      const { before } = yield* passMillis
      const since = yield* look(() => emptied.place(before))
      return { ...beginning, phase: "bodies" as const, ...since, since }
    })

  return (options: PruneOptions): Effect.Effect<PruneStep, RunStoreError> =>
    Effect.gen(function* () {
      const place = options.place ?? (yield* begin(options))
      if (place.phase === "compact") {
        const more = yield* compact(options.dryRun)
        return yield* after(NOTHING, place, more ? place : null)
      }
      const done: PrunePlace = { ...place, phase: "compact", ...AGAIN }
      if (yield* isEnough(options, place.spared)) return yield* after(NOTHING, place, done)
      if (place.phase === "orphans") {
        const { pruned, more } = yield* removeOrphans(options)
        return yield* after(pruned, place, more ? place : done)
      }
      const { pruned, end } = yield* walk(options, place)
      const next: PrunePlace =
        end === null ? { ...place, phase: NEXT_PHASE[place.phase], ...AGAIN } : { ...place, ...end }
      return yield* after(pruned, place, next)
    })
}
