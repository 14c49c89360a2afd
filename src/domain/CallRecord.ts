import * as Schema from "effect/Schema"
import { RunRecord } from "./Run.js"

/** The members of a {@link CallRecord}. */
export const CALL_FIELDS = [
  "event_id",
  "run_id",
  "parent_run_id",
  "status",
  "start_time",
  "duration_ms",
  "git_repo",
  "git_branch",
  "git_commit_hash",
  "error_summary",
  "metrics_json",
  "context_json",
] as const

/**
 * What of a call's row its money, its question and its origin are read from. `metrics_json` is whole; of `context_json` at
 * least {@link CALL_CONTEXT} is there.
 */
export const CallRecord = RunRecord.pipe(Schema.pick(...CALL_FIELDS)).annotations({ identifier: "Call" })
export type CallRecord = typeof CallRecord.Type

/** What a {@link CallRecord} has of the row's `context_json`; the attempts where one of them has a bill of its own. */
export const CALL_CONTEXT = [
  "call_id",
  "model",
  "response_model",
  "provider",
  "worker",
  "prompt_hash",
  "error_class",
  "attempts",
] as const
