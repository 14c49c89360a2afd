import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as STM from "effect/STM"
import * as TRef from "effect/TRef"
import type { BudgetAlert, BudgetExceeded, BudgetService, Reservation } from "../services/Budget.js"
import {
  type BudgetLimits,
  ofCalendar,
  type StandingLimit,
  thresholdsOf,
  windowsAt,
} from "../src/domain/BudgetLimits.js"
import { type About, type BudgetWindow, calendar, keyOf } from "../src/domain/BudgetWindow.js"
import { add, emptyTally, type Spending, type Tally } from "../src/domain/Spending.js"
import type { BudgetLedgerFile, Holder } from "./BudgetLedgerFile.js"
import * as BudgetLedgerOwners from "./BudgetLedgerOwners.js"
import * as BudgetMemory from "./BudgetMemory.js"
import * as BudgetRules from "./BudgetRules.js"
import * as FileProblem from "./FileProblem.js"

/** A ledger in use by one layer of one process. Nothing of it fails for the ledger's sake: without it this process counts alone. */
export interface BudgetLedgerBook extends Pick<BudgetService, "reserve" | "settle"> {
  /** Keeps the limits for those who look at the ledger. */
  readonly configure: (limits: ReadonlyArray<StandingLimit>) => Effect.Effect<void>
  readonly close: Effect.Effect<void>
}

class StepFailed extends Data.TaggedError("StepFailed")<{ readonly cause: unknown }> {}

/** Whether somebody else is at the ledger at this moment. */
export const isBusy = (cause: unknown): boolean => /^SQLITE_(?:BUSY|LOCKED)/.test(FileProblem.code(cause) ?? "")

/** A step takes well under a millisecond: whoever is at it is soon done, unless it was stopped in the middle. */
const patience = Schedule.union(Schedule.exponential("2 millis"), Schedule.spaced("50 millis")).pipe(
  Schedule.jittered,
  Schedule.upTo("5 seconds"),
)

/** How long a waiting call looks away; what this process gives back it sees at once. */
const pauseMillis = (round: number): number => Math.min(1000, 50 * 2 ** Math.min(round, 5))

type Outcome =
  | { readonly _tag: "Taken"; readonly reservation: Reservation }
  | { readonly _tag: "Blocked"; readonly owners: ReadonlyArray<BudgetLedgerOwners.HolderRow> }

export const make = (
  file: BudgetLedgerFile,
  holder: Holder,
  path: string,
  limits: BudgetLimits,
): Effect.Effect<BudgetLedgerBook> =>
  Effect.gen(function* () {
    const turn = yield* STM.commit(TRef.make(0))
    const alone = yield* Ref.make(Option.none<BudgetMemory.BudgetMemory>())
    const thresholds = thresholdsOf(limits)
    /** What was last seen to be spent, and what of this layer is in flight: from there it goes on when the ledger is lost. */
    const seen = new Map<string, Spending>()
    const inFlight = new Map<number, Reservation>()
    const owed: Array<readonly [ReadonlyArray<BudgetWindow>, Spending]> = []

    const together = <A>(steps: () => A): Effect.Effect<A, StepFailed> =>
      Effect.try({ try: () => file.together(steps), catch: (cause) => new StepFailed({ cause }) }).pipe(
        Effect.retry({ schedule: patience, while: ({ cause }) => isBusy(cause) }),
      )

    const seed = (): ReadonlyMap<string, Tally> => {
      const tallies = new Map([...seen].map(([key, spent]) => [key, { ...emptyTally, spent }] as const))
      for (const { about, atMillis, estimate } of inFlight.values())
        for (const window of calendar(about, atMillis)) {
          const tally = tallies.get(keyOf(window)) ?? emptyTally
          tallies.set(keyOf(window), { ...tally, reserved: add(tally.reserved, estimate) })
        }
      return tallies
    }

    /** A ledger that somebody keeps from being written can still be read, as a rule; one that cannot stands as it was last seen. */
    const look = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.ignore(
        Effect.try(() => {
          for (const window of windowsAt(limits, now)) seen.set(keyOf(window), file.tally(window).spent)
        }),
      ),
    )
    yield* look

    /** The ledger is given up on for good: a memory that comes and goes would count some calls twice. */
    const goAlone = ({ cause }: StepFailed): Effect.Effect<BudgetMemory.BudgetMemory> =>
      Effect.flatMap(Ref.get(alone), (before) =>
        Option.isSome(before)
          ? Effect.succeed(before.value)
          : Effect.gen(function* () {
              yield* look
              const memory = yield* BudgetMemory.make(BudgetMemory.calendarOnly(limits), seed())
              yield* Ref.set(alone, Option.some(memory))
              yield* Effect.logWarning(
                `${FileProblem.explain("write the ledger of budgets", path, cause)}. This process goes on counting alone: other processes and it do not see each other's spending.`,
              )
              return memory
            }),
      )

    const read = (bound: ReadonlyArray<{ readonly window: BudgetWindow }>) => {
      const tallies = new Map(bound.map(({ window }) => [keyOf(window), file.tally(window)] as const))
      for (const [key, { spent }] of tallies) seen.set(key, spent)
      return (window: BudgetWindow): Tally => tallies.get(keyOf(window)) ?? emptyTally
    }

    const step = (estimate: Spending, about: About, atMillis: number) => (): Either.Either<Outcome, BudgetExceeded> => {
      const bound = ofCalendar(limits, about, atMillis)
      const verdict = BudgetRules.verdict(bound, read(bound), estimate, about)
      if (verdict._tag === "Refused") {
        file.refused(verdict.by)
        return Either.left(verdict.error)
      }
      if (verdict._tag === "Blocked") return Either.right({ _tag: "Blocked", owners: file.holders(holder.owner) })
      const number = file.reserve(holder, estimate, about, atMillis)
      return Either.right({ _tag: "Taken", reservation: { estimate, about, atMillis, number } })
    }

    const release = ({ before, owner }: BudgetLedgerOwners.Forfeit) =>
      Effect.ignore(together(() => file.releaseOwner(owner, before)))

    /** Until something of this process was given back, or for a while; then what dead processes left is given free. */
    const wait = (seenTurn: number, round: number, owners: ReadonlyArray<BudgetLedgerOwners.HolderRow>) =>
      Effect.gen(function* () {
        const forfeits = yield* BudgetLedgerOwners.forfeits(owners)
        yield* Effect.forEach(forfeits, release, { discard: true })
        if (forfeits.length > 0) return
        const changed = STM.commit(STM.flatMap(TRef.get(turn), (now) => STM.check(() => now !== seenTurn)))
        yield* Effect.raceFirst(changed, Effect.sleep(pauseMillis(round)))
      })

    const take = (estimate: Spending, about: About, round: number): Effect.Effect<Reservation, BudgetExceeded> =>
      Effect.gen(function* () {
        const memory = yield* Ref.get(alone)
        if (Option.isSome(memory)) return yield* memory.value.reserve(estimate, about)
        const seenTurn = yield* STM.commit(TRef.get(turn))
        const atMillis = yield* Clock.currentTimeMillis
        const tried = yield* Effect.either(together(step(estimate, about, atMillis)))
        if (Either.isLeft(tried)) return yield* (yield* goAlone(tried.left)).reserve(estimate, about)
        const outcome = yield* tried.right
        if (outcome._tag === "Taken") {
          if (outcome.reservation.number !== null) inFlight.set(outcome.reservation.number, outcome.reservation)
          return outcome.reservation
        }
        yield* Effect.interruptible(wait(seenTurn, round, outcome.owners))
        return yield* take(estimate, about, round + 1)
      })

    const counted =
      ({ about, atMillis, number }: Reservation, actual: Spending) =>
      (): ReadonlyArray<BudgetAlert> => {
        if (number !== null) file.release(number)
        if (actual.isFree === true) return []
        file.count(calendar(about, atMillis), actual)
        const bound = ofCalendar(limits, about, atMillis)
        const tallyOf = read(bound)
        return BudgetRules.crossings(bound, thresholds, (window) => tallyOf(window).spent)
          .filter(({ limit, percent }) => file.isFirst(limit.window, limit.most, percent, atMillis))
          .map((crossing) => BudgetRules.alert(crossing, bound, tallyOf(crossing.limit.window).spent))
      }

    const countedAlone = (memory: BudgetMemory.BudgetMemory, reservation: Reservation, actual: Spending) =>
      Effect.suspend(() => {
        if (actual.isFree !== true) owed.push([calendar(reservation.about, reservation.atMillis), actual])
        return memory.settle(reservation, actual)
      })

    const settle: BudgetService["settle"] = (reservation, actual) =>
      Effect.gen(function* () {
        const memory = yield* Ref.get(alone)
        if (Option.isSome(memory)) return yield* countedAlone(memory.value, reservation, actual)
        const tried = yield* Effect.either(together(counted(reservation, actual)))
        if (Either.isLeft(tried)) return yield* countedAlone(yield* goAlone(tried.left), reservation, actual)
        return tried.right
      }).pipe(
        Effect.ensuring(Effect.sync(() => reservation.number !== null && inFlight.delete(reservation.number))),
        Effect.ensuring(STM.commit(TRef.update(turn, (before) => before + 1))),
      )

    const leave = together(() => {
      for (const [windows, spending] of owed) file.count(windows, spending)
      file.releaseHolder(holder.id)
    }).pipe(
      Effect.catchAll(({ cause }) =>
        owed.length === 0
          ? Effect.void
          : Effect.logWarning(
              `${FileProblem.explain("write the ledger of budgets", path, cause)}. ${owed.length} calls of this process are not counted there.`,
            ),
      ),
      Effect.ensuring(Effect.ignore(Effect.try(() => file.close()))),
    )

    return {
      reserve: (estimate, about) => Effect.uninterruptible(take(estimate, about, 0)),
      settle: (reservation, actual) => Effect.uninterruptible(settle(reservation, actual)),
      configure: (given) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) =>
          Effect.asVoid(
            Effect.catchAll(
              together(() => file.configure(given, now)),
              goAlone,
            ),
          ),
        ),
      close: leave,
    }
  })
