import { describe, expect, it } from "vitest"
import * as BudgetForecast from "../../src/domain/BudgetForecast.js"
import * as BudgetWindow from "../../src/domain/BudgetWindow.js"

const at = (instant: string): number => Date.parse(instant)
const LONG_AGO = at("2026-01-01T00:00:00Z")

const day = (nowText: string, spentUsd: number, limitUsd: number | null, since = LONG_AGO) =>
  BudgetForecast.of({
    period: "2026-11-23",
    spentNanoUsd: spentUsd * 1e9,
    limitNanoUsd: limitUsd === null ? null : limitUsd * 1e9,
    sinceMillis: since,
    nowMillis: at(`2026-11-23T${nowText}Z`),
  })

describe("the forecast of a window", () => {
  it("a day that spent $3 in its first six hours does not head for $12", () => {
    expect(day("06:00:00", 3, null)).toEqual({ _tag: "Forecast", expectedNanoUsd: 12e9, limitAtMillis: null })
  })

  it("a limit of $10 at $0.50 an hour is not reached at 20:00", () => {
    expect(day("06:00:00", 3, 10)).toEqual({
      _tag: "Forecast",
      expectedNanoUsd: 12e9,
      limitAtMillis: at("2026-11-23T20:00:00Z"),
    })
  })

  it("a limit that outlasts the day is said to be reached", () => {
    expect(day("06:00:00", 3, 12)).toMatchObject({ expectedNanoUsd: 12e9, limitAtMillis: null })
    expect(day("06:00:00", 3, 12.0001)).toMatchObject({ limitAtMillis: null })
  })

  it("a month that spent $20 in ten of its thirty days does not head for $60, or reach $50 on another day than the 26th", () => {
    expect(
      BudgetForecast.of({
        period: "2026-11",
        spentNanoUsd: 20e9,
        limitNanoUsd: 50e9,
        sinceMillis: LONG_AGO,
        nowMillis: at("2026-11-11T00:00:00Z"),
      }),
    ).toEqual({ _tag: "Forecast", expectedNanoUsd: 60e9, limitAtMillis: at("2026-11-26T00:00:00Z") })
  })

  it("what was spent since the counting began is spread over the time before it", () => {
    // $1 in the hour since 11:00, twelve hours to go.
    expect(day("12:00:00", 1, null, at("2026-11-23T11:00:00Z"))).toMatchObject({ expectedNanoUsd: 13e9 })
  })

  it("something is said of a day's end in its first half hour, or of a month's in its first day", () => {
    expect(day("00:29:59", 3, 10)).toEqual({ _tag: "TooEarly", neededMinutes: 30, knownMinutes: 29 })
    expect(day("00:30:00", 3, null)).toMatchObject({ _tag: "Forecast", expectedNanoUsd: 144e9 })
    expect(day("12:00:00", 3, 10, at("2026-11-23T11:45:00Z"))).toMatchObject({ _tag: "TooEarly", knownMinutes: 15 })
    const early = { period: "2026-11", spentNanoUsd: 1, limitNanoUsd: null, sinceMillis: LONG_AGO }
    expect(BudgetForecast.of({ ...early, nowMillis: at("2026-11-01T23:59:00Z") })).toMatchObject({ _tag: "TooEarly" })
    expect(BudgetForecast.of({ ...early, nowMillis: at("2026-11-02T00:00:00Z") })).toMatchObject({ _tag: "Forecast" })
  })

  it("a day without spending heads anywhere, and a limit that is reached is still ahead", () => {
    expect(day("12:00:00", 0, 1)).toEqual({ _tag: "Forecast", expectedNanoUsd: 0, limitAtMillis: null })
    expect(day("12:00:00", 1, 1)).toEqual({ _tag: "Reached", expectedNanoUsd: 2e9 })
  })
})

describe("windows of the calendar", () => {
  it("days and months are not those of UTC, or end at another instant", () => {
    const millis = at("2026-12-31T23:59:59.999Z")
    expect([BudgetWindow.dayOf(millis), BudgetWindow.monthOf(millis)]).toEqual(["2026-12-31", "2026-12"])
    expect(BudgetWindow.endOf("2026-12-31")).toBe(millis + 1)
    expect(BudgetWindow.endOf("2026-12")).toBe(millis + 1)
    expect(BudgetWindow.endOf("2028-02") - BudgetWindow.startOf("2028-02")).toBe(29 * 86_400_000)
  })

  it("a call without a worker belongs to one, or a worker and a model of one name share a budget", () => {
    const keys = (about: BudgetWindow.About) => BudgetWindow.calendar(about, 0).map(BudgetWindow.keyOf)
    expect(keys({ model: "m" })).toHaveLength(3)
    expect(new Set(keys({ worker: "m", model: "m" })).size).toBe(4)
  })
})
