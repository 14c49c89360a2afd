import * as Schema from "effect/Schema"
import { EventId } from "./Ids.js"
import { isPlainText, JsonObject } from "./JsonText.js"
import { type Status, StatusFromAlias } from "./Status.js"
import { Timestamp } from "./Timestamp.js"

/** The schema version of a stored row. */
export const SCHEMA_VERSION = 1

const name = Schema.String.pipe(
  Schema.minLength(1),
  Schema.maxLength(1024),
  Schema.filter(isPlainText, { message: () => "expected a name without NUL and lone surrogates", jsonSchema: {} }),
)
const count = Schema.Int.pipe(Schema.nonNegative(), Schema.lessThanOrEqualTo(Number.MAX_SAFE_INTEGER))

const orNull = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.NullOr(schema), { default: () => null })
const countOrNull = Schema.transform(Schema.NullOr(count), Schema.typeSchema(count), {
  strict: true,
  decode: (given) => given ?? 0,
  encode: (kept) => kept,
})
const orZero = Schema.optionalWith(count, { nullable: true, default: () => 0 })

const descriptive = {
  product: orNull(Schema.String),
  product_family: orNull(Schema.String),
  platform: orNull(Schema.String),
  subdomain: orNull(Schema.String),
  website: orNull(Schema.String),
  website_section: orNull(Schema.String),
  item_name: orNull(Schema.String),
  source_ref: orNull(Schema.String),
  target_ref: orNull(Schema.String),
  git_repo: orNull(Schema.String),
  git_branch: orNull(Schema.String),
  git_commit_hash: orNull(Schema.String),
  git_run_tag: orNull(Schema.String),
  git_commit_source: orNull(Schema.String),
  git_commit_author: orNull(Schema.String),
  git_commit_timestamp: orNull(Timestamp),
  host: orNull(Schema.String),
  environment: orNull(Schema.String),
  trigger_type: orNull(Schema.String),
  insight_id: orNull(Schema.String),
  parent_run_id: orNull(name),
}

/** What a row measured, as the API describes it. */
const MetricsJson = JsonObject.annotations({
  identifier: "MetricsJson",
  description:
    "What was measured. Of a call (job_type llm_call): input_tokens (cached ones included) and output_tokens, and where they are known cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens, finish_reason. Without a cost_status, api_cost_usd or cost_nanousd the server prices the call, by the model and provider of context_json",
})

/** What a row was about, as the API describes it. */
const ContextJson = JsonObject.annotations({
  identifier: "ContextJson",
  description:
    "What it was about. Of a call (job_type llm_call): model and provider, which decide its price and are read nowhere else; response_model, who answered; call_id, prompt_hash, trace_id, span_id, parent_span_id, temperature, max_tokens",
})

const progress = {
  end_time: orNull(Timestamp),
  items_discovered: orZero,
  items_succeeded: orZero,
  items_failed: orZero,
  items_skipped: orZero,
  duration_ms: orZero,
  input_summary: orNull(Schema.String),
  output_summary: orNull(Schema.String),
  error_summary: orNull(Schema.String),
  error_details: orNull(Schema.String),
  metrics_json: orNull(MetricsJson),
  context_json: orNull(ContextJson),
}

const posting = {
  api_posted: Schema.optionalWith(Schema.Boolean, { nullable: true, default: () => false }),
  api_posted_at: orNull(Timestamp),
  api_retry_count: orZero,
}

/** A run as a client creates it. Unknown fields are ignored, absent ones are null, counts 0. */
export const RunCreate = Schema.Struct({
  event_id: EventId,
  run_id: name,
  agent_name: name,
  job_type: name,
  start_time: Timestamp,
  created_at: orNull(Timestamp),
  status: Schema.optionalWith(StatusFromAlias, { nullable: true, default: () => "running" as const }),
  ...descriptive,
  ...progress,
  ...posting,
}).annotations({ identifier: "RunCreate" })
export type RunCreate = typeof RunCreate.Type
export type RunCreateWire = typeof RunCreate.Encoded

/** What an update may change. A field that is absent keeps its value; the two JSON fields are replaced whole. */
export const RunPatch = Schema.Struct({
  status: Schema.optional(StatusFromAlias),
  end_time: Schema.optional(Schema.NullOr(Timestamp)),
  duration_ms: Schema.optional(countOrNull),
  items_discovered: Schema.optional(countOrNull),
  items_succeeded: Schema.optional(countOrNull),
  items_failed: Schema.optional(countOrNull),
  items_skipped: Schema.optional(countOrNull),
  input_summary: Schema.optional(Schema.NullOr(Schema.String)),
  output_summary: Schema.optional(Schema.NullOr(Schema.String)),
  error_summary: Schema.optional(Schema.NullOr(Schema.String)),
  error_details: Schema.optional(Schema.NullOr(Schema.String)),
  metrics_json: Schema.optional(Schema.NullOr(MetricsJson)),
  context_json: Schema.optional(Schema.NullOr(ContextJson)),
  git_commit_source: Schema.optional(Schema.NullOr(Schema.String)),
  git_commit_author: Schema.optional(Schema.NullOr(Schema.String)),
  git_commit_timestamp: Schema.optional(Schema.NullOr(Timestamp)),
}).annotations({ identifier: "RunPatch" })
export type RunPatch = typeof RunPatch.Type
export type RunPatchWire = typeof RunPatch.Encoded

/** The fields that {@link RunPatch} knows. */
export const PATCH_FIELDS: ReadonlyArray<keyof RunPatch & string> = Object.keys(RunPatch.fields) as ReadonlyArray<
  keyof RunPatch & string
>

/** A run as it is read back: every field of {@link RunCreate}, plus what the store adds. */
export const RunRecord = Schema.typeSchema(RunCreate)
  .pipe(
    Schema.omit("created_at"),
    Schema.extend(
      Schema.Struct({
        id: Schema.Int,
        schema_version: Schema.Int,
        created_at: Schema.String,
        updated_at: Schema.NullOr(Schema.String),
        commit_url: Schema.NullOr(Schema.String),
        repo_url: Schema.NullOr(Schema.String),
      }),
    ),
  )
  .annotations({ identifier: "Run" })
export type RunRecord = typeof RunRecord.Type

/** Which runs are asked for. Absent fields do not filter. */
export interface RunFilter {
  readonly run_id?: string | undefined
  readonly parent_run_id?: string | undefined
  readonly trace_id?: string | undefined
  readonly agent_name?: string | undefined
  readonly job_type?: string | undefined
  readonly status?: Status | undefined
  readonly product?: string | undefined
  readonly model?: string | undefined
  /** Exclusive lower bound of `created_at`. */
  readonly created_after?: string | undefined
  /** Exclusive upper bound of `created_at`. */
  readonly created_before?: string | undefined
  /** Inclusive lower bound of `start_time`. */
  readonly start_time_from?: string | undefined
  /** Inclusive upper bound of `start_time`. */
  readonly start_time_to?: string | undefined
}
