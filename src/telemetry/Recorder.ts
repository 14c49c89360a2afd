import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { EventBody, SpanContext } from "../domain/Event.js"

export interface RecorderService {
  /**
   * Records that something happened in the current run: stamped with id and time, appended to the event log when there is
   * one, then handed to telemetry when there is one. Without `span` the event belongs to the current native span. Never
   * fails: what goes wrong on the way becomes a log warning, once per cause.
   */
  readonly record: (body: EventBody, span?: SpanContext) => Effect.Effect<void>
}

/** The one way by which anything becomes an event of the current run. */
export class Recorder extends Context.Tag("runledger/telemetry/Recorder")<Recorder, RecorderService>() {}
