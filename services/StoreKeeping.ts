import type * as Effect from "effect/Effect"
import type { PruneGoal, PrunePlace, PruneStep } from "../src/domain/Pruning.js"
import type { Integrity, StoreCondition } from "../src/domain/StoreCondition.js"
import type { RunStoreError } from "./RunStore.js"

/** One step of pruning. */
export interface PruneOptions {
  readonly goal: PruneGoal
  /** Runs of which anything was received since this instant are alive, and stay. */
  readonly quietSince: string
  /** Only says what would go. */
  readonly dryRun: boolean
  /** Where the step before ended; absent for the first. */
  readonly place?: PrunePlace | undefined
}

/** How a store's house is kept. Part of {@link RunStoreService}; knows nothing of HTTP, files of runs, or when it is asked. */
export interface StoreKeeping {
  /**
   * Takes away some of what is to go, in transactions short enough for writers that wait, and says where to go on. A run goes
   * whole, with its descendants, events and reports, and never while a row of it runs. Freed pages are given back to the disk in
   * the last steps, where the database can. Works on a full disk, too.
   */
  readonly prune: (options: PruneOptions) => Effect.Effect<PruneStep, RunStoreError>
  /** Writes the whole database anew, so that all that is free goes back to the disk and later pruning can shrink it. Nobody else gets to it meanwhile. */
  readonly vacuum: Effect.Effect<void, RunStoreError>
  readonly condition: Effect.Effect<StoreCondition, RunStoreError>
  /** Whether the database is whole, as far as is known now: waits for nobody. */
  readonly integrity: Effect.Effect<Integrity>
}
