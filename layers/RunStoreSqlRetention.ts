import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { RunStoreError } from "../services/RunStore.js"
import type { PruneOptions } from "../services/StoreKeeping.js"
import { add, NOTHING, type Pruned, type PrunePlace, type PruneStep } from "../src/domain/Pruning.js"
import { fromMillis, parseMillis } from "../src/domain/Timestamp.js"
import * as NextTurn from "./NextTurn.js"
import type { Database } from "./RunStoreSqlDatabase.js"
import * as Emptied from "./RunStoreSqlEmptied.js"
import * as Families from "./RunStoreSqlFamilies.js"
import * as Removal from "./RunStoreSqlRemoval.js"
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

/** So long changes wait for the row that they are of, where no age is named. */
const WAITING_MILLIS = 24 * 60 * 60 * 1000

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

/** Removes what is to go, a step at a time; see `StoreKeeping.prune`. */
export const make = ({ sql, database, writes, space, transact, alone, isFull, look }: Desk) => {
  const families = Families.make(database, look)
  const emptied = Emptied.make(sql, database)

  const atOnce = () => (isFull() ? AT_ONCE_WHEN_FULL : AT_ONCE)

  /** On a full disk the log has to stay small: what it was given goes into the file before more comes. */
  const foldedWhenFull = Effect.suspend(() =>
    isFull() ? Effect.ignore(alone("fold its log", space.fold)) : Effect.void,
  )

  /** One short transaction, and then whoever waits. */
  const step = <A>(work: Effect.Effect<A, SqlError>) =>
    transact(OPERATION, work).pipe(Effect.zipLeft(foldedWhenFull), Effect.zipLeft(NextTurn.nextTurn))

  const removal = Removal.make({ sql, writes, families, step, atOnce })

  /** False when it came to life meanwhile. */
  const take = (family: Families.Family, { goal, quietSince }: PruneOptions, phase: PrunePlace["phase"]) =>
    removal.take(
      { ...family, quietSince, before: goal.kind === "age" ? goal.before : null },
      phase === "bodies" ? "bodies" : "rows",
    )

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
        if (!dryRun && !(yield* take(family, options, place.phase))) {
          waitsFor ??= first
          continue
        }
        pruned = add(pruned, share(family, place, dryRun && goal.kind === "size"))
      }
      if (waitsFor !== undefined) reached = justBefore(waitsFor)
      if (place.phase === "bodies" && !dryRun) yield* step(emptied.reach(place, reached, pass.now))
      return { pruned, end: isLast ? null : end }
    })

  /** The changes that wait for a row go too, when it has not come for so long. */
  const removeWaiting = ({ goal, quietSince }: PruneOptions, before: string) => {
    const latest =
      goal.kind === "age" ? before : fromMillis(Math.max(0, (parseMillis(quietSince) ?? 0) - WAITING_MILLIS))
    const some = Effect.suspend(
      () => sql`DELETE FROM pending_updates
        WHERE id IN (SELECT id FROM pending_updates WHERE received_at < ${latest} ORDER BY id LIMIT ${atOnce()})
        RETURNING id`,
    )
    return Effect.repeat(step(some), { until: (removed) => removed.length === 0 })
  }

  const removeOrphans = (options: PruneOptions) =>
    Effect.gen(function* () {
      const { goal, quietSince, dryRun } = options
      const before = goal.kind === "age" && goal.before < quietSince ? goal.before : quietSince
      const found = yield* families.orphans(before, ORPHANS_AT_ONCE)
      const { events, bytes, last } = yield* families.eventsOf(found)
      const judged = { members: found, lastRow: 0, lastEvent: last, quietSince: before, before: null }
      const areQuiet = dryRun || (yield* removal.removeEvents(judged))
      if (!areQuiet) return { pruned: NOTHING, more: true }
      if (!dryRun) {
        yield* removal.forget(judged)
        yield* removeWaiting(options, before)
      }
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
