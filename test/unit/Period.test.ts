import { expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Period from "../../src/telemetry/Period.js"

const DAY = 86_400_000
const instants = fc.integer({ min: 0, max: 4_000_000_000_000 })
const lengths = fc.integer({ min: 1, max: 366 * DAY })

it("an instant lies outside of its own period, or in two that follow each other", () => {
  fc.assert(
    fc.property(instants, lengths, (now, length) => {
      const period = Period.at(now, length)
      expect(period.startMillis).toBeLessThanOrEqual(now)
      expect(period.endMillis).toBeGreaterThan(now)
      expect(Period.holds(period, now)).toBe(true)
      expect(Period.holds(period, period.endMillis)).toBe(false)
      expect(Period.at(period.endMillis, length).startMillis).toBe(period.endMillis)
      expect(Period.at(period.endMillis, length).name).not.toBe(period.name)
    }),
  )
})

it("a day does not begin at midnight UTC, or a period is not named by its beginning", () => {
  const noon = Date.parse("2026-01-31T12:34:56.789Z")
  expect(Period.at(noon, DAY)).toEqual({
    name: "2026-01-31",
    startMillis: Date.parse("2026-01-31T00:00:00Z"),
    endMillis: Date.parse("2026-02-01T00:00:00Z"),
  })
  expect(Period.at(noon, 3_600_000).name).toBe("2026-01-31T12:00Z")
  expect(Period.at(noon, 30_000).name).toBe("2026-01-31T12:34:30Z")
})

it("a length of nothing, or of for ever, makes no period", () => {
  for (const length of [0, -1, Number.POSITIVE_INFINITY]) {
    const period = Period.at(1_000, length)
    expect(period.endMillis - period.startMillis).toBeGreaterThanOrEqual(1000)
    expect(Number.isFinite(period.endMillis)).toBe(true)
  }
})

it("a clock that was a year ahead when a run was opened keeps it open for a year", () => {
  const now = Date.parse("2026-01-31T12:00:00Z")
  const ahead = Period.at(now + 365 * DAY, DAY)
  expect(Period.holds(ahead, now)).toBe(false)
  expect(Period.holds(Period.at(now + DAY / 2, DAY), now + DAY / 2 - 1)).toBe(true)
})
