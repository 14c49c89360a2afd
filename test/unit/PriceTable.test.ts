import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as PriceRow from "../../src/domain/PriceRow.js"
import * as PriceTable from "../../src/domain/PriceTable.js"

const row = (model: string, fields: Partial<PriceRow.PriceRow> = {}): PriceRow.PriceRow => ({
  model,
  provider: "anthropic",
  aliases: [],
  tiers: [],
  input: 1,
  output: 2,
  ...fields,
})

const find = (rows: ReadonlyArray<PriceRow.PriceRow>, name: string, day = "2026-06-01") =>
  Option.map(
    PriceTable.find(PriceTable.make(PriceRow.models("t", rows)), "anthropic", name, PriceTable.startOfDay(day)),
    (price) => price.priceId,
  )

describe("PriceTable", () => {
  const rows = [row("claude-sonnet-5", { aliases: ["claude-5-sonnet", "claude-sonnet-latest"] })]

  it("gives a model's price by its id, a listed alias, or a date suffix, and by nothing else", () => {
    for (const name of [
      "claude-sonnet-5",
      "claude-5-sonnet",
      "claude-sonnet-latest",
      "claude-sonnet-5-20260101",
      "claude-sonnet-5@20260101",
    ]) {
      expect(find(rows, name), name).toEqual(Option.some("t:anthropic/claude-sonnet-5"))
    }
    for (const name of [
      "claude-sonnet-5-5",
      "claude-sonnet-5-latest",
      "claude-sonnet",
      "claude-sonnet-5-2026",
      "claude-sonnet-5-5-20260101",
      "CLAUDE-SONNET-5",
    ]) {
      expect(find(rows, name), name).toEqual(Option.none())
    }
  })

  it("gives the price of the instant: an old call keeps its old price", () => {
    const history = [
      row("m", { effective_from: "2026-03-01", input: 3 }),
      row("m"),
      row("m", { effective_from: "2026-05-01" }),
    ]
    expect(find(history, "m", "2026-02-28")).toEqual(Option.some("t:anthropic/m"))
    expect(find(history, "m", "2026-03-01")).toEqual(Option.some("t:anthropic/m@2026-03-01"))
    expect(find(history, "m", "2026-12-01")).toEqual(Option.some("t:anthropic/m@2026-05-01"))
    expect(find(history.slice(0, 1), "m", "2026-02-28")).toEqual(Option.none())
  })

  it("an answer holds until the instant that the table names for it, and no longer where the hour of the day decides", () => {
    const DAY = 86_400_000
    const instant = FastCheck.integer({ min: 0, max: 100 * DAY })
    const dated = FastCheck.record({ startMillis: FastCheck.option(instant), cost: FastCheck.nat() }).map(
      ({ startMillis, cost }): PriceTable.DatedPrice => {
        const rates = { uncachedInput: cost, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0 }
        return { startMillis, window: null, price: { priceId: `p${cost}`, effectiveFrom: null, rates, tiers: [] } }
      },
    )
    const prices = FastCheck.array(dated, { maxLength: 4 })
    const tableOf = (of: ReadonlyArray<PriceTable.DatedPrice>) =>
      PriceTable.make([{ provider: "p", id: "m", aliases: [], prices: of }])
    FastCheck.assert(
      FastCheck.property(prices, instant, FastCheck.nat(), (of, at, ahead) => {
        const table = tableOf(of)
        const until = PriceTable.settledUntil(table, "p", "m", at)
        expect(until).toBeGreaterThan(at)
        const last = Math.min(until - 1, at + (ahead % (100 * DAY)))
        expect(PriceTable.find(table, "p", "m", last)).toEqual(PriceTable.find(table, "p", "m", at))
      }),
    )
    const hourly = FastCheck.sample(dated, 1).map((one) => ({ ...one, window: { from: 0, to: 3600 } }))
    expect(PriceTable.settledUntil(tableOf(hourly), "p", "m", 5)).toBe(5)
  })

  it("gives an alias that two models claim to neither", () => {
    expect(find([row("a", { aliases: ["x"] }), row("b", { aliases: ["x"] })], "x")).toEqual(Option.none())
  })

  it("holds a price to its hours of the day, over midnight too", () => {
    const price = (id: string) => ({
      priceId: id,
      effectiveFrom: null,
      tiers: [],
      rates: PriceRow.rates({ input: 1, output: 1 }),
    })
    const table = PriceTable.make([
      {
        provider: "p",
        id: "m",
        aliases: [],
        prices: [
          { startMillis: null, window: null, price: price("day") },
          { startMillis: null, window: { from: 16.5 * 3600, to: 0.5 * 3600 }, price: price("night") },
        ],
      },
    ])
    const at = (time: string) =>
      Option.map(PriceTable.find(table, "p", "m", Date.parse(`2026-06-01T${time}Z`)), (found) => found.priceId)
    expect(at("12:00:00")).toEqual(Option.some("day"))
    expect(at("16:30:00")).toEqual(Option.some("night"))
    expect(at("00:10:00")).toEqual(Option.some("night"))
    expect(at("00:30:00")).toEqual(Option.some("day"))
  })

  it("turns USD per million tokens into whole pico-dollars a token without float dust", () => {
    for (const [usd, pico] of [
      [0.8, 800_000],
      [18.75, 18_750_000],
      [0.1, 100_000],
      [0.000001, 1],
    ] as const) {
      expect(PriceRow.picoPerToken(usd)).toBe(pico)
    }
  })
})
