import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { EventType } from "../src/domain/Event.js"

/** So long an event waits for others to go with it. */
export const LINGER = Duration.millis(200)
/** While there is nothing to send: the server takes a run for dead after a while without a sign of life. */
export const SIGN_OF_LIFE = Duration.minutes(5)
/** So many events are worth a request at once, and worth preparing while another request is under way. */
export const FULL = 620
/** The longest back-off while somebody waits for a flush. */
export const FLUSH_BACKOFF_CAP_MILLIS = 1000
/** A flush gives up when so many attempts in a row have found no server. */
export const FLUSH_ATTEMPTS = 3
/** A server that asks for more than this is not waited for by a flush. */
export const LONG_PAUSE_MILLIS = 3000

const URGENT: ReadonlySet<EventType> = new Set<EventType>([
  "WORK_ITEM_FINISHED",
  "RUN_STATE_CHANGED",
  "RUN_COMPLETED",
  "RUN_FAILED",
  "RUN_CANCELLED",
  "LLM_CALL_FAILED",
])

/** What a reader of the server wants to see without delay. */
export const isUrgent = (type: EventType): boolean => URGENT.has(type)

/** Milliseconds of a clock that is never set: of use for differences only. */
export const steadyMillis: Effect.Effect<number> = Effect.map(Clock.currentTimeNanos, (nanos) =>
  Number(nanos / 1_000_000n),
)
