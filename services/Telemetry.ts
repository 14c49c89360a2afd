import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Event } from "../src/domain/Event.js"

/** How delivery stands. Counts are of events. */
export interface Delivery {
  /** Where events go; null when they stay here. */
  readonly endpoint: string | null
  /** Acknowledged by the server in this process. */
  readonly delivered: number
  /** Recorded and not yet acknowledged. */
  readonly undelivered: number
  /** Lost because the bounded queue was full and no event log keeps them. */
  readonly dropped: number
  /** Refused by the server for good. */
  readonly rejected: number
  /** Why the last attempt failed; null when it did not. */
  readonly lastError: string | null
}

export interface TelemetryService {
  /**
   * Hands an event to the outside and returns at once: microseconds, no network. With an event log in the program the
   * event must have been appended to it first; what is sent is read back from there.
   */
  readonly record: (event: Event) => Effect.Effect<void, never, never>
  /** Tries to deliver everything recorded so far, for at most `deadline`, and says how it stands then. */
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
