import type { PlatformError } from "@effect/platform/Error"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RunStoreError, RunStoreService } from "../../services/RunStore.js"
import type { PriceOf } from "../../src/domain/CallPricing.js"
import { ALL, pricing, repriced } from "./Repricings.js"
import { call, found } from "./RunStores.js"

type WithStore = <A, E>(
  use: (store: RunStoreService) => Effect.Effect<A, E>,
) => Effect.Effect<A, E | RunStoreError | PlatformError>

const tokens = (input: number, output: number, more: object = {}) => ({
  input_tokens: input,
  output_tokens: output,
  ...more,
})

const UNTOLD = { api_cost_usd: null, cost_nanousd: null, cost_status: "unpriced" }
const priced = (nano: number) => ({ api_cost_usd: nano / 1e9, cost_nanousd: nano, cost_status: "priced" })

/** Two nano-dollars a token of `m`, and a hundred times as much of `large`. */
const priceOf: PriceOf = (provider, model, at) =>
  model === "large" ? pricing(200)(provider, "m", at) : pricing(2)(provider, model, at)

const attempt = (model: string, input: number, output: number) => ({
  ...{ n: 1, started_at: "2026-01-01T00:00:00Z", duration_ms: 1, http_status: 200, error_class: "EmptyResponse" },
  ...{ retry_after_ms: null, provider: "p", model, usage_source: "provider" },
  token_usage: { ...tokens(input, output), total_tokens: input + output },
})

/** What every store promises of calls that are billed for more than their answer. */
export const repricingParts = (using: WithStore): void => {
  describe("repricing of calls with billed attempts", () => {
    it.live("prices an attempt as the model that answered, or says nothing of calls that it cannot price", () =>
      using((store) =>
        Effect.gen(function* () {
          const billed = { attempts: [attempt("large", 4, 1)] }
          yield* store.insert([
            call("unpriced", {}, tokens(10, 5, UNTOLD), billed),
            call("wrong", {}, tokens(10, 5, priced(30)), billed),
            call("right", {}, tokens(10, 5, priced(10 * 2 + 5 * 200)), billed),
            call("more", {}, tokens(3, 1, priced(7)), billed),
            call("new", {}, tokens(10, 5, priced(8)), { attempts: [attempt("new", 4, 1)] }),
            call("never", {}, tokens(10, 5, UNTOLD), { attempts: [attempt("new", 4, 1)] }),
          ])
          const { sum } = yield* repriced(store, { filter: ALL, priceOf })
          const costs = yield* Effect.forEach(["unpriced", "wrong", "right", "more", "new", "never"], (id) =>
            Effect.map(found(store, id), ({ metrics_json }) => metrics_json?.["cost_nanousd"]),
          )
          expect(costs).toEqual([1020, 1020, 1020, 7, 8, null])
          expect(sum).toMatchObject({ calls: 2, newly_priced: 1, still_unpriced: 1, kept: 2 })
          expect(sum.unknown).toEqual([
            { reason: "its failed attempts used more than all of it together", calls: 1 },
            { reason: "no price is known of p/new", calls: 2 },
          ])
        }),
      ),
    )

    it.live("forgets with the texts of an old call who answered it and which attempts were billed", () =>
      using((store) =>
        Effect.gen(function* () {
          const long = { note: "x".repeat(5000) }
          const created = { created_at: "2024-01-01T00:00:00Z" }
          const context = { ...long, model: "m", response_model: "large", attempts: [attempt("m", 4, 1)] }
          yield* store.insert([
            call("old", created, tokens(10, 5, priced(1)), context),
            call("older", created, tokens(10, 5, priced(1)), { model: "m", bodies_pruned: true }),
          ])
          const goal = { kind: "size" as const, to_bytes: 1 }
          const quietSince = "2999-01-01T00:00:00.000Z"
          const { pruned } = yield* store.keeping.prune({ goal, quietSince, dryRun: false })
          expect(pruned).toMatchObject({ emptied_runs: 1 })
          expect((yield* found(store, "old")).context_json).not.toHaveProperty("note")
          const { sum } = yield* repriced(store, { filter: ALL, priceOf })
          const cost = (id: string) => Effect.map(found(store, id), (row) => row.metrics_json?.["cost_nanousd"])
          expect([yield* cost("old"), yield* cost("older")]).toEqual([5 * 2 + 10 * 200, 1])
          expect(sum).toMatchObject({ calls: 1, kept: 1, unknown: [{ calls: 1 }] })
          expect(Option.isSome(yield* store.get("older"))).toBe(true)
        }),
      ),
    )
  })
}
