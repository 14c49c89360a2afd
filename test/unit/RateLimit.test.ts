import { describe, expect, it } from "@effect/vitest"
import * as RateLimit from "../../src/server/RateLimit.js"

describe("RateLimit", () => {
  it("lets each client ask so often a minute, then says how long to wait, then forgets", () => {
    const count = RateLimit.make(2)
    expect(count("a", 0)).toEqual({ allowed: true, limit: 2, remaining: 1, retryAfter: 60 })
    expect(count("a", 45_000)).toMatchObject({ allowed: true, remaining: 0 })
    expect(count("a", 45_000)).toEqual({ allowed: false, limit: 2, remaining: 0, retryAfter: 15 })
    expect(count("b", 45_000).allowed).toBe(true)
    expect(count("a", 60_000)).toMatchObject({ allowed: true, remaining: 1 })
  })
})
