import * as Schema from "effect/Schema"
import { RunTotals } from "./RunTotals.js"
import { Integrity } from "./StoreCondition.js"

/** What `stats` may group by. */
export const GroupBy = Schema.Literal("model", "agent_name", "job_type", "status", "run", "day", "hour", "provider")
export type GroupBy = typeof GroupBy.Type

const Count = Schema.NonNegativeInt
const Percentiles = Schema.Struct({
  p50: Schema.NullOr(Schema.Number),
  p95: Schema.NullOr(Schema.Number),
  p99: Schema.NullOr(Schema.Number),
})

/**
 * One group of calls. Costs are integer nano-dollars of `priced` calls; `simulated_cost_nanousd` is kept apart and never
 * added to them. Latencies are milliseconds, within 5 %, null when nothing was measured.
 */
export const StatsGroup = Schema.Struct({
  group: Schema.NullOr(Schema.String),
  ...RunTotals.fields,
  latency_ms: Percentiles,
  time_to_first_token_ms: Percentiles,
}).annotations({ identifier: "StatsGroup" })
export type StatsGroup = typeof StatsGroup.Type

/** What names exist: sorted, distinct, never stale after a write. */
export const Metadata = Schema.Struct({
  agent_names: Schema.Array(Schema.String),
  job_types: Schema.Array(Schema.String),
  counts: Schema.Struct({ agent_names: Count, job_types: Count }),
  cache_hit: Schema.Boolean,
}).annotations({ identifier: "Metadata" })
export type Metadata = typeof Metadata.Type

/** The store at a glance. */
export const Metrics = Schema.Struct({
  total_runs: Count,
  agents: Schema.Record({ key: Schema.String, value: Count }),
  recent_24h: Count,
  performance: Schema.Struct({
    db_path: Schema.String,
    journal_mode: Schema.String,
    synchronous: Schema.String,
    db_bytes: Count,
    pending_updates: Count,
    client_dropped: Count,
    client_dead_letters: Count,
  }),
}).annotations({ identifier: "Metrics" })
export type Metrics = typeof Metrics.Type

/** The store at a glance, and whether it is whole. */
export const MetricsReply = Schema.Struct({
  ...Metrics.fields,
  performance: Schema.Struct({ ...Metrics.fields.performance.fields, integrity: Integrity }),
}).annotations({ identifier: "Metrics" })
