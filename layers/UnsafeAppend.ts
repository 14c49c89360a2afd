import * as Effect from "effect/Effect"
import type { Append, EventLogError } from "../services/EventLog.js"
import type { ChainedEvent, Event } from "../src/domain/Event.js"

/**
 * A synchronous step that throws anything, as a log's `append` in both its forms; `add` is the same step for who does not ask
 * what became of the event, and `refused` says what a throw means.
 */
export const appending = (
  step: (event: Event) => ChainedEvent,
  add: (event: Event) => void,
  refused: (event: Event) => (cause: unknown) => EventLogError,
): Append => {
  const append = (event: Event): Effect.Effect<ChainedEvent, EventLogError> =>
    Effect.try({ try: () => step(event), catch: refused(event) })
  const unsafe = (event: Event): void => {
    try {
      add(event)
    } catch (cause) {
      throw refused(event)(cause)
    }
  }
  return Object.assign(append, { unsafe })
}
