const MINUTE = 60_000

/** How a client stands after one more request. */
export interface Allowance {
  readonly allowed: boolean
  readonly limit: number
  readonly remaining: number
  /** Seconds until it may ask again. */
  readonly retryAfter: number
}

/**
 * Counts requests a client and minute, `now` in milliseconds; what was counted is forgotten when the minute ends, so memory stays
 * small.
 */
export const make = (perMinute: number): ((client: string, now: number) => Allowance) => {
  const used = new Map<string, number>()
  let current = -1
  return (client, now) => {
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
  }
}
