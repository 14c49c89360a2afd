import * as Context from "effect/Context"

/**
 * Makes ids. The methods are plain functions because a recorded call needs four of them on its caller's path; they never
 * throw and are safe to call from any fiber.
 */
export interface IdGeneratorService {
  /** A new event id: a UUIDv7 of the given instant (epoch ms), later ones sorting after earlier ones of one process. */
  readonly unsafeEventId: (epochMillis: number) => string
  /** A new W3C span id, 16 lower-case hex digits, never all zero. */
  readonly unsafeSpanId: () => string
  /** A new W3C trace id, 32 lower-case hex digits, never all zero. */
  readonly unsafeTraceId: () => string
}

/** Ids for events, spans and traces: random when live, a sequence in tests and replay. */
export class IdGenerator extends Context.Tag("runledger/services/IdGenerator")<IdGenerator, IdGeneratorService>() {}
