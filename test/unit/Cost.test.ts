import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Cost from "../../src/domain/Cost.js"
import * as Ratio from "../../src/domain/Ratio.js"
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
const usage: FastCheck.Arbitrary<Usage.Usage> = FastCheck.record({
  uncachedInput: tokens,
  cacheRead: tokens,
  cacheWrite5m: tokens,
  cacheWrite1h: tokens,
  output: tokens,
  reasoning: FastCheck.constant(0),
  source: FastCheck.constant("provider" as const),
})
const everyRate = FastCheck.record({
  uncachedInput: rate,
  cacheRead: rate,
  cacheWrite5m: rate,
  cacheWrite1h: rate,
  output: rate,
  audioInput: rate,
  audioCacheRead: rate,
  audioOutput: rate,
  imageInput: rate,
  imageCacheRead: rate,
  imageOutput: rate,
})
const anyUsage: FastCheck.Arbitrary<Usage.Usage> = FastCheck.tuple(
  usage,
  FastCheck.record(
    {
      audioInput: tokens,
      audioCacheRead: tokens,
      audioOutput: tokens,
      imageInput: tokens,
      imageCacheRead: tokens,
      imageOutput: tokens,
      serverTools: FastCheck.record({ web_search: FastCheck.nat({ max: 50 }) }),
      serviceTier: FastCheck.constant("batch"),
      inferenceGeo: FastCheck.constant("us"),
    },
    { requiredKeys: [] },
  ),
).map(([plain, rare]) => ({ ...plain, ...rare }))

const terms = {
  serverTools: { web_search: 10_000_000_000 },
  multipliers: { serviceTier: { batch: Ratio.fromFactor(0.5) }, inferenceGeo: { us: Ratio.fromFactor(1.1) } },
}

const CLASSES = [
  ["audio_cache_read", "audioCacheRead"],
  ["audio_input", "audioInput"],
  ["audio_output", "audioOutput"],
  ["cache_read", "cacheRead"],
  ["cache_write_1h", "cacheWrite1h"],
  ["cache_write_5m", "cacheWrite5m"],
  ["image_cache_read", "imageCacheRead"],
  ["image_input", "imageInput"],
  ["image_output", "imageOutput"],
  ["output", "output"],
  ["uncached_input", "uncachedInput"],
] as const

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
    expect(cost.nanoUsd).toBe(classes.reduce((sum: number, part) => sum + (part ?? 0), 0))
    expect(classes.every(Number.isSafeInteger)).toBe(true)
  })

  it.prop(
    "with every class, multiplier, tool and a discount it is another sum than exact fractions give, class by class",
    [anyUsage, everyRate, FastCheck.integer({ min: 0, max: 10_000 })],
    ([used, base, hundredths]) => {
      const discount = Ratio.afterDiscount(hundredths / 100)
      const cost = Cost.price(used, { ...priceOf(base), ...terms, discount })
      const left = BigInt(10_000 - hundredths)
      const above = left * (used.serviceTier === undefined ? 1n : 5n) * (used.inferenceGeo === undefined ? 1n : 11n)
      const below = 10_000n * (used.serviceTier === undefined ? 1n : 10n) * (used.inferenceGeo === undefined ? 1n : 10n)
      const rounded = (numerator: bigint, denominator: bigint) => (numerator * 2n + denominator) / (denominator * 2n)
      let sum = 0n
      for (const [part, member] of CLASSES) {
        const exact = rounded(BigInt(used[member] ?? 0) * BigInt(base[member]) * above, below * 1000n)
        expect(BigInt(cost.breakdown?.[part] ?? 0), part).toBe(exact)
        sum += exact
      }
      const tools = rounded(BigInt(used.serverTools?.["web_search"] ?? 0) * 10_000_000n * left, 10_000n)
      expect(BigInt(cost.breakdown?.server_tools ?? 0)).toBe(tools)
      expect(BigInt(cost.nanoUsd ?? -1)).toBe(sum + tools)
    },
  )

  it("charges what has no known price, or does not say what that was", () => {
    const base: Cost.Rates = { uncachedInput: 1, cacheRead: 1, cacheWrite5m: 1, output: 1 }
    const at = { ...priceOf(base), ...terms }
    const used: Usage.Usage = { ...Usage.none, uncachedInput: 1000, source: "provider" }
    const unknown: ReadonlyArray<readonly [Partial<Usage.Usage>, RegExp]> = [
      [{ cacheWrite1h: 1 }, /cache_write_1h/],
      [{ audioInput: 1 }, /audio_input/],
      [{ imageOutput: 1 }, /image_output/],
      [{ serverTools: { code_execution: 1 } }, /code_execution/],
      [{ serverTools: { toString: 1 } }, /toString/],
      [{ serviceTier: "priority" }, /service tier "priority"/],
      [{ serviceTier: "constructor" }, /constructor/],
      [{ speed: "fast" }, /speed "fast"/],
      [{ inferenceGeo: "eu" }, /geography "eu"/],
    ]
    for (const [more, reason] of unknown) {
      const cost = Cost.price({ ...used, ...more }, at)
      expect(cost, String(reason)).toMatchObject({ status: "unpriced", nanoUsd: null, breakdown: null, priceId: null })
      expect(cost.reason).toMatch(reason)
      expect(cost.reason).toContain(at.priceId)
      expect(Cost.price({ ...used, ...more }, at, "simulated").status).toBe("simulated")
    }
    const zeros = { cacheWrite1h: 0, audioInput: 0, imageOutput: 0, serverTools: { code_execution: 0 } }
    expect(Cost.price({ ...used, ...zeros }, at)).toMatchObject({ status: "priced", nanoUsd: 1 })
  })

  it("two parts of a call lose a class of their breakdowns when they are added", () => {
    const one = { uncached_input: 1, cache_read: 2, cache_write_5m: 3, cache_write_1h: 4, output: 5 }
    expect(Cost.addBreakdowns({ ...one, server_tools: 7 }, { ...one, audio_input: 6, server_tools: 1 })).toEqual({
      uncached_input: 2,
      cache_read: 4,
      cache_write_5m: 6,
      cache_write_1h: 8,
      output: 10,
      audio_input: 6,
      server_tools: 8,
    })
    expect(Cost.addBreakdowns(one, one)).not.toHaveProperty("server_tools")
  })

  it("a factor or a discount that people write becomes another ratio than theirs", () => {
    expect(Ratio.fromFactor(1.1)).toEqual({ numerator: 11, denominator: 10 })
    expect(Ratio.fromFactor(0.5)).toEqual({ numerator: 1, denominator: 2 })
    expect(Ratio.fromFactor(0)).toEqual({ numerator: 0, denominator: 1 })
    expect(Ratio.afterDiscount(15)).toEqual({ numerator: 17, denominator: 20 })
    expect(Ratio.afterDiscount(7.5)).toEqual({ numerator: 37, denominator: 40 })
    expect(Ratio.afterDiscount(100)).toEqual({ numerator: 0, denominator: 1 })
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
