import { describe, expect, it } from "@effect/vitest"
import * as PriceAge from "../../src/domain/PriceAge.js"

const day = (text: string): number => Date.parse(`${text}T12:00:00Z`)

describe("the age of a table of prices", () => {
  it("is called old a day too early or too late", () => {
    expect(PriceAge.of("2026-01-01", day("2026-03-02"))).toEqual({ read_on: "2026-01-01", age_days: 60, is_old: false })
    expect(PriceAge.of("2026-01-01", day("2026-03-03"))).toMatchObject({ age_days: 61, is_old: true })
    expect(PriceAge.of("2026-01-01", day("2026-01-03"), 1)).toMatchObject({ age_days: 2, is_old: true })
  })

  it("is negative where the clock is behind, or made up where nothing was read", () => {
    expect(PriceAge.of("2026-01-02", day("2026-01-01"))).toMatchObject({ age_days: 0, is_old: false })
    expect(PriceAge.of("", day("2026-01-01"))).toBe(null)
    expect(PriceAge.of("2026-02-30", day("2026-03-01"))).toBe(null)
  })

  it("is told while it is young, or not told when it is old", () => {
    expect(PriceAge.badge(PriceAge.of("2026-01-01", day("2026-01-02")))).toBe(null)
    expect(PriceAge.badge(null)).toBe(null)
    expect(PriceAge.badge(PriceAge.of("2026-01-01", day("2026-04-01")))).toMatch(/2026-01-01, 90 days ago/)
  })
})
