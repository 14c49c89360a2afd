import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as IdGeneratorSequence from "../../layers/IdGeneratorSequence.js"
import { IdGenerator } from "../../services/IdGenerator.js"

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const instant = FastCheck.oneof(
  FastCheck.integer({ min: 0, max: 2 ** 48 - 1 }),
  FastCheck.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 48, 2 ** 60),
)
const millisOf = (id: string): number => Number.parseInt(id.replace("-", "").slice(0, 12), 16)

for (const [name, layer] of [
  ["Live", IdGeneratorLive.layer],
  ["Sequence", IdGeneratorSequence.layer],
] as const) {
  describe(`IdGenerator${name}`, () => {
    it.effect("event ids are UUIDv7 of their instant", () =>
      Effect.gen(function* () {
        const ids = yield* IdGenerator
        const id = ids.unsafeEventId(1_700_000_000_123)
        expect(id).toMatch(UUID_V7)
        expect(millisOf(id)).toBe(1_700_000_000_123)
      }).pipe(Effect.provide(layer)),
    )

    it.effect.prop(
      "event ids are unique and sort in the order of their making, even when the clock stands, steps back or is absurd",
      [FastCheck.array(instant, { minLength: 2, maxLength: 200 })],
      ([instants]) =>
        Effect.gen(function* () {
          const ids = yield* IdGenerator
          const made = instants.map(ids.unsafeEventId)
          expect(made.every((id) => UUID_V7.test(id))).toBe(true)
          expect([...made].sort()).toEqual(made)
          expect(new Set(made).size).toBe(made.length)
        }).pipe(Effect.provide(layer)),
      { fastCheck: { numRuns: 40 } },
    )

    it.effect("a burst within one millisecond keeps its order", () =>
      Effect.gen(function* () {
        const ids = yield* IdGenerator
        const made = Array.from({ length: 50_000 }, () => ids.unsafeEventId(1_700_000_000_000))
        expect([...made].sort()).toEqual(made)
        expect(new Set(made).size).toBe(made.length)
      }).pipe(Effect.provide(layer)),
    )

    it.effect("span and trace ids are W3C ids, never zero, never twice", () =>
      Effect.gen(function* () {
        const ids = yield* IdGenerator
        const spans = Array.from({ length: 5000 }, ids.unsafeSpanId)
        const traces = Array.from({ length: 5000 }, ids.unsafeTraceId)
        expect(spans.every((id) => /^(?!0{16})[0-9a-f]{16}$/.test(id))).toBe(true)
        expect(traces.every((id) => /^(?!0{32})[0-9a-f]{32}$/.test(id))).toBe(true)
        expect(new Set([...spans, ...traces]).size).toBe(10_000)
      }).pipe(Effect.provide(layer)),
    )
  })
}

describe("IdGeneratorSequence", () => {
  it.effect("gives the same program the same ids", () => {
    const program = Effect.map(IdGenerator, (ids) => [
      ids.unsafeEventId(5),
      ids.unsafeSpanId(),
      ids.unsafeTraceId(),
      ids.unsafeEventId(5),
    ])
    return Effect.gen(function* () {
      const first = yield* Effect.provide(program, IdGeneratorSequence.layer)
      expect(yield* Effect.provide(program, IdGeneratorSequence.layer)).toEqual(first)
    })
  })
})

describe("IdGeneratorLive", () => {
  it.effect("two generators never meet: ids are random", () =>
    Effect.gen(function* () {
      const make = Effect.map(IdGenerator, (ids) => Array.from({ length: 2000 }, () => ids.unsafeEventId(7)))
      const all = yield* Effect.all([
        Effect.provide(make, Layer.fresh(IdGeneratorLive.layer)),
        Effect.provide(make, Layer.fresh(IdGeneratorLive.layer)),
      ])
      expect(new Set(all.flat()).size).toBe(4000)
    }),
  )
})
