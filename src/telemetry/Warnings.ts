import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as ErrorText from "../domain/ErrorText.js"
import * as Occurrences from "../domain/Occurrences.js"

/** Turns what goes wrong in recording into log warnings, one a cause; repeats are summed up when the scope closes. */
export interface Warnings {
  /** The effect without its errors: a failure or defect becomes a warning, an interruption stays one. */
  readonly guard: <E>(what: string, effect: Effect.Effect<unknown, E>) => Effect.Effect<void>
  /** The same for one synchronous step, given what is left to be done after it; what it throws is a defect. */
  readonly step: (what: string, evaluate: () => Effect.Effect<void>) => Effect.Effect<void>
  /** The same, with the value when there is one. */
  readonly optional: <A, E>(what: string, effect: Effect.Effect<A, E>) => Effect.Effect<Option.Option<A>>
}

const quietly = (log: Effect.Effect<void>): Effect.Effect<void> => Effect.catchAllDefect(log, () => Effect.void)

export const make: Effect.Effect<Warnings, never, Scope.Scope> = Effect.gen(function* () {
  const occurrences = Occurrences.make()

  const warn = (cause: string, message: string): Effect.Effect<void> =>
    Effect.suspend(() => (occurrences.note(cause) ? quietly(Effect.logWarning(message)) : Effect.void))

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() =>
      Effect.forEach(
        occurrences.takeRepeats(),
        ({ cause, times }) => quietly(Effect.logInfo(`${times} times more: ${cause}`)),
        { discard: true },
      ),
    ),
  )

  const defective =
    (what: string) =>
    (cause: Cause.Cause<never>): Effect.Effect<void> => {
      if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
      const { summary } = ErrorText.ofCause(cause)
      return warn(`${what}: ${summary}`, `${what}, by a defect; the program goes on. ${summary}`)
    }

  const optional = <A, E>(what: string, effect: Effect.Effect<A, E>): Effect.Effect<Option.Option<A>> =>
    effect.pipe(
      Effect.asSome,
      Effect.catchAll((error) =>
        Effect.as(
          warn(ErrorText.kindOf(error), `${what}; the program goes on. ${ErrorText.line(error)}`),
          Option.none(),
        ),
      ),
      Effect.catchAllCause((cause) => Effect.as(defective(what)(cause), Option.none())),
    )

  return {
    optional,
    guard: (what, effect) => Effect.asVoid(optional(what, effect)),
    step: (what, evaluate) => {
      try {
        return evaluate()
      } catch (defect) {
        return defective(what)(Cause.die(defect))
      }
    },
  }
})
