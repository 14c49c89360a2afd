import * as Either from "effect/Either"
import type { CallFinishedLine, CallLine, CallStartedLine } from "./CallLine.js"
import { costMetrics, usageMetrics } from "./CallMetrics.js"
import * as CallRow from "./CallRow.js"
import type { Event, LlmCallFailed, RunCreated } from "./Event.js"
import { callRunId } from "./Ids.js"
import { type Json, withoutUndefined } from "./JsonRecord.js"
import { PROCESS_DIED } from "./OpenSpans.js"
import type { OperationWire } from "./Operation.js"

interface OpenRow {
  readonly eventId: string
  readonly context: Json
}

/** One that a line was recognised to open: its context is decoded when another event asks for it. */
const openRow = (row: CallRow.CallRow): OpenRow => ({
  eventId: row.eventId.slice(1, -1),
  context: CallRow.contextOf(row),
})

const spanContext = (event: Event): Json =>
  withoutUndefined({ trace_id: event.trace_id, span_id: event.span_id, parent_span_id: event.parent_span_id ?? null })

const answeredBy = ({ provider, provider_base_url }: Pick<LlmCallFailed, "provider" | "provider_base_url">): Json =>
  withoutUndefined({ provider, provider_base_url })

/** What is known of a call that failed; nothing when it is neither known what it used nor how long it took. */
const failedMetrics = (payload: LlmCallFailed): Json | undefined => {
  const times = withoutUndefined({
    model_latency_ms: payload.model_latency_ms,
    time_to_first_token_ms: payload.time_to_first_token_ms,
  })
  if (payload.token_usage !== undefined)
    return { ...usageMetrics(payload.token_usage), ...costMetrics(payload), finish_reason: "error", ...times }
  return Object.keys(times).length === 0 ? undefined : times
}

const failureStatus = (errorClass: string): "timeout" | "cancelled" | "failure" => {
  if (errorClass === "Timeout") return "timeout"
  return errorClass === "Interrupted" ? "cancelled" : "failure"
}

/** The process ended before the span did: an ending that nobody reported, which yields to one that somebody does. */
const inferred = (errorClass: string | undefined): Json => (errorClass === PROCESS_DIED ? { inferred: true } : {})

const runContext = (event: Event, created: RunCreated): Json => ({ ...spanContext(event), ...created.context_json })

/** What every row of a run shares with the run's own. */
const shared = (created: RunCreated): Json =>
  withoutUndefined({
    product: created.product ?? undefined,
    git_repo: created.git_repo ?? undefined,
    git_branch: created.git_branch ?? undefined,
    git_commit_hash: created.git_commit_hash ?? undefined,
    host: created.host ?? undefined,
    environment: created.environment ?? undefined,
    trigger_type: created.trigger_type ?? undefined,
  })

const whole = (durationMs: number | undefined): number | undefined =>
  durationMs === undefined ? undefined : Math.round(durationMs)

/**
 * A fold from a run's events to the operations that make its rows: every event is kept as it was, an opening event creates
 * a row that bears its event_id, a closing one updates it. Live shipping, replay and backfill feed the same events through
 * the same fold, so they make the same rows; feeding a log twice gives the same operations twice.
 */
export interface Projection {
  /** The operations that one more event stands for, in the order in which they must be applied. */
  readonly step: (event: Event) => ReadonlyArray<OperationWire>
  /**
   * The same for a line that is recognised, at a fraction of the price: what else than the event itself it stands for, if
   * anything; undefined, and nothing has happened, when only {@link step} can tell.
   */
  readonly stepCall: (line: CallLine) => CallRow.CallOperation | "nothing" | undefined
}

/** A row that was opened by an event, or by a line that was recognised. */
type Opened = OpenRow | { readonly call: CallRow.CallRow }

/** The fold of one run, before its first event. */
export const make = (): Projection => {
  let run: { readonly eventId: string; readonly context: Json } | undefined
  let inherited: Json = {}
  let inheritedText: Either.Either<string, unknown> | undefined
  const open = new Map<string, Opened>()

  const membersOfRun = (): Either.Either<string, unknown> => {
    inheritedText ??= Either.try(() => {
      const text = JSON.stringify(inherited).slice(1, -1)
      return text === "" ? "" : `${text},`
    })
    return inheritedText
  }

  const create = (event: Event, row: Json, context: Json): OperationWire => {
    open.set(event.span_id, { eventId: event.event_id, context })
    return {
      op: "create",
      event_id: event.event_id,
      start_time: event.ts,
      created_at: event.ts,
      status: "running",
      ...inherited,
      ...row,
      context_json: context,
    } as OperationWire
  }

  const update = (eventId: string, event: Event, fields: Json): OperationWire =>
    withoutUndefined({ op: "update", event_id: eventId, end_time: event.ts, ...fields }) as unknown as OperationWire

  const close = (event: Event, fields: (row: OpenRow) => Json): ReadonlyArray<OperationWire> => {
    const opened = open.get(event.span_id)
    if (opened === undefined) return []
    const row = "call" in opened ? openRow(opened.call) : opened
    const closing = fields(row)
    if (closing["inferred"] !== true) open.delete(event.span_id)
    return [update(row.eventId, event, closing)]
  }

  const closeRun = (event: Event, fields: Json): ReadonlyArray<OperationWire> =>
    run === undefined ? [] : [update(run.eventId, event, fields)]

  const rows = (event: Event): ReadonlyArray<OperationWire> => {
    switch (event.type) {
      case "RUN_CREATED": {
        const { context_json: _context, ...fields } = event.payload
        const context = runContext(event, event.payload)
        run = { eventId: event.event_id, context }
        inherited = shared(event.payload)
        inheritedText = undefined
        return [create(event, { run_id: event.run_id, ...fields }, context)]
      }
      case "RUN_STATE_CHANGED": {
        if (run === undefined) return []
        const context = { ...run.context, state: event.payload.new_state }
        const reopened = event.payload.new_state === "CREATED"
        return [
          withoutUndefined({
            op: "update",
            event_id: run.eventId,
            context_json: context,
            ...(reopened
              ? { status: "running", reopen: true, end_time: null, error_summary: null, error_details: null }
              : {}),
          }) as unknown as OperationWire,
        ]
      }
      case "RUN_COMPLETED": {
        const { lines_before: _lines, status = "success", duration_ms, ...fields } = event.payload
        return closeRun(event, { ...fields, status, duration_ms: whole(duration_ms) })
      }
      case "RUN_FAILED": {
        const { lines_before: _lines, error_class, duration_ms, ...fields } = event.payload
        return closeRun(event, {
          ...fields,
          ...inferred(error_class),
          status: failureStatus(error_class),
          duration_ms: whole(duration_ms),
        })
      }
      case "RUN_CANCELLED": {
        const { lines_before: _lines, reason, duration_ms, ...fields } = event.payload
        return closeRun(event, {
          ...fields,
          status: "cancelled",
          error_summary: reason ?? undefined,
          duration_ms: whole(duration_ms),
        })
      }
      case "WORK_ITEM_STARTED": {
        const { work_item_id, worker, attempt, agent_name, input_summary } = event.payload
        const row = {
          run_id: work_item_id,
          parent_run_id: event.run_id,
          agent_name: agent_name ?? `launch.workers.${worker}`,
          job_type: "worker",
          input_summary,
        }
        return [create(event, row, { ...spanContext(event), worker, attempt })]
      }
      case "WORK_ITEM_FINISHED": {
        const {
          success,
          error,
          error_class,
          status,
          duration_ms,
          work_item_id: _id,
          worker: _worker,
          attempt: _n,
          ...fields
        } = event.payload
        return close(event, () => ({
          ...fields,
          ...inferred(error_class),
          status: status ?? (success ? "success" : "failure"),
          error_summary: error ?? undefined,
          duration_ms: whole(duration_ms),
        }))
      }
      case "LLM_CALL_STARTED": {
        const { agent_name, ...call } = event.payload
        const row = {
          run_id: callRunId(event.run_id, call.call_id),
          parent_run_id: event.run_id,
          agent_name: agent_name ?? `launch.llm.${call.call_id}`,
          job_type: "llm_call",
        }
        return [create(event, row, withoutUndefined({ ...spanContext(event), ...call }))]
      }
      case "LLM_CALL_FINISHED": {
        const { payload } = event
        return close(event, (row) => ({
          status: "success",
          duration_ms: whole(payload.latency_ms),
          metrics_json: withoutUndefined({
            ...usageMetrics(payload.token_usage),
            ...costMetrics(payload),
            finish_reason: payload.finish_reason,
            stop_reason: payload.stop_reason ?? undefined,
            tool_calls_count: payload.tool_calls_count,
            model_latency_ms: payload.model_latency_ms,
            time_to_first_token_ms: payload.time_to_first_token_ms,
          }),
          context_json: withoutUndefined({
            ...row.context,
            ...answeredBy(payload),
            request_id: payload.request_id ?? undefined,
            response_model: payload.response_model ?? undefined,
            attempts: payload.attempts,
            output_hash: payload.output_hash,
          }),
        }))
      }
      case "LLM_CALL_FAILED": {
        const { payload } = event
        return close(event, (row) => ({
          ...inferred(payload.error_class),
          status: failureStatus(payload.error_class),
          duration_ms: whole(payload.latency_ms),
          error_summary: payload.error_summary,
          error_details: payload.error_details,
          metrics_json: failedMetrics(payload),
          context_json: withoutUndefined({
            ...row.context,
            ...answeredBy(payload),
            error_class: payload.error_class,
            retryable: payload.retryable,
            http_status: payload.http_status ?? undefined,
            request_id: payload.request_id ?? undefined,
            response_model: payload.response_model ?? undefined,
            attempts: payload.attempts,
          }),
        }))
      }
      default:
        return []
    }
  }

  const openCall = (line: CallStartedLine): CallRow.CallOperation | undefined => {
    const members = membersOfRun()
    if (Either.isLeft(members)) return undefined
    const row = CallRow.opened(line, members.right)
    open.set(line.spanId.slice(1, -1), { call: row })
    return { op: "create", row }
  }

  const closeCall = (line: CallFinishedLine): CallRow.CallOperation | "nothing" | undefined => {
    const spanId = line.spanId.slice(1, -1)
    const opened = open.get(spanId)
    if (opened === undefined) return "nothing"
    if (!("call" in opened)) return undefined
    open.delete(spanId)
    return CallRow.closed(opened.call, line)
  }

  return {
    stepCall: (line) => (line.type === "LLM_CALL_STARTED" ? openCall(line) : closeCall(line)),
    step: (event) => [{ op: "event", event_id: event.event_id, event } as OperationWire, ...rows(event)],
  }
}

/** All operations of a run's events. */
export const project = (events: Iterable<Event>): ReadonlyArray<OperationWire> => {
  const projection = make()
  return Array.from(events).flatMap(projection.step)
}
