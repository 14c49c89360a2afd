import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import * as CallBracket from "../../src/telemetry/CallBracket.js"

const span = Tracer.externalSpan({ spanId: "b".repeat(16), traceId: "a".repeat(32) })

interface Ends {
  readonly acquire?: () => Effect.Effect<void>
  readonly release?: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

const around = <A, E = never>(
  use: Effect.Effect<A, E>,
  { acquire = () => Effect.void, release = () => Effect.void }: Ends = {},
): Effect.Effect<A, E> =>
  Effect.withFiberRuntime<A, E>((fiber) => CallBracket.around(fiber, span, { acquire, use, release }))

/** A release that notes what it is told. */
const noting = (ends: Array<string>) => ({
  release: (exit: Exit.Exit<unknown, unknown>) =>
    Effect.sync(() => {
      ends.push(Exit.isSuccess(exit) ? "success" : Exit.isInterrupted(exit) ? "interrupted" : Cause.pretty(exit.cause))
    }),
})

const parent = Effect.serviceOption(Tracer.ParentSpan)
const parentSpanId = Effect.map(
  parent,
  Option.map(({ spanId }) => spanId),
)

describe("CallBracket", () => {
  it.effect("the release learns how the use ended, and the caller gets that very end", () =>
    Effect.gen(function* () {
      const ends: Array<string> = []
      expect(yield* around(Effect.succeed(5), noting(ends))).toBe(5)
      const failed = yield* Effect.exit(around(Effect.fail("no answer"), noting(ends)))
      expect(failed).toStrictEqual(Exit.fail("no answer"))
      const died = yield* Effect.exit(around(Effect.die("defect"), noting(ends)))
      expect(died).toStrictEqual(Exit.die("defect"))
      expect(ends).toEqual(["success", "Error: no answer", "Error: defect"])
    }),
  )

  it.effect("the use can be interrupted, acquire and release cannot, and both happen", () =>
    Effect.gen(function* () {
      const ends: Array<string> = []
      const begun = yield* Deferred.make<void>()
      const use = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
      const fiber = yield* Effect.fork(around(use, noting(ends)))
      yield* Deferred.await(begun)
      expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
      expect(ends).toEqual(["interrupted"])
    }),
  )

  it.effect("a use inside of an uninterruptible region stays uninterruptible", () =>
    Effect.gen(function* () {
      const seen: Array<boolean> = []
      const look = Effect.checkInterruptible((it) => Effect.sync(() => void seen.push(it)))
      const bracket = { acquire: () => look, release: () => look }
      yield* around(look, bracket)
      yield* Effect.uninterruptible(around(look, bracket))
      expect(seen).toEqual([false, true, false, false, false, false])
    }),
  )

  it.effect("acquire, use and release see the span as their parent; what comes after sees what was before", () =>
    Effect.gen(function* () {
      const seen: Array<Option.Option<string>> = []
      const look = Effect.map(parentSpanId, (id) => void seen.push(id))
      const before = yield* parent
      yield* around(look, { acquire: () => look, release: () => look })
      yield* Effect.exit(around(Effect.zipRight(look, Effect.fail("x")), { release: () => look }))
      expect(seen).toHaveLength(5)
      expect(new Set(seen.map(Option.getOrElse(() => "none")))).toEqual(new Set([span.spanId]))
      expect(yield* parent).toEqual(before)
    }),
  )

  it.effect("what breaks in acquire or release is told, the context is restored all the same", () =>
    Effect.gen(function* () {
      const before = yield* parent
      const ends: Array<string> = []
      const unbegun = around(Effect.succeed(1), { acquire: () => Effect.die("broken"), ...noting(ends) })
      expect(yield* Effect.exit(unbegun)).toStrictEqual(Exit.die("broken"))
      expect(ends).toEqual(["Error: broken"])
      expect(yield* parent).toEqual(before)
      const thrown = (): never => {
        throw "broken"
      }
      const broken = [{ acquire: thrown }, { release: thrown }, { release: () => Effect.die("broken") }]
      for (const bracket of broken) {
        expect(yield* Effect.exit(around(Effect.succeed(1), bracket))).toStrictEqual(Exit.die("broken"))
        expect(yield* parent).toEqual(before)
      }
    }),
  )
})
