import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import { pipeArguments } from "effect/Pipeable"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"

/** A scope of one fiber, mostly of one finalizer, which it runs without the machinery that any number of them needs. */
class CallScope implements Scope.CloseableScope {
  readonly [Scope.ScopeTypeId]: Scope.ScopeTypeId = Scope.ScopeTypeId
  readonly [Scope.CloseableScopeTypeId]: Scope.CloseableScopeTypeId = Scope.CloseableScopeTypeId
  readonly strategy = ExecutionStrategy.sequential
  private finalizers: Array<Scope.Scope.Finalizer> = []
  private closed: Exit.Exit<unknown, unknown> | undefined

  pipe() {
    // biome-ignore lint/complexity/noArguments: this is how Effect's own values are piped
    return pipeArguments(this, arguments)
  }

  addFinalizer(finalizer: Scope.Scope.Finalizer): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.closed !== undefined) return finalizer(this.closed)
      this.finalizers.push(finalizer)
      return Effect.void
    })
  }

  fork(strategy: ExecutionStrategy.ExecutionStrategy): Effect.Effect<Scope.CloseableScope> {
    return Effect.tap(Scope.make(strategy), (child) => this.addFinalizer((exit) => Scope.close(child, exit)))
  }

  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (this.closed !== undefined) return Effect.void
    this.closed = exit
    const [only, ...others] = this.finalizers.reverse()
    this.finalizers = []
    if (only === undefined) return Effect.void
    return others.length === 0 ? only(exit) : runAll([only, ...others], exit)
  }
}

const runAll = (
  finalizers: ReadonlyArray<Scope.Scope.Finalizer>,
  exit: Exit.Exit<unknown, unknown>,
): Effect.Effect<void> =>
  Effect.flatMap(
    Effect.forEach(finalizers, (finalizer) => Effect.exit(finalizer(exit))),
    (exits) =>
      Option.match(Exit.all(exits), { onNone: () => Effect.void, onSome: (together) => Effect.asVoid(together) }),
  )

const inside = (
  outside: Context.Context<never>,
  scope: Scope.Scope,
  span: Tracer.ExternalSpan,
): Context.Context<never> =>
  Context.unsafeMake(new Map(outside.unsafeMap).set(Scope.Scope.key, scope).set(Tracer.ParentSpan.key, span))

/**
 * Acquires, uses, and closes the scope by how the use ended, all of it as the children of a span. It is
 * `Effect.scoped(Effect.zipRight(acquire, use))` with a parent span provided, at half the price: the context is changed once,
 * and closing happens where it still stands. Must be called by the fiber itself.
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
    const enter = FiberRef.set(FiberRef.currentContext, inside(outside, scope, span))
    const left = FiberRef.set(FiberRef.currentContext, outside)

    const leave = (exit: Exit.Exit<A, E>): Effect.Effect<A, E> =>
      Effect.matchCauseEffect(scope.close(exit), {
        onFailure: (cause) => Effect.zipRight(left, Effect.failCause(cause)),
        onSuccess: () => Effect.zipRight(left, exit),
      })

    const used = Effect.matchCauseEffect(
      Effect.flatMap(enter, () => Effect.flatMap(acquire, () => restore(use))),
      { onFailure: (cause) => leave(Exit.failCause(cause)), onSuccess: (value) => leave(Exit.succeed(value)) },
    )
    // The scope that is asked for stands in the context that was just set; providing it again would cost as much as all the rest.
    return used as Effect.Effect<A, E>
  })
