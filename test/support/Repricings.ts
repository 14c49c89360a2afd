import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RunStoreService } from "../../services/RunStore.js"
import type { RepriceOptions } from "../../services/StoreRepricing.js"
import type { PriceOf } from "../../src/domain/CallPricing.js"
import * as Repricing from "../../src/domain/Repricing.js"

const flat = (picoUsd: number) => ({
  uncachedInput: picoUsd,
  cacheRead: picoUsd,
  cacheWrite5m: picoUsd,
  cacheWrite1h: picoUsd,
  output: picoUsd,
})

/** One price for one model of one provider, whatever the class: `nanoUsd` a token; another one from 2026-02-01 on. */
export const pricing = (nanoUsd: number, later = nanoUsd): PriceOf => {
  const february = Date.UTC(2026, 1, 1)
  return (provider, model, atMillis) =>
    provider === "p" && model === "m"
      ? Option.some({
          priceId: `test:p/m@${atMillis < february ? "first" : "later"}`,
          effectiveFrom: atMillis < february ? null : "2026-02-01",
          rates: flat((atMillis < february ? nanoUsd : later) * 1000),
          tiers: [],
        })
      : Option.none()
}

export const UNPRICED: Repricing.RepriceFilter = { scope: "unpriced", prices: "of_the_call" }
export const ALL: Repricing.RepriceFilter = { scope: "all", prices: "of_the_call" }

/** All steps of a repricing. */
export const repriced = (
  store: RunStoreService,
  options: Pick<RepriceOptions, "filter" | "priceOf"> & Partial<RepriceOptions>,
) =>
  Effect.gen(function* () {
    let place: Repricing.RepricePlace | null | undefined
    let sum = Repricing.NOTHING
    let id: number | null = null
    do {
      const step: Repricing.RepriceStep = yield* store.repricing.reprice({
        priceTables: "test",
        dryRun: false,
        ...options,
        place: place ?? undefined,
      })
      sum = Repricing.add(sum, step.repriced)
      id = step.repricing_id
      place = step.next
    } while (place !== null)
    return { sum, id: id ?? -1 }
  })

/** All steps of undoing. */
export const undone = (store: RunStoreService, repricingId: number, dryRun = false) =>
  Effect.gen(function* () {
    let after: string | null | undefined
    const sum = { restored: 0, changed_since: 0 }
    do {
      const step: Repricing.UndoStep = Option.getOrThrow(
        yield* store.repricing.undo({ repricingId, dryRun, after: after ?? undefined }),
      )
      sum.restored += step.restored
      sum.changed_since += step.changed_since
      after = step.next
    } while (after !== null)
    return sum
  })
