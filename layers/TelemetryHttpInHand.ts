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
  readonly windows: ReadonlyArray<Window>
}

/** The windows whose operations are on their way, taken together: what becomes of their events. */
export interface InHand {
  readonly isEmpty: () => boolean
  readonly events: () => number
  /** Refused operations that are still to be set aside. */
  readonly letters: () => number
  readonly take: (window: Window) => void
  readonly refuse: (refusal: Refusal, at: string) => void
  /** Sets the refused operations aside, all in one go; a failure leaves them for the next try. */
  readonly setAside: Effect.Effect<void, EventLogError>
  /** How many operations were ever set aside. */
  readonly rejected: () => number
  /** Everything was answered for and set aside: how many events were taken whole, and how to write that down. */
  readonly release: () => { readonly delivered: number; readonly acknowledge: Effect.Effect<void, EventLogError> }
}

const NOTHING = { delivered: 0, acknowledge: Effect.void }

/** Nothing in hand. */
export const make = (runId: string, source: Source): InHand => {
  let held: Held | undefined
  let rejected = 0

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
        windows: [...(before?.windows ?? []), window],
      }
    },
    refuse: ({ op, eventId, event, status, reason, json }, at) => {
      const operation: unknown = json === null ? null : JSON.parse(json)
      held?.refused.add(event)
      held?.letters.push({ at, run_id: runId, op, event_id: eventId, status, reason, operation })
    },
    setAside: Effect.suspend(() => {
      const letters = [...(held?.letters ?? [])]
      if (letters.length === 0) return Effect.void
      return Effect.map(source.setAside(letters), () => {
        held?.letters.splice(0, letters.length)
        rejected += letters.length
      })
    }),
    rejected: () => rejected,
    release: () => {
      if (held === undefined) return NOTHING
      const { events, refused, windows } = held
      held = undefined
      for (const { resolve } of windows) resolve()
      return { delivered: events - refused.size, acknowledge: windows.at(-1)?.acknowledge ?? Effect.void }
    },
  }
}
