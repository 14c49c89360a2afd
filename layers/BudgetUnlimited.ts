import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import { Budget, type Spending } from "../services/Budget.js"

const nothing: Spending = { calls: 0, tokens: 0, nanoUsd: 0 }

const make = Effect.map(Ref.make(nothing), (spent) =>
  Budget.of({
    reserve: () => Effect.void,
    settle: (_estimate, actual) =>
      Ref.update(spent, (before) => ({
        calls: before.calls + actual.calls,
        tokens: before.tokens + actual.tokens,
        nanoUsd: before.nanoUsd + actual.nanoUsd,
      })).pipe(Effect.as([])),
    spent: Ref.get(spent),
  }),
)

/** No limit at all: never waits, never refuses, never alerts; still counts. */
export const layer: Layer.Layer<Budget> = Layer.effect(Budget, make)
