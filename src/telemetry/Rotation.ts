import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as FiberRefs from "effect/FiberRefs"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import * as OpenRun from "./OpenRun.js"
import * as Period from "./Period.js"
import * as Warnings from "./Warnings.js"

/** How long a call waits for a run that is being opened, before it is made without. */
const PATIENCE = Duration.seconds(1)
/** After how long a run that could not be opened is tried again. */
const RETRY_AFTER = Duration.minutes(1)
/** How long after its period the run of an idle program is closed: a busy one has turned to the next by then. */
const GRACE_MILLIS = 60_000
/** A timer knows nothing of a wall clock that is set, or of a machine that sleeps: it looks from time to time. */
const LOOK_MILLIS = 3_600_000

interface Opening {
  readonly done: Deferred.Deferred<void>
  /** True when nobody waits for it any more: it takes too long, or it failed and is tried again later. */
  late: boolean
}

type Opened = OpenRun.Recording | Tracer.ParentSpan
type AnyExit = Exit.Exit<unknown, unknown>

/** Runs that follow each other, period by period: at most one is current, those before it end when their last call has. */
export interface Rotation<E> {
  readonly open: (period: Period.Period) => Layer.Layer<Opened, E>
  readonly everyMillis: number
  readonly nowhere: OpenRun.OpenRun
  readonly warnings: Warnings.Warnings
  /** Of the program, rather than of the call that happens to open a run. */
  readonly fiberRefs: FiberRefs.FiberRefs
  readonly closing: Deferred.Deferred<AnyExit>
  readonly lives: Set<Fiber.Fiber<unknown>>
  current: OpenRun.OpenRun | undefined
  opening: Opening | undefined
}

const settle = (opening: Opening): void => Deferred.unsafeDone(opening.done, Effect.void)

const takeOver = <E>(rotation: Rotation<E>, opening: Opening, next: OpenRun.OpenRun): void => {
  const previous = rotation.current
  rotation.current = next
  rotation.opening = undefined
  settle(opening)
  if (previous !== undefined) OpenRun.retire(previous)
}

/** Retires a run whose period is over, unless the next one cannot be had and calls still need this one. */
const timer = <E>(rotation: Rotation<E>, run: OpenRun.OpenRun): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const left = run.period.endMillis + GRACE_MILLIS - now
    if (left > 0)
      return Effect.zipRight(Effect.sleep(Duration.millis(Math.min(left, LOOK_MILLIS))), timer(rotation, run))
    if (rotation.current === run && rotation.opening !== undefined)
      return Effect.zipRight(Effect.sleep(RETRY_AFTER), timer(rotation, run))
    if (rotation.current === run) rotation.current = undefined
    return Effect.sync(() => OpenRun.retire(run))
  })

/** A program that is told to stop has done what it was to do: its run is complete. */
const endingOf = (exit: AnyExit): AnyExit =>
  Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause) ? Exit.void : exit

const ended = <E>(rotation: Rotation<E>, run: OpenRun.OpenRun): Effect.Effect<AnyExit> =>
  Deferred.await(run.idle).pipe(
    Effect.raceFirst(Effect.zipRight(timer(rotation, run), Effect.never)),
    Effect.as(Exit.void),
    Effect.raceFirst(
      Effect.map(Deferred.await(rotation.closing), (exit) => (OpenRun.isDone(run) ? Exit.void : endingOf(exit))),
    ),
  )

const failed = <E>(rotation: Rotation<E>, opening: Opening, { name }: Period.Period, cause: Cause.Cause<E>) => {
  opening.late = true
  settle(opening)
  const tryAgain = Effect.sync(() => {
    rotation.opening = undefined
  })
  return rotation.warnings
    .guard(`The run of ${name} could not be opened`, Effect.failCause(cause))
    .pipe(
      Effect.zipRight(Effect.sleep(RETRY_AFTER)),
      Effect.zipRight(tryAgain),
      Effect.raceFirst(Effect.asVoid(Deferred.await(rotation.closing))),
    )
}

const build = <E>(rotation: Rotation<E>, period: Period.Period, scope: Scope.Scope) =>
  Layer.buildWithScope(
    Layer.suspend(() => rotation.open(period)),
    scope,
  ).pipe(
    Effect.disconnect,
    Effect.raceFirst(Effect.zipRight(Deferred.await(rotation.closing), Effect.interrupt)),
    Effect.exit,
  )

/** A run from before it is opened until it is closed. */
const life = <E>(rotation: Rotation<E>, period: Period.Period, opening: Opening): Effect.Effect<void> =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const built: Exit.Exit<Context.Context<Opened>, E> = yield* build(rotation, period, scope)
    if (Exit.isFailure(built)) {
      yield* Scope.close(scope, built)
      return yield* failed(rotation, opening, period, built.cause)
    }
    const span = Context.get(built.value, Tracer.ParentSpan)
    const run = yield* OpenRun.make(period, Context.omit(Tracer.ParentSpan)(built.value), span)
    takeOver(rotation, opening, run)
    yield* Scope.close(scope, yield* ended(rotation, run))
  })

/** Apart from the call that needs it, and not stopped when that is. */
const begin = <E>(rotation: Rotation<E>, period: Period.Period): Effect.Effect<Opening> =>
  Effect.gen(function* () {
    const opening: Opening = { done: yield* Deferred.make<void>(), late: false }
    rotation.opening = opening
    const fiber = yield* Effect.setFiberRefs(rotation.fiberRefs).pipe(
      Effect.zipRight(life(rotation, period, opening)),
      Effect.interruptible,
      Effect.forkDaemon,
    )
    rotation.lives.add(fiber)
    fiber.addObserver(() => rotation.lives.delete(fiber))
    return opening
  })

const giveUp = <E>({ current }: Rotation<E>, opening: Opening): Effect.Effect<void> => {
  opening.late = true
  const meanwhile = current === undefined ? "unrecorded" : `in the run of ${current.period.name}`
  return Effect.logWarning(
    `A new run is not open after ${Duration.format(PATIENCE)}; until it is, calls are made ${meanwhile}.`,
  )
}

const awaited = <E>(rotation: Rotation<E>, opening: Opening): Effect.Effect<void> =>
  Deferred.await(opening.done).pipe(
    Effect.timeoutOption(PATIENCE),
    Effect.flatMap((done) => (Option.isNone(done) && !opening.late ? giveUp(rotation, opening) : Effect.void)),
  )

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const entered = <E>(rotation: Rotation<E>, restore: Restore): Effect.Effect<OpenRun.OpenRun> =>
  Effect.clockWith((clock) => {
    const { current, opening, nowhere } = rotation
    const now = clock.unsafeCurrentTimeMillis()
    if (current !== undefined && Period.holds(current.period, now)) return Effect.succeed(OpenRun.enter(current))
    if (opening?.late === true) return Effect.succeed(OpenRun.enter(current ?? nowhere))
    const own = opening === undefined ? begin(rotation, Period.at(now, rotation.everyMillis)) : Effect.succeed(opening)
    return Effect.flatMap(own, (begun) =>
      Effect.zipRight(restore(awaited(rotation, begun)), entered(rotation, restore)),
    )
  })

/** Does something in the run of the period in which it begins; that run stays open until it is done. */
export const within = <A, E, R, OpenError>(
  rotation: Rotation<OpenError>,
  use: (context: Context.Context<OpenRun.Recording>) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(entered(rotation, restore), (run) =>
      Effect.ensuring(
        restore(OpenRun.inTrace(run, use(run.context))),
        Effect.sync(() => OpenRun.leave(run)),
      ),
    ),
  )

/** The same for a stream, from its first pull until its scope closes. */
export const streamWithin = <A, E, R, OpenError>(
  rotation: Rotation<OpenError>,
  use: (context: Context.Context<OpenRun.Recording>) => Stream.Stream<A, E, R>,
): Stream.Stream<A, E, R> =>
  Stream.unwrapScoped(
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(entered(rotation, restore), (run) =>
        Effect.zipRight(
          Effect.addFinalizer(() => Effect.sync(() => OpenRun.leave(run))),
          OpenRun.streamInTrace(run, use(run.context)),
        ),
      ),
    ),
  )

/** Ends all runs, side by side; what is called from now on is called unrecorded. */
const close = <E>(rotation: Rotation<E>, exit: AnyExit): Effect.Effect<void> =>
  Effect.flatMap(Deferred.make<void>(), (done) => {
    rotation.current = undefined
    rotation.opening = { done, late: true }
    return Effect.zipRight(Deferred.succeed(rotation.closing, exit), Fiber.awaitAll(rotation.lives))
  })

/** Nothing is open until the first call; closing the scope closes what is open, as the scope ends. */
export const make = <E>(
  open: Rotation<E>["open"],
  every: Duration.DurationInput,
  nowhere: Context.Context<OpenRun.Recording>,
): Effect.Effect<Rotation<E>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const rotation: Rotation<E> = {
      open,
      everyMillis: Duration.toMillis(every),
      nowhere: yield* OpenRun.make(Period.at(0, 0), nowhere),
      warnings: yield* Warnings.make,
      fiberRefs: yield* Effect.getFiberRefs,
      closing: yield* Deferred.make<AnyExit>(),
      lives: new Set(),
      current: undefined,
      opening: undefined,
    }
    yield* Effect.addFinalizer((exit) => close(rotation, exit))
    return rotation
  })
