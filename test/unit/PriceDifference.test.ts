import { describe, expect, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as PriceDifference from "../../src/domain/PriceDifference.js"
import { models, type PriceRow } from "../../src/domain/PriceRow.js"
import * as PriceTable from "../../src/domain/PriceTable.js"

const row = (fields: Pick<PriceRow, "model" | "input" | "output"> & Partial<PriceRow>): PriceRow => ({
  provider: "p",
  aliases: [],
  tiers: [],
  ...fields,
})

const prices = (origin: string, rows: ReadonlyArray<PriceRow>): PriceDifference.Prices => {
  const compiled = models(origin, rows)
  const table = PriceTable.make(compiled)
  return {
    listed: PriceTable.listed("user", compiled),
    unsafePriceOf: (provider, model, at) => PriceTable.find(table, provider, model, at),
  }
}

const told = (before: PriceDifference.Prices, after: PriceDifference.Prices) =>
  PriceDifference.between(before, after).map(({ kind, model, from }) => [kind, model, from])

describe("what another table of prices would change", () => {
  const first = prices("a", [row({ model: "one", input: 1, output: 2 }), row({ model: "gone", input: 1, output: 2 })])

  it("is told of a table that is the same", () => {
    expect(told(first, first)).toEqual([])
  })

  it("misses a model that came or went, or a rate that moved", () => {
    const second = prices("a", [
      row({ model: "one", input: 1, output: 3 }),
      row({ model: "new", aliases: ["newest"], input: 1, output: 2 }),
    ])
    expect(told(first, second)).toEqual([
      ["removed", "gone", null],
      ["added", "new", null],
      ["added", "newest", null],
      ["changed", "one", null],
    ])
    const [, , , one] = PriceDifference.between(first, second)
    expect(one?.changes).toEqual([{ what: "output", before: 2, after: 3 }])
  })

  it("misses the day on which a price begins, or a threshold of it", () => {
    const dated = prices("a", [
      row({ model: "one", input: 1, output: 2 }),
      row({ model: "one", input: 0.5, output: 2, effective_from: "2026-05-01" }),
      row({ model: "gone", input: 1, output: 2, tiers: [{ above_prompt_tokens: 1000, input: 2, output: 4 }] }),
    ])
    expect(told(first, dated)).toEqual([
      ["changed", "gone", null],
      ["changed", "one", "2026-05-01"],
    ])
    const [gone] = PriceDifference.between(first, dated)
    expect(gone?.changes.map(({ what }) => what)).toContain("input above 1000 prompt tokens")
  })

  it("calls the same rates of another place a change", () => {
    const other = prices("b", [row({ model: "one", input: 1, output: 2 }), row({ model: "gone", input: 1, output: 2 })])
    expect(told(first, other)).toEqual([
      ["restated", "gone", null],
      ["restated", "one", null],
    ])
    expect(Option.isSome(first.unsafePriceOf("p", "one", 0))).toBe(true)
  })
})
