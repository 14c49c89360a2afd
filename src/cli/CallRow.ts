import { measure } from "../domain/CallMeasure.js"
import type { CostStatus } from "../domain/Cost.js"
import type { RunRecord } from "../domain/Run.js"
import type { Status } from "../domain/Status.js"

/** What a person wants to know of one recorded call. Null is what the row does not tell. */
export interface CallRow {
  readonly callId: string
  readonly runId: string
  readonly parentRunId: string | null
  readonly status: Status
  readonly model: string | null
  readonly provider: string | null
  readonly worker: string | null
  readonly commit: string | null
  readonly startTime: string
  readonly inputTokens: number
  readonly outputTokens: number
  readonly totalTokens: number
  readonly costNanoUsd: number | null
  readonly costStatus: CostStatus | null
  readonly latencyMs: number
  readonly attempts: number
  readonly finishReason: string | null
  readonly error: string | null
}

type Json = Readonly<Record<string, unknown>> | null

const text = (json: Json, key: string): string | null => {
  const value = json?.[key]
  return typeof value === "string" && value !== "" ? value : null
}

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
    model: text(context, "model"),
    provider: text(context, "provider"),
    worker: text(context, "worker"),
    commit: run.git_commit_hash,
    startTime: run.start_time,
    inputTokens: measured.input_tokens ?? 0,
    outputTokens: measured.output_tokens ?? 0,
    totalTokens: measured.total_tokens ?? 0,
    costNanoUsd: measured.cost_nanousd,
    costStatus: measured.cost_status,
    latencyMs: run.duration_ms,
    attempts: Array.isArray(attempts) ? attempts.length : 0,
    finishReason: text(metrics, "finish_reason"),
    error: run.error_summary === null ? errorClass : `${errorClass ?? "Error"}: ${run.error_summary}`,
  }
}
