import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { CurrentRunService } from "../../services/CurrentRun.js"
import { sha256Hex } from "../domain/CanonicalJson.js"
import type { SpanContext } from "../domain/Event.js"

const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/
const SPAN_ID = /^(?!0{16})[0-9a-f]{16}$/

/** False for a span whose ids are not W3C ids, as those of a tracer that is switched off. */
export const isRecordable = (span: Tracer.AnySpan): boolean => SPAN_ID.test(span.spanId) && TRACE_ID.test(span.traceId)

const known = new WeakMap<Tracer.AnySpan, SpanContext>()

const derive = (span: Tracer.AnySpan): SpanContext | undefined => {
  const parent = span._tag === "Span" ? ofSpan(Option.getOrUndefined(span.parent)) : undefined
  if (!isRecordable(span)) return parent
  return parent === undefined
    ? { trace_id: span.traceId, span_id: span.spanId }
    : { trace_id: span.traceId, span_id: span.spanId, parent_span_id: parent.span_id }
}

/**
 * The ids that a span of Effect's tracer has in the record, or else those of its nearest ancestor that has any; `undefined`
 * when there is none.
 */
export const ofSpan = (span: Tracer.AnySpan | undefined): SpanContext | undefined => {
  if (span === undefined) return undefined
  const before = known.get(span)
  if (before !== undefined) return before
  const ids = derive(span)
  if (ids !== undefined) known.set(span, ids)
  return ids
}

const ownIds = (runId: string): SpanContext => {
  const digest = sha256Hex(`runledger:${runId}`)
  return { trace_id: digest.slice(0, 32), span_id: digest.slice(32, 48) }
}

/**
 * Where in a trace a run stands when no native span says so: where an earlier process or a caller placed it, otherwise ids
 * derived from its run id, so that everything recorded outside of any span still shares one trace.
 */
export const ofRun = (run: Pick<CurrentRunService, "runId" | "trace">): SpanContext =>
  Option.getOrElse(run.trace, () => ownIds(run.runId))

/** Where a run's own span goes. */
export type Place =
  /** It is the root of a new trace. */
  | { readonly _tag: "Root" }
  /** A caller has the span under which it stands. */
  | { readonly _tag: "Under"; readonly parent: SpanContext }
  /** It exists already: an earlier process opened it, or its ids are given. */
  | { readonly _tag: "Reentered"; readonly span: SpanContext }

export const placeOf = (run: Pick<CurrentRunService, "runId" | "trace" | "resumed">): Place =>
  Option.match(run.trace, {
    onNone: () => ({ _tag: "Root" }),
    onSome: (trace) =>
      run.resumed || trace.parent_span_id !== undefined || trace.span_id === ownIds(run.runId).span_id
        ? { _tag: "Reentered", span: trace }
        : { _tag: "Under", parent: trace },
  })

/** A span of the run's own trace, derived from a name that is unique in the run: for what has no native span of its own. */
export const derived = (run: Pick<CurrentRunService, "runId" | "trace">, name: string): SpanContext => {
  const parent = ofRun(run)
  const span_id = sha256Hex(`runledger:${run.runId}:${name}`).slice(0, 16)
  return { trace_id: parent.trace_id, span_id, parent_span_id: parent.span_id }
}

/** A span of the record as Effect's tracer takes it for a parent. */
export const external = (span: SpanContext): Tracer.ExternalSpan =>
  Tracer.externalSpan({ spanId: span.span_id, traceId: span.trace_id })
