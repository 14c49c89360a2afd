import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as CacheSavings from "../../src/domain/CacheSavings.js"
import { type Price, price } from "../../src/domain/Cost.js"
import { none, type Usage } from "../../src/domain/UsageClasses.js"
import { toWire } from "../../src/domain/UsageWire.js"

// Sonnet 4.5: 3 / 15 USD a million, writes 3.75 and 6, reads 0.30.
const RATES = {
  uncachedInput: 3_000_000,
  cacheRead: 300_000,
  cacheWrite5m: 3_750_000,
  cacheWrite1h: 6_000_000,
  output: 15_000_000,
}
const SONNET: Price = { priceId: "test", effectiveFrom: null, rates: RATES, tiers: [] }
const DEARER: Price = { ...SONNET, rates: { ...RATES, uncachedInput: 4_000_000 } }

const usage = (classes: Partial<Usage>): Usage => ({ ...none, source: "provider", output: 10, ...classes })

const callOf = (used: Usage, at: Price, more: Readonly<Record<string, unknown>> = {}) => ({
  provider: "anthropic",
  model: "m",
  responseModel: null,
  attempts: [],
  metrics: { ...toWire(used), cost_status: "priced", cost_breakdown: price(used, at).breakdown, ...more },
})

const saved = (used: Usage, at = SONNET, known: ReadonlyArray<Price> = [SONNET], more = {}) =>
  CacheSavings.of(
    callOf(used, at, more),
    (_provider, _model, instant) => Option.fromNullable(known[instant]),
    known.map((_, instant) => instant),
  )

describe("CacheSavings", () => {
  it("a read saves nine tenths of the input rate, by hand: 10,000 tokens at $3.00 less $0.30 a million", () => {
    expect(saved(usage({ uncachedInput: 5, cacheRead: 10_000 }))).toEqual({ kind: "known", nanoUsd: 27_000_000 })
  })

  it("writing costs more than it saves, and the hour's price is not the five minutes'", () => {
    expect(saved(usage({ cacheWrite5m: 10_000 }))).toEqual({ kind: "known", nanoUsd: -7_500_000 })
    expect(saved(usage({ cacheWrite1h: 10_000 }))).toEqual({ kind: "known", nanoUsd: -30_000_000 })
    expect(saved(usage({ cacheRead: 10_000, cacheWrite1h: 9_000 }))).toEqual({ kind: "known", nanoUsd: 0 })
  })

  it("says unknown rather than make a figure of another price or of none", () => {
    const cached = usage({ uncachedInput: 1000, cacheRead: 1000 })
    expect(saved(cached, SONNET, [])).toEqual({ kind: "unknown", cachedTokens: 1000 })
    expect(saved(cached, SONNET, [DEARER])).toEqual({ kind: "unknown", cachedTokens: 1000 })
    expect(saved(cached, SONNET, [DEARER, SONNET])).toEqual({ kind: "known", nanoUsd: 2_700_000 })
    expect(saved(cached, SONNET, [SONNET], { cost_breakdown: null, cost_status: "unpriced" })).toMatchObject({
      kind: "unknown",
    })
  })

  it("nothing cached or nothing bought is none", () => {
    expect(saved(usage({ uncachedInput: 1000 }))).toEqual({ kind: "none" })
    expect(saved(usage({ cacheRead: 9 }), SONNET, [SONNET], { cost_status: "replayed" })).toEqual({ kind: "none" })
    expect(CacheSavings.of({ ...callOf(none, SONNET), metrics: {} }, () => Option.none(), [0])).toEqual({
      kind: "none",
    })
  })

  it("a tier is chosen by the whole prompt, cached or not", () => {
    const tiered = {
      ...SONNET,
      tiers: [{ abovePromptTokens: 15_000, rates: { ...RATES, uncachedInput: 6_000_000, cacheRead: 600_000 } }],
    }
    expect(saved(usage({ uncachedInput: 6000, cacheRead: 10_000 }), tiered, [tiered])).toEqual({
      kind: "known",
      nanoUsd: 54_000_000,
    })
  })

  const count = FastCheck.nat(2_000_000)
  it.prop(
    "is the uncached price of the same prompt less what was paid, for whole-nano rates",
    { read: count, write5m: count, write1h: count, uncachedInput: count },
    ({ read, write5m, write1h, uncachedInput }) => {
      const found = saved(usage({ uncachedInput, cacheRead: read, cacheWrite5m: write5m, cacheWrite1h: write1h }))
      const wanted = (BigInt(read) * 2_700_000n - BigInt(write5m) * 750_000n - BigInt(write1h) * 3_000_000n) / 1000n
      expect(found).toEqual(
        read + write5m + write1h === 0 ? { kind: "none" } : { kind: "known", nanoUsd: Number(wanted) },
      )
    },
  )
})
