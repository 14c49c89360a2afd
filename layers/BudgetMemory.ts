import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as STM from "effect/STM"
import * as TRef from "effect/TRef"
import type { BudgetExceeded, BudgetService, Reservation } from "../services/Budget.js"
import { type BudgetLimits, type Limit, ofCalendar, ofLaunch, thresholdsOf } from "../src/domain/BudgetLimits.js"
import { type About, type BudgetWindow, calendar, keyOf, launch } from "../src/domain/BudgetWindow.js"
import { add, emptyTally, type Spending, subtract, type Tally } from "../src/domain/Spending.js"
import * as BudgetRules from "./BudgetRules.js"

interface State {
  readonly tallies: ReadonlyMap<string, Tally>
  readonly raised: ReadonlySet<string>
}

/** What is counted, and which limits bind, of a call. */
export interface Scheme {
  readonly windows: (about: About, atMillis: number, spending: Spending) => ReadonlyArray<BudgetWindow>
  readonly limits: (about: About, atMillis: number) => ReadonlyArray<Limit>
  readonly thresholds: ReadonlyArray<number>
}

/** The launch alone: every call counts, free ones too. */
export const launchOnly = (limits: BudgetLimits): Scheme => ({
  windows: () => [launch],
  limits: () => ofLaunch(limits),
  thresholds: thresholdsOf(limits),
})

/** Day, month, worker and model: only real calls count. */
export const calendarOnly = (limits: BudgetLimits): Scheme => ({
  windows: (about, atMillis, { isFree }) => (isFree === true ? [] : calendar(about, atMillis)),
  limits: (about, atMillis) => ofCalendar(limits, about, atMillis),
  thresholds: thresholdsOf(limits),
})

/** Both. */
export const everything = (limits: BudgetLimits): Scheme => {
  const [one, other] = [launchOnly(limits), calendarOnly(limits)]
  return {
    windows: (about, at, spending) => [...one.windows(about, at, spending), ...other.windows(about, at, spending)],
    limits: (about, at) => [...one.limits(about, at), ...other.limits(about, at)],
    thresholds: one.thresholds,
  }
}

const changed = (
  tallies: ReadonlyMap<string, Tally>,
  windows: ReadonlyArray<BudgetWindow>,
  change: (tally: Tally) => Tally,
): ReadonlyMap<string, Tally> => {
  const after = new Map(tallies)
  for (const window of windows) after.set(keyOf(window), change(after.get(keyOf(window)) ?? emptyTally))
  return after
}

const tallyIn = (tallies: ReadonlyMap<string, Tally>) => (window: BudgetWindow) =>
  tallies.get(keyOf(window)) ?? emptyTally

type Wish = Omit<Reservation, "number">

/** The alerts that a state gives rise to and that were not raised yet. */
const told = (state: State, scheme: Scheme, { about, atMillis }: Wish) => {
  const limits = scheme.limits(about, atMillis)
  const spentOf = (window: BudgetWindow) => tallyIn(state.tallies)(window).spent
  const name = ({ limit, percent }: BudgetRules.Crossing) =>
    `${keyOf(limit.window)} ${limit.measure} ${limit.most} ${percent}`
  const fresh = BudgetRules.crossings(limits, scheme.thresholds, spentOf).filter(
    (crossing) => !state.raised.has(name(crossing)),
  )
  return {
    alerts: fresh.map((crossing) => BudgetRules.alert(crossing, limits, spentOf(crossing.limit.window))),
    raised: new Set([...state.raised, ...fresh.map(name)]),
  }
}

const verdictIn = (state: State, scheme: Scheme, { about, atMillis, estimate }: Wish): BudgetRules.Verdict =>
  BudgetRules.verdict(scheme.limits(about, atMillis), tallyIn(state.tallies), estimate, about)

const moved = (
  { tallies }: State,
  scheme: Scheme,
  { about, atMillis, estimate }: Wish,
  reserve: typeof add,
): ReadonlyMap<string, Tally> =>
  changed(tallies, scheme.windows(about, atMillis, estimate), (tally) => ({
    ...tally,
    reserved: reserve(tally.reserved, estimate),
  }))

const counted = (state: State, scheme: Scheme, { about, atMillis, ...wish }: Wish, actual: Spending): State => {
  const freed = moved(state, scheme, { about, atMillis, ...wish }, subtract)
  const tallies = changed(freed, scheme.windows(about, atMillis, actual), (tally) => ({
    ...tally,
    spent: add(tally.spent, actual),
  }))
  return { ...state, tallies }
}

/** A budget in the memory of one process, with a look at what it counts. */
export interface BudgetMemory extends BudgetService {
  /** By window, as {@link keyOf} names it. */
  readonly tallies: Effect.Effect<ReadonlyMap<string, Tally>>
}

/** A budget that this process alone keeps. `seed` is what was spent before, by window. */
export const make = (scheme: Scheme, seed: ReadonlyMap<string, Tally> = new Map()): Effect.Effect<BudgetMemory> =>
  Effect.map(STM.commit(TRef.make<State>({ tallies: seed, raised: new Set() })), (ref) => {
    /** Whether it was set aside; false while only calls in flight stand in the way. */
    const taken = (wish: Wish) =>
      STM.flatMap(TRef.get(ref), (state) => {
        const verdict = verdictIn(state, scheme, wish)
        if (verdict._tag === "Refused") return STM.fail(verdict.error)
        if (verdict._tag === "Blocked") return STM.succeed(false)
        return STM.as(TRef.set(ref, { ...state, tallies: moved(state, scheme, wish, add) }), true)
      })

    const room = (wish: Wish) =>
      STM.flatMap(TRef.get(ref), (state) =>
        verdictIn(state, scheme, wish)._tag === "Blocked" ? STM.retry : STM.succeed(undefined),
      )

    /** Waiting can be interrupted, taking cannot: nothing is set aside for a call that is not there any more. */
    const take = (wish: Wish): Effect.Effect<void, BudgetExceeded> =>
      Effect.flatMap(STM.commit(taken(wish)), (done) =>
        done ? Effect.void : Effect.zipRight(Effect.interruptible(STM.commit(room(wish))), take(wish)),
      )

    return {
      reserve: (estimate, about) =>
        Effect.uninterruptible(
          Effect.flatMap(Clock.currentTimeMillis, (atMillis) =>
            Effect.as(take({ estimate, about, atMillis }), { estimate, about, atMillis, number: null }),
          ),
        ),
      settle: (reservation, actual) =>
        STM.commit(
          TRef.modify(ref, (before) => {
            const state = counted(before, scheme, reservation, actual)
            const { alerts, raised } = told(state, scheme, reservation)
            return [alerts, { ...state, raised }]
          }),
        ),
      spent: Effect.map(STM.commit(TRef.get(ref)), ({ tallies }) => tallyIn(tallies)(launch).spent),
      tallies: Effect.map(STM.commit(TRef.get(ref)), ({ tallies }) => tallies),
    }
  })
