import { ERROR_SUMMARY_LIMIT, type Event, type EventBody, type SpanContext } from "./Event.js"
import * as Timestamp from "./Timestamp.js"

/** The `error_class` of a span that a dead process left open. */
export const PROCESS_DIED = "ProcessDied"

/** What of an event tells whether a span is open. */
export interface Mark {
  readonly type: string
  readonly spanId: string
  readonly ts: string
  /** The state that a `RUN_STATE_CHANGED` leads to. */
  readonly newState?: string | undefined
}

export const markOf = (event: Event): Mark => ({
  type: event.type,
  spanId: event.span_id,
  ts: event.ts,
  newState: event.type === "RUN_STATE_CHANGED" ? event.payload.new_state : undefined,
})

/** A span that is open: since when, and what was kept of the event that opened it. */
export interface OpenSpan<A> {
  readonly since: string
  readonly opening: A
}

/**
 * A fold over a run's events to the spans that are open: its calls, its work items, and the run itself, which a change to the
 * state CREATED opens again. The caller says what to keep of an opening event, so that a long log need not be held.
 */
export interface OpenSpans<A> {
  readonly step: (mark: Mark, opening: A) => void
  /** The innermost first: what was opened later stands within, or beside, what was opened before it; the run comes last. */
  readonly open: () => ReadonlyArray<OpenSpan<A>>
  readonly isRunOpen: () => boolean
  /** When the latest event with a readable time was recorded: the run's last sign of life. */
  readonly lastSign: () => string | undefined
}

/** The fold before the first event. */
export const make = <A>(): OpenSpans<A> => {
  const spans = new Map<string, OpenSpan<A>>()
  let run: (OpenSpan<A> & { readonly isOpen: boolean }) | undefined
  let lastSign: string | undefined

  const stepRun = ({ type, ts, newState }: Mark, opening: A): void => {
    if (type === "RUN_CREATED") run = { since: ts, opening, isOpen: true }
    else if (run === undefined) return
    else if (type !== "RUN_STATE_CHANGED") run = { ...run, isOpen: false }
    else if (newState === "CREATED") run = { ...run, since: ts, isOpen: true }
  }

  return {
    step: (mark, opening) => {
      if (Timestamp.parseMillis(mark.ts) !== undefined) lastSign = mark.ts
      switch (mark.type) {
        case "LLM_CALL_STARTED":
        case "WORK_ITEM_STARTED":
          spans.delete(mark.spanId)
          spans.set(mark.spanId, { since: mark.ts, opening })
          break
        case "LLM_CALL_FINISHED":
        case "LLM_CALL_FAILED":
        case "WORK_ITEM_FINISHED":
          spans.delete(mark.spanId)
          break
        case "RUN_CREATED":
        case "RUN_STATE_CHANGED":
        case "RUN_COMPLETED":
        case "RUN_FAILED":
        case "RUN_CANCELLED":
          stepRun(mark, opening)
      }
    },
    open: () => [...[...spans.values()].reverse(), ...(run?.isOpen === true ? [run] : [])],
    isRunOpen: () => run?.isOpen === true,
    lastSign: () => lastSign,
  }
}

/** What is known of a process that died. */
export interface Death {
  /** Its id; undefined when nobody knows. */
  readonly pid: number | undefined
  /** The last sign of life in the log. */
  readonly lastSign: string
}

const summary = (what: string, { pid, lastSign }: Death): string =>
  `${pid === undefined ? "The process that owned the run" : `Process ${pid}, which owned the run,`} ended before ${what} did; its last sign of life is of ${lastSign}.`.slice(
    0,
    ERROR_SUMMARY_LIMIT,
  )

/** The later of both, and how long after `since` it is; never before it. */
const endOf = (since: string, lastSign: string): { readonly ts: string; readonly durationMs: number } => {
  const from = Timestamp.parseMillis(since)
  const to = Timestamp.parseMillis(lastSign)
  if (from === undefined || to === undefined) return { ts: to === undefined ? since : lastSign, durationMs: 0 }
  return to < from ? { ts: since, durationMs: 0 } : { ts: lastSign, durationMs: to - from }
}

const bodyOf = (opening: Event, durationMs: number, death: Death): EventBody | undefined => {
  switch (opening.type) {
    case "LLM_CALL_STARTED": {
      const error_summary = summary(`the call ${opening.payload.call_id}`, death)
      const { call_id } = opening.payload
      const payload = { call_id, latency_ms: durationMs, error_class: PROCESS_DIED, error_summary, retryable: true }
      return { type: "LLM_CALL_FAILED", payload }
    }
    case "WORK_ITEM_STARTED": {
      const { work_item_id, worker, attempt } = opening.payload
      const error = summary(`the worker ${worker}`, death)
      const ending = {
        success: false,
        error,
        error_class: PROCESS_DIED,
        status: "failure",
        duration_ms: durationMs,
      } as const
      return { type: "WORK_ITEM_FINISHED", payload: { work_item_id, worker, attempt, ...ending } }
    }
    case "RUN_CREATED": {
      const { job_type } = opening.payload
      const goOn = job_type === "launch" ? ` Go on with: runledger launch --resume ${opening.run_id}` : ""
      const error_summary = `${summary("it", death)}${goOn}`.slice(0, ERROR_SUMMARY_LIMIT)
      const payload = { error_class: PROCESS_DIED, error_summary, duration_ms: durationMs }
      return { type: "RUN_FAILED", payload }
    }
    default:
      return undefined
  }
}

/** An event without its id. */
export type Closing = SpanContext & EventBody & { readonly run_id: string; readonly ts: string }

/**
 * The event that closes a span which a dead process left open, by the event that opened it: in the span's own place, as of the
 * last sign of life, and failed as {@link PROCESS_DIED}; `undefined` when the event opens none.
 */
export const closing = ({ since, opening }: OpenSpan<Event>, death: Death): Closing | undefined => {
  const { ts, durationMs } = endOf(since, death.lastSign)
  const body = bodyOf(opening, durationMs, death)
  if (body === undefined) return undefined
  const { run_id, trace_id, span_id, parent_span_id } = opening
  const place = parent_span_id === undefined ? { trace_id, span_id } : { trace_id, span_id, parent_span_id }
  return { run_id, ts, ...place, ...body }
}
