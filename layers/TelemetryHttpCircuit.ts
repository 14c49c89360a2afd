import type { Delivery } from "../services/Telemetry.js"
import * as Timestamp from "../src/domain/Timestamp.js"

/** How long to leave the server alone after an attempt that failed. */
export interface Pause {
  /** What the server asked for: to be waited out. */
  readonly askedMillis: number
  /** What the back-off says, counted from the same instant: may be cut short when somebody waits. */
  readonly ownMillis: number
}

export interface FailedAttempt {
  /** By a clock that is never set. */
  readonly nowMillis: number
  /** Of 0 (inclusive) to 1, for the jitter. */
  readonly random: number
  readonly retryAfterMillis: number | undefined
  /** The longest back-off. */
  readonly capMillis: number
}

/**
 * Whether the server is worth asking. Closed while it answers; open after {@link OPEN_AFTER} failures in a row, until the
 * pause is over; then half-open: one attempt decides whether it closes or opens again, for longer.
 */
export interface Circuit {
  readonly state: () => Delivery["circuit"]
  /** Attempts that failed since the last one that succeeded. */
  readonly failures: () => number
  /** What is told of it. */
  readonly standing: () => Pick<Delivery, "circuit" | "failedAttempts" | "lastSuccessAt">
  /** Until when, by the clock of the failed attempts, the server itself wants to be left alone; 0 when it asks for nothing. */
  readonly askedUntilMillis: () => number
  /** An attempt is about to be made. */
  readonly attempt: () => void
  /** By the clock on the wall. */
  readonly succeed: (nowMillis: number) => void
  /** Exponential with full jitter, and never shorter than the server asks for. */
  readonly fail: (attempt: FailedAttempt) => Pause
  /** The back-off begins with its shortest pause again, because somebody waits; what is known of the server stays. */
  readonly hurry: () => void
}

/** So many failures in a row open the circuit. */
export const OPEN_AFTER = 3
/** The longest pause, apart from what a server asks for. */
export const PAUSE_CAP_MILLIS = 30_000

const PAUSE_BASE_MILLIS = 200
const MAX_EXPONENT = 16

/** A closed circuit. */
export const make = (): Circuit => {
  let state: Delivery["circuit"] = "closed"
  let failures = 0
  let exponent = 0
  let askedUntilMillis = 0
  let lastSuccessMillis: number | undefined

  return {
    state: () => state,
    failures: () => failures,
    standing: () => ({
      circuit: state,
      failedAttempts: failures,
      lastSuccessAt: lastSuccessMillis === undefined ? null : Timestamp.fromMillis(lastSuccessMillis),
    }),
    askedUntilMillis: () => askedUntilMillis,
    attempt: () => {
      if (state === "open") state = "half-open"
    },
    succeed: (nowMillis) => {
      state = "closed"
      failures = 0
      exponent = 0
      askedUntilMillis = 0
      lastSuccessMillis = nowMillis
    },
    fail: ({ nowMillis, random, retryAfterMillis = 0, capMillis }) => {
      failures += 1
      if (failures >= OPEN_AFTER) state = "open"
      const limit = Math.min(capMillis, PAUSE_BASE_MILLIS * 2 ** exponent)
      exponent = Math.min(exponent + 1, MAX_EXPONENT)
      askedUntilMillis = retryAfterMillis === 0 ? 0 : nowMillis + retryAfterMillis
      return { askedMillis: retryAfterMillis, ownMillis: Math.round(random * limit) }
    },
    hurry: () => {
      exponent = 0
    },
  }
}
