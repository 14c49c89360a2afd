import { answeredModel } from "../domain/AnsweredModel.js"
import { measure } from "../domain/CallMeasure.js"
import type { CostStatus } from "../domain/Cost.js"
import { PROCESS_DIED } from "../domain/OpenSpans.js"
import type { RunRecord } from "../domain/Run.js"
import type { Status } from "../domain/Status.js"

/** What a person wants to know of one recorded call. Null is what the row does not tell. */
export interface CallRow {
  readonly callId: string
  readonly runId: string
  readonly parentRunId: string | null
  readonly status: Status
  readonly eventId: string
  /** What was asked for. */
  readonly model: string | null
  /** Whose tokens and price they are: another model than the one that was asked where a fallback answered. */
  readonly answeredBy: string | null
  readonly provider: string | null
  readonly worker: string | null
  readonly commit: string | null
  readonly startTime: string
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  readonly totalTokens: number | null
  readonly costNanoUsd: number | null
  readonly costStatus: CostStatus | null
  /** Null of a call whose process died: nobody saw its end. */
  readonly latencyMs: number | null
  /** Of the latency, what providers were waited for: without back-off, and without the time of a stream's reader. */
  readonly modelLatencyMs: number | null
  /** Of a stream. */
  readonly firstTokenMs: number | null
  /** Of an answer that is whole: of a stream after its first token, otherwise over the model's time. */
  readonly outputTokensPerSecond: number | null
  readonly attempts: number
  readonly finishReason: string | null
  readonly error: string | null
}

type Json = Readonly<Record<string, unknown>> | null

const text = (json: Json, key: string): string | null => {
  const value = json?.[key]
  return typeof value === "string" && value !== "" ? value : null
}

const number = (json: Json, key: string): number | null => {
  const value = json?.[key]
  return typeof value === "number" && value >= 0 ? value : null
}

const speed = (run: RunRecord, outputTokens: number, firstTokenMs: number | null): number | null => {
  if (run.status !== "success" || text(run.metrics_json, "usage_source") === "lower_bound") return null
  const millis =
    firstTokenMs === null
      ? (number(run.metrics_json, "model_latency_ms") ?? run.duration_ms)
      : run.duration_ms - firstTokenMs
  return millis > 0 && outputTokens > 0 ? Math.round((outputTokens / millis) * 1e4) / 10 : null
}

/** The model that was asked and, where it is another one, the model that answered. */
export const modelOf = ({ model, answeredBy }: Pick<CallRow, "model" | "answeredBy">): string => {
  const answered = answeredBy ?? "-"
  return model === null || model === answeredBy ? answered : `${model} → ${answered}`
}

/** The run that a call was made in: its parent, or its own where it names none. */
export const launchOf = ({ parentRunId, runId }: Pick<CallRow, "parentRunId" | "runId">): string => parentRunId ?? runId

/** The facts of a row of job type `llm_call`. */
export const fromRun = (run: RunRecord): CallRow => {
  const { context_json: context, metrics_json: metrics } = run
  const attempts = context?.["attempts"]
  const measured = measure(metrics)
  const errorClass = text(context, "error_class")
  return {
    callId: text(context, "call_id") ?? run.run_id,
    runId: run.run_id,
    parentRunId: run.parent_run_id,
    status: run.status,
    eventId: run.event_id,
    model: text(context, "model"),
    answeredBy: answeredModel(text(context, "model"), text(context, "response_model")),
    provider: text(context, "provider"),
    worker: text(context, "worker"),
    commit: run.git_commit_hash,
    startTime: run.start_time,
    inputTokens: measured.input_tokens,
    outputTokens: measured.output_tokens,
    totalTokens: measured.total_tokens,
    costNanoUsd: measured.cost_nanousd,
    costStatus: measured.cost_status,
    latencyMs: errorClass === PROCESS_DIED ? null : run.duration_ms,
    modelLatencyMs: number(metrics, "model_latency_ms"),
    firstTokenMs: measured.time_to_first_token_ms,
    outputTokensPerSecond: speed(run, measured.output_tokens ?? 0, measured.time_to_first_token_ms),
    attempts: Array.isArray(attempts) ? attempts.length : 0,
    finishReason: text(metrics, "finish_reason"),
    error: run.error_summary === null ? errorClass : `${errorClass ?? "Error"}: ${run.error_summary}`,
  }
}
