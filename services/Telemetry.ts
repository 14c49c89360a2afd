import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Event } from "../src/domain/Event.js"

/** How delivery stands. Counts are of events, `rejected` of operations. */
export interface Delivery {
  /** Where events go; null when they stay here. */
  readonly endpoint: string | null
  /** Acknowledged by the server in this process, nothing of them refused. */
  readonly delivered: number
  /** Recorded and not yet acknowledged. */
  readonly undelivered: number
  /** Lost because the bounded queue was full and no event log keeps them. */
  readonly dropped: number
  /** Operations set aside as dead letters in this process: refused by the server for good, or no JSON. */
  readonly rejected: number
  /** Attempts that failed since the last one that succeeded. */
  readonly failedAttempts: number
  /** When the server last took something, and when the oldest undelivered event was recorded; null when there is none. */
  readonly lastSuccessAt: string | null
  readonly oldestUndeliveredAt: string | null
  /** `open`: the server is given up on for now and only asked from time to time; `half-open`: it is being asked. */
  readonly circuit: "closed" | "open" | "half-open"
  /** Why the last attempt failed; null when it did not. */
  readonly lastError: string | null
}

export interface TelemetryService {
  /**
   * Hands an event to the outside and returns at once: microseconds, no network. With an event log in the program the
   * event must have been appended to it first; what is sent is read back from there.
   */
  readonly record: (event: Event) => Effect.Effect<void, never, never>
  /** {@link record} as one synchronous step, for a hot path; it does not throw. Absent where there is no such step. */
  readonly unsafeRecord?: (event: Event) => void
  /**
   * Tries to deliver everything recorded so far, for at most `deadline`, and says how it stands then. While the circuit is not
   * closed it returns at once: nobody waits for a server that is down.
   */
  readonly flush: (deadline: Duration.DurationInput) => Effect.Effect<Delivery, never, never>
  /** How delivery stands, without trying anything. */
  readonly delivery: Effect.Effect<Delivery, never, never>
}

/**
 * Hands the events of a run to the outside. It can never fail the program: every method's error channel is `never`, typed
 * failures become log warnings, defects too, interruption passes through. It answers no questions about runs and promises
 * no delivery by itself: that is the event log's part. Closing its scope flushes within a deadline.
 */
export class Telemetry extends Context.Tag("runledger/services/Telemetry")<Telemetry, TelemetryService>() {}
