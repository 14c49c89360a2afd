import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** Those who wait until the server has answered for a number of events. */
export interface Waiters {
  readonly any: () => boolean
  /** Lets those go who wait for no more than this. */
  readonly release: (resolved: number) => void
  /** Lets everybody go: there is nothing to wait for now. */
  readonly dismiss: () => void
  /** Waits for at most so long; false when that was in vain. */
  readonly wait: (target: number, millis: number) => Effect.Effect<boolean>
}

/** Nobody waits. */
export const make = (): Waiters => {
  const waiting = new Map<Deferred.Deferred<void>, number>()

  const settle = (isDone: (target: number) => boolean): void => {
    for (const [waiter, target] of waiting) if (isDone(target)) Deferred.unsafeDone(waiter, Effect.void)
  }

  return {
    any: () => waiting.size > 0,
    release: (resolved) => settle((target) => resolved >= target),
    dismiss: () => settle(() => true),
    wait: (target, millis) =>
      Effect.gen(function* () {
        const waiter = yield* Deferred.make<void>()
        waiting.set(waiter, target)
        const answered = yield* Deferred.await(waiter).pipe(
          Effect.interruptible,
          Effect.timeoutOption(millis),
          Effect.ensuring(Effect.sync(() => waiting.delete(waiter))),
        )
        return Option.isSome(answered)
      }),
  }
}
