import * as Effect from "effect/Effect"
import type { EventLogError } from "../services/EventLog.js"
import type { DeadLetter } from "../src/domain/DeadLetter.js"
import type { Refusal } from "./TelemetryHttpOutgoing.js"
import type { Source, Window } from "./TelemetryHttpSource.js"

interface Held {
  readonly events: number
  /** The events of which something was refused. */
  readonly refused: Set<number>
  /** Refused operations that are still to be set aside. */
  readonly letters: Array<DeadLetter>
  readonly acknowledge: Effect.Effect<void, EventLogError>
}

/** The windows whose operations are on their way, taken together: what becomes of their events. */
export interface InHand {
  readonly isEmpty: () => boolean
  readonly events: () => number
  /** Refused operations that are still to be set aside. */
  readonly letters: () => number
  readonly take: (window: Window) => void
  readonly refuse: (refusal: Refusal, at: string) => void
  /** Sets the refused operations aside, each once; a failure leaves the rest for the next try. */
  readonly setAside: Effect.Effect<void, EventLogError>
  /** Everything was answered for and set aside: how many events were taken whole, and how to say so to their source. */
  readonly release: () => { readonly delivered: number; readonly acknowledge: Effect.Effect<void, EventLogError> }
}

const NOTHING = { delivered: 0, acknowledge: Effect.void }

/** Nothing in hand. `onSetAside` is told of each dead letter that is safe. */
export const make = (runId: string, source: Source, onSetAside: () => void): InHand => {
  let held: Held | undefined

  return {
    isEmpty: () => held === undefined,
    events: () => held?.events ?? 0,
    letters: () => held?.letters.length ?? 0,
    take: (window) => {
      const before = held
      held = {
        events: (before?.events ?? 0) + window.events,
        refused: before?.refused ?? new Set(),
        letters: before?.letters ?? [],
        acknowledge:
          before === undefined ? window.acknowledge : Effect.zipRight(before.acknowledge, window.acknowledge),
      }
    },
    refuse: ({ op, eventId, event, status, reason, json }, at) => {
      const operation: unknown = json === null ? null : JSON.parse(json)
      held?.refused.add(event)
      held?.letters.push({ at, run_id: runId, op, event_id: eventId, status, reason, operation })
    },
    setAside: Effect.gen(function* () {
      for (let letter = held?.letters[0]; letter !== undefined; letter = held?.letters[0]) {
        yield* source.setAside(letter)
        held?.letters.shift()
        onSetAside()
      }
    }),
    release: () => {
      if (held === undefined) return NOTHING
      const { events, refused, acknowledge } = held
      held = undefined
      return { delivered: events - refused.size, acknowledge }
    },
  }
}
