import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { PriceOf } from "../src/domain/CallPricing.js"
import type {
  RepricedCall,
  RepriceFilter,
  RepricePlace,
  RepriceStep,
  Repricing,
  UndoStep,
} from "../src/domain/Repricing.js"
import type { RunStoreError } from "./RunStore.js"

/** One step of repricing. */
export interface RepriceOptions {
  readonly filter: RepriceFilter
  readonly priceOf: PriceOf
  /** Names the tables that `priceOf` looks into; kept with the repricing. */
  readonly priceTables: string
  /** Only says what would change. */
  readonly dryRun: boolean
  /** Where the step before ended; absent for the first. */
  readonly place?: RepricePlace | undefined
}

/** One step of undoing. */
export interface UndoOptions {
  readonly repricingId: number
  readonly dryRun: boolean
  /** The event_id at which the step before ended; absent for the first. */
  readonly after?: string | undefined
}

/** How what calls cost is changed on purpose. Part of `RunStoreService`. Events are never touched. */
export interface StoreRepricing {
  /**
   * Prices some calls anew, in transactions short enough for writers that wait, and says where to go on. Sums and roll-ups change
   * with the rows. A call's answer and its billed attempts are priced each at its own model. Simulated and replayed calls stay as
   * they are, a call whose price is not known keeps its cost and is counted with the reason, and one whose
   * cost comes out the same is left alone: a second repricing changes nothing. What each call cost before is kept.
   */
  readonly reprice: (options: RepriceOptions) => Effect.Effect<RepriceStep, RunStoreError>
  /**
   * Gives calls of a repricing back what they cost before, to the letter; those that were changed since stay as they are. None
   * when there is no such repricing.
   */
  readonly undo: (options: UndoOptions) => Effect.Effect<Option.Option<UndoStep>, RunStoreError>
  /** All repricings, the newest first. */
  readonly history: Effect.Effect<ReadonlyArray<Repricing>, RunStoreError>
  /** Calls of a repricing in the order of their event_id, after one of them. None when there is no such repricing. */
  readonly calls: (
    repricingId: number,
    page: { readonly limit: number; readonly after?: string | undefined },
  ) => Effect.Effect<Option.Option<ReadonlyArray<RepricedCall>>, RunStoreError>
}
