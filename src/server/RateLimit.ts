import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const MINUTE = 60_000

/** How a client stands after one more request. */
export interface Allowance {
  readonly allowed: boolean
  readonly limit: number
  readonly remaining: number
  /** Seconds until it may ask again. */
  readonly retryAfter: number
}

/** Counts requests a client and minute; what was counted is forgotten when the minute ends, so memory stays small. */
export const make = (perMinute: number): ((client: string) => Effect.Effect<Allowance>) => {
  const used = new Map<string, number>()
  let current = -1
  return (client) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const minute = Math.floor(now / MINUTE)
      if (minute !== current) used.clear()
      current = minute
      const count = (used.get(client) ?? 0) + 1
      used.set(client, count)
      return {
        allowed: count <= perMinute,
        limit: perMinute,
        remaining: Math.max(0, perMinute - count),
        retryAfter: Math.max(1, Math.ceil(((minute + 1) * MINUTE - now) / 1000)),
      }
    })
}
