import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import { pipeArguments } from "effect/Pipeable"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"

type Finalizer = Scope.Scope.Finalizer
type AnyExit = Exit.Exit<unknown, unknown>

/** A scope of one fiber, mostly of one finalizer, which it runs without the machinery that any number of them needs. */
class CallScope implements Scope.CloseableScope {
  readonly [Scope.ScopeTypeId]: Scope.ScopeTypeId = Scope.ScopeTypeId
  readonly [Scope.CloseableScopeTypeId]: Scope.CloseableScopeTypeId = Scope.CloseableScopeTypeId
  readonly strategy = ExecutionStrategy.sequential
  private first: Finalizer | undefined
  private others: Array<Finalizer> | undefined
  private closed: AnyExit | undefined

  pipe() {
    // biome-ignore lint/complexity/noArguments: this is how Effect's own values are piped
    return pipeArguments(this, arguments)
  }

  addFinalizer(finalizer: Finalizer): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.closed !== undefined) return finalizer(this.closed)
      if (this.first === undefined) this.first = finalizer
      else if (this.others === undefined) this.others = [finalizer]
      else this.others.push(finalizer)
      return Effect.void
    })
  }

  fork(strategy: ExecutionStrategy.ExecutionStrategy): Effect.Effect<Scope.CloseableScope> {
    return Effect.tap(Scope.make(strategy), (child) => this.addFinalizer((exit) => Scope.close(child, exit)))
  }

  close(exit: AnyExit): Effect.Effect<unknown> {
    if (this.closed !== undefined) return Effect.void
    this.closed = exit
    const { first, others } = this
    this.first = undefined
    this.others = undefined
    if (first === undefined) return Effect.void
    return others === undefined ? first(exit) : runAll([...others.reverse(), first], exit)
  }
}

const runAll = (finalizers: ReadonlyArray<Finalizer>, exit: AnyExit): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.forEach(finalizers, (finalizer) => Effect.exit(finalizer(exit))),
    (exits) =>
      Option.match(Exit.all(exits), { onNone: () => Effect.void, onSome: (together) => Effect.asVoid(together) }),
  )

/**
 * A fiber compares the context that it is given with the one it has, by hash first. No other context has this one's scope, so
 * any hash is right, and one that need not be computed saves a microsecond.
 */
const hash = (): number => 0
const HASHED = { [Hash.symbol]: hash }

const inside = (
  outside: Context.Context<never>,
  scope: Scope.Scope,
  span: Tracer.ExternalSpan,
): Context.Context<never> => {
  const services = new Map<string, unknown>()
  outside.unsafeMap.forEach((service, key) => {
    services.set(key, service)
  })
  services.set(Scope.Scope.key, scope)
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
 * Acquires, uses, and closes the scope by how the use ended, all of it as the children of a span. It is
 * `Effect.scoped(Effect.zipRight(acquire, use))` with a parent span provided, at half the price: the context is changed once,
 * in the steps that are taken anyway, and closing happens where it still stands. Must be called by the fiber itself.
 */
export const around = <A, E>(
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  span: Tracer.ExternalSpan,
  acquire: Effect.Effect<void, never, Scope.Scope>,
  use: Effect.Effect<A, E>,
): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) => {
    const scope = new CallScope()
    const outside = fiber.currentContext

    const leave = (exit: Exit.Exit<A, E>): Effect.Effect<A, E> =>
      Effect.matchCauseEffect(scope.close(exit), {
        onFailure: (cause) => after(entering(fiber, outside), Effect.failCause(cause)),
        onSuccess: () => after(entering(fiber, outside), exit),
      })

    const used = Effect.matchCauseEffect(
      after(
        entering(fiber, inside(outside, scope, span)),
        Effect.flatMap(acquire, () => restore(use)),
      ),
      { onFailure: (cause) => leave(Exit.failCause(cause)), onSuccess: (value) => leave(Exit.succeed(value)) },
    )
    // The scope that is asked for stands in the context that was just set; providing it again would cost as much as all the rest.
    return used as Effect.Effect<A, E>
  })
