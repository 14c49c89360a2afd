import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Cost from "../../src/domain/Cost.js"
import * as Usage from "../../src/domain/Usage.js"

const rate = FastCheck.nat({ max: 100_000_000 })
const rates = FastCheck.record({
  uncachedInput: rate,
  cacheRead: rate,
  cacheWrite5m: rate,
  cacheWrite1h: rate,
  output: rate,
})
const tokens = FastCheck.nat({ max: 5_000_000 })
const usage = FastCheck.record({
  uncachedInput: tokens,
  cacheRead: tokens,
  cacheWrite5m: tokens,
  cacheWrite1h: tokens,
  output: tokens,
  reasoning: FastCheck.constant(0),
  source: FastCheck.constant("provider" as const),
})

const priceOf = (base: Cost.Rates, tiers: ReadonlyArray<Cost.Tier> = []): Cost.Price => ({
  priceId: "test:one",
  effectiveFrom: null,
  rates: base,
  tiers,
})

describe("Cost", () => {
  it.prop("is the sum of its classes, in whole nano-dollars", [usage, rates], ([used, base]) => {
    const cost = Cost.price(used, priceOf(base))
    const classes = Object.values(cost.breakdown ?? {})
    expect(cost.nanoUsd).toBe(classes.reduce((sum, part) => sum + part, 0))
    expect(classes.every(Number.isSafeInteger)).toBe(true)
  })

  it.prop("is within half a nano-dollar a class of the exact product", [tokens, rate], ([count, pico]) => {
    const used = { ...Usage.none, output: count }
    const exact = (BigInt(count) * BigInt(pico)) / 1000n
    const zero = { uncachedInput: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: pico }
    const difference = BigInt(Cost.price(used, priceOf(zero)).nanoUsd ?? -1) - exact
    expect(difference === 0n || difference === 1n).toBe(true)
  })

  it.prop("never falls when tokens are added", [usage, usage, rates], ([a, b, base]) => {
    const price = priceOf(base)
    const both = Cost.price(Usage.add(a, b), price).nanoUsd ?? 0
    expect(both + 5).toBeGreaterThanOrEqual(Cost.price(a, price).nanoUsd ?? 0)
  })

  it("charges the whole call at the highest tier that its prompt exceeds, cached tokens included", () => {
    const flat = (pico: number): Cost.Rates => ({
      uncachedInput: pico,
      cacheRead: pico,
      cacheWrite5m: pico,
      cacheWrite1h: pico,
      output: pico,
    })
    const price = priceOf(flat(1000), [
      { abovePromptTokens: 200, rates: flat(3000) },
      { abovePromptTokens: 100, rates: flat(2000) },
    ])
    const at = (cacheRead: number) => Cost.price({ ...Usage.none, uncachedInput: 50, cacheRead, output: 10 }, price)
    expect(at(50).nanoUsd).toBe(110)
    expect(at(51).nanoUsd).toBe(222)
    expect(at(151).nanoUsd).toBe(633)
  })
})
