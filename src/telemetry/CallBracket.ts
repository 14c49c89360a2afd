import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Hash from "effect/Hash"
import * as Tracer from "effect/Tracer"

/**
 * A fiber compares the context that it is given with the one it has, by hash first. No other context has this one's span, so
 * any hash is right, and one that need not be computed saves a microsecond.
 */
const hash = (): number => 0
const HASHED = { [Hash.symbol]: hash }

const inside = (outside: Context.Context<never>, span: Tracer.ExternalSpan): Context.Context<never> => {
  const services = new Map<string, unknown>()
  outside.unsafeMap.forEach((service, key) => {
    services.set(key, service)
  })
  services.set(Tracer.ParentSpan.key, span)
  return Object.assign(Context.unsafeMake<never>(services), HASHED)
}

/** What fibers can do that their published type does not say. */
interface Settable {
  readonly setFiberRef: <A>(ref: FiberRef.FiberRef<A>, value: A) => void
}

const isSettable = (fiber: object): fiber is Settable =>
  "setFiberRef" in fiber && typeof fiber.setFiberRef === "function"

/** Changes a fiber's context: at once where that can be had, in a step of its own otherwise. */
const entering = (
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  context: Context.Context<never>,
): Effect.Effect<void> => {
  if (!isSettable(fiber)) return FiberRef.set(FiberRef.currentContext, context)
  fiber.setFiberRef(FiberRef.currentContext, context)
  return Effect.void
}

const after = <A, E, R>(first: Effect.Effect<void>, then: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  first === Effect.void ? then : Effect.zipRight(first, then)

/**
 * What begins before a use, and what is told how the use ended; neither can be interrupted, and the second happens whatever comes.
 * Both are called in the fiber, and give back what is left to be done: `Effect.void` when that is nothing.
 */
export interface Bracket<A, E> {
  readonly acquire: () => Effect.Effect<void>
  readonly use: Effect.Effect<A, E>
  readonly release: (exit: Exit.Exit<A, E>) => Effect.Effect<void>
}

const begun = (step: () => Effect.Effect<void>): Effect.Effect<void> => {
  try {
    return step()
  } catch (defect) {
    return Effect.die(defect)
  }
}

/**
 * Acquires, uses, and releases by how the use ended, all of it as the children of a span. It is
 * `Effect.acquireUseRelease(Effect.suspend(acquire), () => use, (_, exit) => release(exit))` with a parent span provided, but that a
 * defect of the acquisition is released, too. A call pays for every step of the fiber, so none is taken where nothing is left to be
 * done. Must be called by the fiber itself.
 */
export const around = <A, E>(
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  span: Tracer.ExternalSpan,
  { acquire, release, use }: Bracket<A, E>,
): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) => {
    const outside = fiber.currentContext

    const leave = (exit: Exit.Exit<A, E>): Effect.Effect<A, E> => {
      const left = begun(() => release(exit))
      if (left === Effect.void) return after(entering(fiber, outside), exit)
      return Effect.matchCauseEffect(left, {
        onFailure: (cause) => after(entering(fiber, outside), Effect.failCause(cause)),
        onSuccess: () => after(entering(fiber, outside), exit),
      })
    }

    const entered = entering(fiber, inside(outside, span))
    const acquired = entered === Effect.void ? begun(acquire) : Effect.zipRight(entered, Effect.suspend(acquire))
    return Effect.matchCauseEffect(after(acquired, restore(use)), {
      onFailure: (cause) => leave(Exit.failCause(cause)),
      onSuccess: (value) => leave(Exit.succeed(value)),
    })
  })
