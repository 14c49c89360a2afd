import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as RateLimit from "../../src/server/RateLimit.js"

describe("RateLimit", () => {
  it.effect("lets each client ask so often a minute, then says how long to wait, then forgets", () =>
    Effect.gen(function* () {
      const count = RateLimit.make(2)
      expect(yield* count("a")).toEqual({ allowed: true, limit: 2, remaining: 1, retryAfter: 60 })
      yield* TestClock.adjust("45 seconds")
      expect(yield* count("a")).toMatchObject({ allowed: true, remaining: 0 })
      expect(yield* count("a")).toEqual({ allowed: false, limit: 2, remaining: 0, retryAfter: 15 })
      expect((yield* count("b")).allowed).toBe(true)
      yield* TestClock.adjust("15 seconds")
      expect(yield* count("a")).toMatchObject({ allowed: true, remaining: 1 })
    }),
  )
})
