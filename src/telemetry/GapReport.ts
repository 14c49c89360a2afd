import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { EventLogError, EventLogService } from "../../services/EventLog.js"
import * as ErrorText from "../domain/ErrorText.js"
import type { Event } from "../domain/Event.js"

/** An event log that counts what it had to refuse, and says so in itself as soon as something can be written again. */
export interface GapReport {
  /** Appends, after the gap before it when there is one. */
  readonly append: (event: Event) => Effect.Effect<unknown, EventLogError>
  /** The log's own synchronous append, where it has one; only right while nothing is lost. */
  readonly unsafeAppend: EventLogService["append"]["unsafe"]
  /** True when events are lost that the log does not tell of yet. */
  readonly isBehind: () => boolean
  /** Counts an event that could not be appended. */
  readonly lose: (cause: Cause.Cause<unknown>) => void
  /** Reports what is still unreported. */
  readonly close: Effect.Effect<void, EventLogError>
}

/** Nothing is lost yet. `stampGap` makes the event that tells of a gap. */
export const make = (
  log: EventLogService,
  stampGap: (dropped: number, reason: string) => Effect.Effect<Event>,
): GapReport => {
  let lost = 0
  let reason = ""

  const report: Effect.Effect<void, EventLogError> = Effect.suspend(() => {
    const dropped = lost
    lost = 0
    return stampGap(dropped, reason).pipe(
      Effect.flatMap(log.append),
      Effect.zipRight(Effect.logWarning(`The event log can be written again; ${dropped} events before this are lost.`)),
      Effect.onError(() => Effect.sync(() => (lost += dropped))),
    )
  })

  return {
    append: (event) => (lost === 0 ? log.append(event) : Effect.zipRight(report, log.append(event))),
    unsafeAppend: log.append.unsafe,
    isBehind: () => lost > 0,
    lose: (cause) => {
      lost += 1
      reason = ErrorText.ofCause(cause).summary
    },
    close: Effect.suspend(() => (lost === 0 ? Effect.void : report)),
  }
}
