import * as Schema from "effect/Schema"

const Count = Schema.NonNegativeInt
const NanoUsd = Schema.Number.pipe(Schema.nonNegative())

/**
 * What pruning took away, or would take. Runs are whole ones: rows that belong together by `parent_run_id` count as one.
 * `emptied_runs` kept their rows and lost their events, texts and context. `bytes` is what the rows and events held, about; costs
 * are integer nano-dollars that no `stats` will show any more.
 */
export const Pruned = Schema.Struct({
  runs: Count,
  emptied_runs: Count,
  rows: Count,
  calls: Count,
  events: Count,
  bytes: Count,
  cost_nanousd: NanoUsd,
  simulated_cost_nanousd: NanoUsd,
}).annotations({ identifier: "Pruned" })
export type Pruned = typeof Pruned.Type

export const NOTHING: Pruned = {
  runs: 0,
  emptied_runs: 0,
  rows: 0,
  calls: 0,
  events: 0,
  bytes: 0,
  cost_nanousd: 0,
  simulated_cost_nanousd: 0,
}

/** Both together. */
export const add = (left: Pruned, right: Pruned): Pruned => ({
  runs: left.runs + right.runs,
  emptied_runs: left.emptied_runs + right.emptied_runs,
  rows: left.rows + right.rows,
  calls: left.calls + right.calls,
  events: left.events + right.events,
  bytes: left.bytes + right.bytes,
  cost_nanousd: left.cost_nanousd + right.cost_nanousd,
  simulated_cost_nanousd: left.simulated_cost_nanousd + right.simulated_cost_nanousd,
})

/**
 * What is to go: whole runs of which every row was created before an instant, the oldest first; or as much as brings the
 * database down to a size: first events, texts and context of the oldest runs, then whole runs, the oldest first.
 */
export const PruneGoal = Schema.Union(
  Schema.Struct({ kind: Schema.Literal("age"), before: Schema.String }),
  Schema.Struct({ kind: Schema.Literal("size"), to_bytes: Schema.Int.pipe(Schema.positive()) }),
)
export type PruneGoal = typeof PruneGoal.Type

const RowPlace = Schema.Struct({ created_at: Schema.String, id: Schema.Int })

/**
 * Where pruning stands between two steps. `created_at` and `id` are the last row looked at; `spared` are the bytes that a dry run
 * has counted so far. `since` is where looking began: rows up to there were emptied by an earlier pruning.
 */
export const PrunePlace = Schema.Struct({
  phase: Schema.Literal("bodies", "rows", "orphans", "compact"),
  created_at: Schema.String,
  id: Schema.Int,
  spared: Count,
  since: Schema.optional(RowPlace),
})
export type PrunePlace = typeof PrunePlace.Type

/** The size of a database: its file with the log beside it, what of it is in use, and whether free pages can be given back. */
export const StoreSize = Schema.Struct({
  file_bytes: Count,
  used_bytes: Count,
  free_bytes: Count,
  can_shrink: Schema.Boolean,
}).annotations({ identifier: "StoreSize" })
export type StoreSize = typeof StoreSize.Type

/** One step of pruning: what it took, where the next one begins (null when there is none), and the size after it. */
export const PruneStep = Schema.Struct({
  pruned: Pruned,
  next: Schema.NullOr(PrunePlace),
  size: StoreSize,
}).annotations({ identifier: "PruneStep" })
export type PruneStep = typeof PruneStep.Type
