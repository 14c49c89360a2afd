import * as Option from "effect/Option"
import { sha256Hex } from "../src/domain/CanonicalJson.js"
import type { SpanContext } from "../src/domain/Event.js"

/** Where a caller places a run in a trace: in a trace, or under a span of it. */
export interface Place {
  readonly trace_id: string
  readonly span_id?: string | undefined
  readonly parent_span_id?: string | undefined
}

/** The place as a span context. A trace without a span gets a span id that follows from the run's id. */
export const resolve = (runId: string, place: Place | undefined): Option.Option<SpanContext> => {
  if (place === undefined) return Option.none()
  return Option.some({
    trace_id: place.trace_id,
    span_id: place.span_id ?? sha256Hex(`runledger:${runId}`).slice(32, 48),
    ...(place.parent_span_id === undefined ? {} : { parent_span_id: place.parent_span_id }),
  })
}
