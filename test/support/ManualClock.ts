import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** A clock that stands still until it is moved. Moving costs nothing, whoever sleeps. */
export interface ManualClock {
  readonly clock: Clock.Clock
  /** Wakes, in the order of their time, all whose time has come. */
  readonly advance: (millis: number) => void
}

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

export const make = (startMillis: number): ManualClock => {
  const sleepers = new Set<Sleeper>()
  let now = startMillis
  const millis = (): number => now
  const nanos = (): bigint => BigInt(now) * 1_000_000n
  return {
    clock: {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: millis,
      unsafeCurrentTimeNanos: nanos,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanos: Effect.sync(nanos),
      sleep: (duration) =>
        Effect.async<void>((resume) => {
          const sleeper = { at: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
          sleepers.add(sleeper)
          return Effect.sync(() => void sleepers.delete(sleeper))
        }),
    },
    advance: (step) => {
      now += step
      for (const sleeper of [...sleepers].toSorted((left, right) => left.at - right.at)) {
        if (sleeper.at > now) continue
        sleepers.delete(sleeper)
        sleeper.wake()
      }
    },
  }
}
