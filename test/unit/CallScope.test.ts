import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as CallScope from "../../src/telemetry/CallScope.js"

const span = Tracer.externalSpan({ spanId: "b".repeat(16), traceId: "a".repeat(32) })

const around = <A, E>(acquire: Effect.Effect<void, never, Scope.Scope>, use: Effect.Effect<A, E>) =>
  Effect.withFiberRuntime<A, E>((fiber) => CallScope.around(fiber, span, acquire, use))

/** What a scope is told at its end. */
const noting = (ends: Array<string>) =>
  Effect.acquireRelease(Effect.void, (_, exit) =>
    Effect.sync(() => {
      ends.push(Exit.isSuccess(exit) ? "success" : Exit.isInterrupted(exit) ? "interrupted" : Cause.pretty(exit.cause))
    }),
  )

const surroundings = Effect.all([Effect.serviceOption(Scope.Scope), Effect.serviceOption(Tracer.ParentSpan)])
const parentSpanId = Effect.map(
  Effect.serviceOption(Tracer.ParentSpan),
  Option.map(({ spanId }) => spanId),
)

describe("CallScope", () => {
  it.effect("the release learns how the use ended, and the caller gets that very end", () =>
    Effect.gen(function* () {
      const ends: Array<string> = []
      expect(yield* around(noting(ends), Effect.succeed(5))).toBe(5)
      const failed = yield* Effect.exit(around(noting(ends), Effect.fail("no answer")))
      expect(failed).toStrictEqual(Exit.fail("no answer"))
      const died = yield* Effect.exit(around(noting(ends), Effect.die("defect")))
      expect(died).toStrictEqual(Exit.die("defect"))
      expect(ends).toEqual(["success", "Error: no answer", "Error: defect"])
    }),
  )

  it.effect("the use can be interrupted, the release cannot, and both happen", () =>
    Effect.gen(function* () {
      const ends: Array<string> = []
      const begun = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(
        around(noting(ends), Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)),
      )
      yield* Deferred.await(begun)
      const exit = yield* Fiber.interrupt(fiber)
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(ends).toEqual(["interrupted"])
    }),
  )

  it.effect("a use inside of an uninterruptible region stays uninterruptible", () =>
    Effect.gen(function* () {
      const isInterruptible = Effect.checkInterruptible((it) => Effect.succeed(it))
      expect(yield* around(Effect.void, isInterruptible)).toBe(true)
      expect(yield* Effect.uninterruptible(around(Effect.void, isInterruptible))).toBe(false)
    }),
  )

  it.effect("acquire, use and release see the span as their parent; what comes after sees what was before", () =>
    Effect.gen(function* () {
      const seen: Array<Option.Option<string>> = []
      const look = Effect.map(parentSpanId, (id) => seen.push(id))
      const before = yield* surroundings
      yield* around(
        Effect.acquireRelease(look, () => look),
        look,
      )
      yield* Effect.exit(
        around(
          Effect.acquireRelease(look, () => look),
          Effect.fail("x"),
        ),
      )
      expect(seen).toHaveLength(5)
      expect(new Set(seen.map(Option.getOrElse(() => "none")))).toEqual(new Set([span.spanId]))
      expect(yield* surroundings).toEqual(before)
    }),
  )

  it.effect("a broken release is told, the context is restored all the same", () =>
    Effect.gen(function* () {
      const before = yield* surroundings
      const broken = Effect.acquireRelease(Effect.void, () => Effect.die("broken"))
      expect(yield* Effect.exit(around(broken, Effect.succeed(1)))).toStrictEqual(Exit.die("broken"))
      expect(yield* surroundings).toEqual(before)
    }),
  )

  it.effect("any number of finalizers run, last first, each though another breaks; a late one runs at once", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const finalizer = (name: string) => Effect.addFinalizer(() => Effect.sync(() => order.push(name)))
      const child = Effect.flatMap(Effect.scope, (scope) => Scope.fork(scope, scope.strategy))
      const acquire = Effect.gen(function* () {
        yield* finalizer("first")
        yield* Effect.addFinalizer(() => Effect.die("second"))
        yield* Scope.addFinalizer(
          yield* child,
          Effect.sync(() => order.push("child")),
        )
        yield* finalizer("third")
        return yield* Effect.scope
      })
      let kept: Scope.Scope | undefined
      const exit = yield* Effect.exit(
        around(
          Effect.map(acquire, (scope) => {
            kept = scope
          }),
          Effect.void,
        ),
      )
      expect(exit).toStrictEqual(Exit.die("second"))
      expect(order).toEqual(["third", "child", "first"])
      if (kept !== undefined)
        yield* Scope.addFinalizer(
          kept,
          Effect.sync(() => order.push("late")),
        )
      expect(order).toEqual(["third", "child", "first", "late"])
    }),
  )
})
