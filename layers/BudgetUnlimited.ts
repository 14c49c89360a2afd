import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import { Budget } from "../services/Budget.js"
import { add, none } from "../src/domain/Spending.js"

const make = Effect.map(Ref.make(none), (spent) =>
  Budget.of({
    reserve: (estimate, about) =>
      Effect.map(Clock.currentTimeMillis, (atMillis) => ({ estimate, about, atMillis, number: null })),
    settle: (_reservation, actual) =>
      Effect.as(
        Ref.update(spent, (before) => add(before, actual)),
        [],
      ),
    spent: Ref.get(spent),
  }),
)

/** No limit at all: never waits, never refuses, never alerts; still counts. */
export const layer: Layer.Layer<Budget> = Layer.effect(Budget, make)
