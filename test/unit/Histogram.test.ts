import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Histogram from "../../src/domain/Histogram.js"

const measured = FastCheck.oneof(
  FastCheck.constant(0),
  FastCheck.integer({ min: 0, max: 100_000 }),
  FastCheck.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }),
)
const values = FastCheck.array(measured, { minLength: 1, maxLength: 300 })
const shares = [0, 0.01, 0.25, 0.5, 0.95, 0.99, 1]

const histogramOf = (all: ReadonlyArray<number>) => {
  const histogram = Histogram.make()
  for (const value of all) Histogram.add(histogram, value)
  return histogram
}

const quantile = (histogram: Histogram.Histogram, share: number) => Histogram.quantiles(histogram, [share])[0]

const exactly = (all: ReadonlyArray<number>, share: number) =>
  all.toSorted((left, right) => left - right)[Math.max(1, Math.ceil(share * all.length - 1e-9)) - 1]

describe("Histogram", () => {
  it.prop("names quantiles within 5 % of the exact ones, whatever was measured", [values], ([all]) => {
    const found = Histogram.quantiles(histogramOf(all), shares)
    for (const [index, share] of shares.entries()) {
      const exact = exactly(all, share) ?? Number.NaN
      expect(Math.abs((found[index] ?? Number.NaN) - exact)).toBeLessThanOrEqual(exact * 0.05)
    }
  })

  it.prop("comes back whole from its bytes", [values], ([all]) => {
    const histogram = histogramOf(all)
    expect(new Map(Histogram.decode(Histogram.encode(histogram)))).toEqual(histogram)
    expect(Histogram.size(histogram)).toBe(all.length)
  })

  it.prop(
    "forgets without a trace what is subtracted, and merges as if counted together",
    [values, values],
    ([a, b]) => {
      const both = histogramOf([...a, ...b])
      const merged = histogramOf(a)
      Histogram.merge(merged, histogramOf(b))
      expect(merged).toEqual(both)
      for (const value of a) Histogram.add(both, value, -1)
      expect(both).toEqual(histogramOf(b))
      for (const value of b) Histogram.add(both, value, -1)
      expect(Histogram.encode(both)).toBeNull()
    },
  )

  it("says nothing of nothing, and keeps counts beyond 32 bits", () => {
    expect(quantile(Histogram.make(), 0.5)).toBeNull()
    expect(Histogram.decode(null).size).toBe(0)
    const large = Histogram.make()
    Histogram.add(large, 12, 9_000_000_000_000)
    Histogram.add(large, 0, 1)
    expect(Histogram.decode(Histogram.encode(large))).toEqual(large)
    expect(quantile(large, 0)).toBe(0)
  })

  it("is small: a thousand latencies of seconds take some hundred bytes", () => {
    const histogram = histogramOf(Array.from({ length: 1000 }, (_, n) => 300 + n * 17))
    expect(Histogram.encode(histogram)?.byteLength).toBeLessThan(200)
  })
})
