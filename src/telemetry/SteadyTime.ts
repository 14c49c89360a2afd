import type * as Clock from "effect/Clock"

/** The time of a process as its record tells it. */
export interface SteadyTime {
  /**
   * Epoch milliseconds that never go backwards: the wall clock's, or, where that was set back, the last ones given and what
   * the monotonic clock says has passed since, until the wall clock is ahead again.
   */
  readonly unsafeMillis: (clock: Clock.Clock) => number
}

/** A time that starts with the first clock that it is asked for. */
export const make = (): SteadyTime => {
  let millis = Number.NEGATIVE_INFINITY
  let nanos = 0n
  return {
    unsafeMillis: (clock) => {
      const wall = clock.unsafeCurrentTimeMillis()
      const ticks = clock.unsafeCurrentTimeNanos()
      if (wall >= millis) {
        millis = wall
        nanos = ticks
        return wall
      }
      const passed = Math.max(0, Math.floor(Number(ticks - nanos) / 1e6))
      millis += passed
      nanos += BigInt(passed) * 1_000_000n
      return millis
    },
  }
}
