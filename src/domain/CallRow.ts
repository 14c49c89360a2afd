import type { CallFinishedLine, CallStartedLine } from "./CallLine.js"
import { toUsd } from "./Cost.js"
import { callRunId } from "./Ids.js"

/** The row of a call that a recognised line opened: pieces of the JSON of its create. */
export interface CallRow {
  readonly eventId: string
  readonly ts: string
  /** The members between the status and the context. */
  readonly fields: string
  /** `context_json` without its closing brace. */
  readonly context: string
  /** Members that it shares with the run's row, each with a comma behind it. */
  readonly inherited: string
}

/** An operation of a call's row, of which the JSON text is made when it is sent. */
export type CallOperation =
  | { readonly op: "create"; readonly row: CallRow }
  /** `fields`: the members behind the end time. */
  | { readonly op: "update"; readonly row: CallRow; readonly ts: string; readonly fields: string }

const member = (name: string, text: string | undefined): string => (text === undefined ? "" : `,"${name}":${text}`)
const unlessNull = (name: string, text: string | undefined): string =>
  text === undefined || text === "null" ? "" : `,"${name}":${text}`

/** What stands between the quotation marks of a text without escapes. */
const plain = (text: string): string => text.slice(1, -1)

/** The row that a beginning opens. */
export const opened = (line: CallStartedLine, inherited: string): CallRow => {
  const { agentName, call, callId, eventId, parentSpanId, runId, spanId, traceId, ts } = line
  const agent = agentName ?? `"launch.llm.${plain(callId)}"`
  return {
    eventId,
    ts,
    inherited,
    fields: `${inherited}"run_id":"${callRunId(plain(runId), plain(callId))}","parent_run_id":${runId},"agent_name":${agent},"job_type":"llm_call"`,
    context: `{"trace_id":${traceId},"span_id":${spanId},"parent_span_id":${parentSpanId ?? "null"},${call}`,
  }
}

const costText = (line: CallFinishedLine): string => {
  const { apiCostUsd = "null", costNanousd = "null", costStatus = '"unpriced"' } = line
  const usd = costNanousd === "null" ? apiCostUsd : JSON.stringify(toUsd(Number(costNanousd)))
  return (
    `"api_cost_usd":${usd},"cost_nanousd":${costNanousd},"cost_status":${costStatus}` +
    unlessNull("cost_breakdown", line.costBreakdown) +
    unlessNull("price_id", line.priceId) +
    unlessNull("price_effective_from", line.priceEffectiveFrom) +
    member("usage_source", line.usageSource)
  )
}

const metricsText = (line: CallFinishedLine): string =>
  `${line.usage},"prompt_tokens":${line.inputTokens},"completion_tokens":${line.outputTokens},${costText(line)},"finish_reason":${line.finishReason}` +
  unlessNull("stop_reason", line.stopReason) +
  member("tool_calls_count", line.toolCallsCount) +
  member("model_latency_ms", line.modelLatencyMs) +
  member("time_to_first_token_ms", line.timeToFirstTokenMs)

const contextText = (row: CallRow, line: CallFinishedLine): string =>
  row.context +
  unlessNull("request_id", line.requestId) +
  unlessNull("response_model", line.responseModel) +
  member("attempts", line.attempts) +
  member("output_hash", line.outputHash)

/** What a success makes of the row that it closes. */
export const closed = (row: CallRow, line: CallFinishedLine): CallOperation => ({
  op: "update",
  row,
  ts: line.ts,
  fields: `"status":"success","duration_ms":${Math.round(Number(line.latencyMs))},"metrics_json":${metricsText(line)}},"context_json":${contextText(row, line)}}`,
})

/** The context of the row as it was opened. */
export const contextOf = ({ context }: CallRow): Readonly<Record<string, unknown>> => JSON.parse(`${context}}`)

const begun = ({ eventId, ts }: CallRow): string =>
  `{"op":"create","event_id":${eventId},"start_time":${ts},"created_at":${ts},`

/** The JSON of an operation alone. */
export const textOf = (operation: CallOperation): string => {
  const { op, row } = operation
  return op === "create"
    ? `${begun(row)}"status":"running",${row.fields},"context_json":${row.context}}}`
    : `{"op":"update","event_id":${row.eventId},"end_time":${operation.ts},${operation.fields}}`
}

/** The JSON of a create that has the fields of its row's only update already. */
export const togetherOf = ({ row, ts, fields }: Extract<CallOperation, { readonly op: "update" }>): string =>
  `${begun(row)}${row.fields},"end_time":${ts},${fields}}`
