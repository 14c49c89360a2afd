import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Delivery, Telemetry, type TelemetryService } from "../services/Telemetry.js"

/** How delivery stands where nothing is delivered. */
export const nowhere: Delivery = {
  endpoint: null,
  delivered: 0,
  undelivered: 0,
  dropped: 0,
  rejected: 0,
  failedAttempts: 0,
  lastSuccessAt: null,
  oldestUndeliveredAt: null,
  circuit: "closed",
  lastError: null,
}

/** The promise of `Telemetry`, kept by doing nothing. */
export const service: TelemetryService = {
  record: () => Effect.void,
  flush: () => Effect.succeed(nowhere),
  delivery: Effect.succeed(nowhere),
}

/**
 * Sends nothing: no fiber, no socket, no timer, no memory. Events stay where they are, in the event log when the program has
 * one. Cannot be overloaded, cannot fail, has nothing to do at shutdown, reads no settings.
 */
export const layer: Layer.Layer<Telemetry> = Layer.succeed(Telemetry, service)
