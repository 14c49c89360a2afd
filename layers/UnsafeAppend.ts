import * as Effect from "effect/Effect"
import type { Append, EventLogError } from "../services/EventLog.js"
import type { ChainedEvent, Event } from "../src/domain/Event.js"

/** A synchronous step that throws anything, as a log's `append` in both its forms; `refused` says what a throw means. */
export const appending = (
  step: (event: Event) => ChainedEvent,
  refused: (event: Event) => (cause: unknown) => EventLogError,
): Append => {
  const append = (event: Event): Effect.Effect<ChainedEvent, EventLogError> =>
    Effect.try({ try: () => step(event), catch: refused(event) })
  const unsafe = (event: Event): ChainedEvent => {
    try {
      return step(event)
    } catch (cause) {
      throw refused(event)(cause)
    }
  }
  return Object.assign(append, { unsafe })
}
