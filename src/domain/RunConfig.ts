import * as Schema from "effect/Schema"
import { SpanId, TraceId } from "./Ids.js"

const seconds = Schema.Number.pipe(Schema.positive())
const positiveInt = Schema.Int.pipe(Schema.positive())
const withDefault = <A, I>(schema: Schema.Schema<A, I>, value: A) =>
  Schema.optionalWith(schema, { default: () => value })

/** Who answers the calls of a launch. */
export const Provider = Schema.Literal("anthropic", "openai", "sandbox", "replay")
export type Provider = typeof Provider.Type

export const DEFAULT_MODEL = "claude-sonnet-4-5"

/** Who is asked when those before fail in a way that another try might mend: what it leaves out is as in the settings around it. */
const LlmFallback = Schema.Struct({
  provider: Schema.optional(Schema.Literal("anthropic", "openai")),
  model: Schema.optional(Schema.NonEmptyString),
  base_url: Schema.optional(Schema.NonEmptyString),
}).pipe(
  Schema.filter(
    ({ base_url, model, provider }) =>
      base_url !== undefined ||
      model !== undefined ||
      provider !== undefined ||
      "a fallback names a provider, a model or a base_url of its own",
  ),
)
export type LlmFallback = typeof LlmFallback.Type

const MOST_FALLBACKS = 8

/** How the model is called. Times are seconds. */
export const LlmSettings = Schema.Struct({
  provider: Schema.optional(Provider),
  model: withDefault(Schema.NonEmptyString, DEFAULT_MODEL),
  base_url: Schema.optional(Schema.String),
  temperature: withDefault(Schema.NullOr(Schema.Number.pipe(Schema.between(0, 2))), 0),
  /** Longest answer of an ordinary call, in tokens; pages get `page_max_tokens`. */
  max_tokens: withDefault(positiveInt, 4096),
  page_max_tokens: withDefault(positiveInt, 6000),
  max_concurrency: withDefault(Schema.Int.pipe(Schema.between(1, 64)), 4),
  timeout: withDefault(seconds, 120),
  max_retries: withDefault(Schema.Int.pipe(Schema.between(0, 20)), 3),
  /** In the order in which they are asked. */
  fallback: Schema.optional(Schema.Array(LlmFallback).pipe(Schema.maxItems(MOST_FALLBACKS))),
})
export type LlmSettings = typeof LlmSettings.Type

const percent = Schema.Int.pipe(Schema.between(1, 100))

/**
 * Limits of one launch, and those that all launches of a runs folder keep together: of a UTC day, of a UTC month, and of a worker
 * or model in a UTC month. Absent ones do not bind. Money is real money.
 */
export const Budgets = Schema.Struct({
  max_cost_usd: withDefault(Schema.NonNegative, 5),
  max_calls: Schema.optional(positiveInt),
  max_tokens: Schema.optional(positiveInt),
  /** Seconds. */
  max_runtime: Schema.optional(seconds),
  max_cost_usd_per_day: Schema.optional(Schema.NonNegative),
  max_cost_usd_per_month: Schema.optional(Schema.NonNegative),
  per_worker: Schema.optional(
    Schema.Struct({
      "W1.RepoScout": Schema.optional(Schema.NonNegative),
      "W2.FactsBuilder": Schema.optional(Schema.NonNegative),
      "W4.Planner": Schema.optional(Schema.NonNegative),
      "W5.SectionWriter": Schema.optional(Schema.NonNegative),
    }),
  ),
  per_model: Schema.optional(Schema.Record({ key: Schema.NonEmptyString, value: Schema.NonNegative })),
  /** Percentages of a limit at which an alert is raised; 50, 80 and 100 when absent. */
  thresholds: Schema.optional(Schema.Array(percent)),
  /** What becomes of calls of unknown price, which no limit in USD sees: made with a warning (when absent), or refused. */
  unpriced: Schema.optional(Schema.Literal("allow", "refuse")),
})
export type Budgets = typeof Budgets.Type

/** A run config file. Unknown keys are refused by the reader of the file, not ignored. */
export const RunConfig = Schema.Struct({
  product_name: Schema.optional(Schema.NonEmptyString),
  repo: Schema.optional(Schema.NonEmptyString),
  ref: Schema.optional(Schema.NonEmptyString),
  offline_mode: withDefault(Schema.Boolean, false),
  enrich: withDefault(Schema.Boolean, true),
  llm: Schema.optionalWith(LlmSettings, { default: () => Schema.decodeSync(LlmSettings)({}) }),
  telemetry: Schema.optional(
    Schema.Struct({ endpoint_url: Schema.optional(Schema.String), token_env: Schema.optional(Schema.NonEmptyString) }),
  ),
  budgets: Schema.optionalWith(Budgets, { default: () => Schema.decodeSync(Budgets)({}) }),
  git: Schema.optional(Schema.Struct({ repo: Schema.optional(Schema.String), branch: Schema.optional(Schema.String) })),
  _telemetry_run_id: Schema.optional(Schema.NonEmptyString),
  _telemetry_trace_id: Schema.optional(TraceId),
  _telemetry_parent_span_id: Schema.optional(SpanId),
}).annotations({ identifier: "RunConfig", title: "Runledger run config" })
export type RunConfig = typeof RunConfig.Type
export type RunConfigWire = typeof RunConfig.Encoded
