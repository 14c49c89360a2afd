import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as CallPricing from "../../src/domain/CallPricing.js"
import { usageOf } from "../../src/domain/CallUsage.js"
import * as Cost from "../../src/domain/Cost.js"

const PRICE: Cost.Price = {
  priceId: "test:p/m",
  effectiveFrom: null,
  rates: { uncachedInput: 3000, cacheRead: 300, cacheWrite5m: 3750, cacheWrite1h: 6000, output: 15_000 },
  tiers: [],
}

const priceOf: CallPricing.PriceOf = (provider, model) =>
  provider === "p" && model === "m" ? Option.some(PRICE) : Option.none()

const call = (metrics: Readonly<Record<string, unknown>>): CallPricing.PricedCall => ({
  provider: "p",
  model: "m",
  responseModel: null,
  attempts: [],
  metrics,
})

/** The metrics that a repricing leaves; null where it leaves them as they are. */
const changed = (one: CallPricing.PricedCall, prices: CallPricing.PriceOf) => {
  const outcome = CallPricing.repriced(one, prices, 0, 1)
  return outcome.kind === "changed" ? outcome.metrics : null
}

const count = FastCheck.nat({ max: 100_000 })

/** Metrics as clients send them, cost members anywhere among the others. */
const metrics = FastCheck.record({
  input_tokens: count,
  output_tokens: count,
  note: FastCheck.string(),
  more: FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue()),
  members: FastCheck.subarray([
    ["api_cost_usd", null],
    ["cost_nanousd", null],
    ["cost_status", "unpriced"],
    ["price_id", null],
    ["cost_breakdown", null],
  ] as const),
  first: FastCheck.boolean(),
}).map(({ members, first, more, ...tokens }): Readonly<Record<string, unknown>> => {
  const cost = Object.fromEntries(members)
  const { usage_source: _, ...rest } = more
  return first ? { ...cost, ...rest, ...tokens } : { ...rest, ...tokens, ...cost }
})

describe("a call's cost, put into its metrics", () => {
  it.prop("cannot be taken out again to the letter", [metrics], ([before]) => {
    const text = JSON.stringify(before)
    const parsed = JSON.parse(text)
    const after = JSON.parse(JSON.stringify(CallPricing.withCost(parsed, Cost.unpriced, "reprice:1")))
    const given = CallPricing.restored(after, JSON.parse(JSON.stringify(CallPricing.costMembers(parsed))))
    expect(JSON.stringify(given)).toBe(text)
  })

  it.prop("changes when the same is told again", [count, count], ([input, output]) => {
    const told = { input_tokens: input, output_tokens: output, cost_status: "unpriced", cost_nanousd: null }
    const repriced = changed(call(told), priceOf)
    expect(repriced).toMatchObject({ cost_nanousd: 3 * input + 15 * output, priced_by: "reprice:1" })
    if (repriced === null) return
    expect(JSON.stringify(CallPricing.received(repriced, told))).toBe(JSON.stringify(repriced))
    expect(CallPricing.repriced(call(repriced), priceOf, 0, 2)).toEqual({ kind: "same" })
  })

  it("is put where there is none to be paid, or where it is not known", () => {
    const tokens = { input_tokens: 1, output_tokens: 1 }
    const status = (told: object) => changed(call({ ...tokens, ...told }), priceOf)?.["cost_status"]
    expect(status({ cost_status: "simulated", cost_nanousd: 5 })).toBe(undefined)
    expect(status({ cost_status: "replayed", cost_nanousd: 0 })).toBe(undefined)
    expect(status({ cost_status: "priced", cost_nanousd: 18 })).toBe(undefined)
    expect(status({ cost_status: "priced", cost_nanousd: 17 })).toBe("priced")
    expect(status({ usage_source: "none" })).toBe(undefined)
    expect(CallPricing.repriced({ ...call(tokens), model: "other" }, priceOf, 0, 1)).toEqual({
      kind: "unknown",
      reason: "no price is known of p/other",
    })
    expect(CallPricing.repriced({ ...call(tokens), provider: "sandbox" }, () => Option.some(PRICE), 0, 1)).toEqual({
      kind: "same",
    })
    expect(CallPricing.repriced({ ...call(tokens), model: null }, priceOf, 0, 1)).toEqual({
      kind: "unknown",
      reason: CallPricing.NO_MODEL,
    })
    expect(CallPricing.pricedAtIngest({ ...call(tokens), model: null, provider: "sandbox" }, priceOf, 0)).toBe(null)
    expect(CallPricing.pricedAtIngest(call({ ...tokens, service_tier: "odd" }), priceOf, 0)).toMatchObject({
      cost_status: "unpriced",
      unpriced_reason: expect.stringContaining("odd"),
    })
  })
})

describe("a call that comes with tokens and without the name of its model", () => {
  it("has no word about its cost, or keeps that one when the name comes", () => {
    const nameless = { ...call({ input_tokens: 1, output_tokens: 1 }), model: null }
    const waiting = CallPricing.pricedAtIngest(nameless, priceOf, 0)
    expect(waiting).toEqual({
      input_tokens: 1,
      output_tokens: 1,
      api_cost_usd: null,
      cost_nanousd: null,
      cost_status: "unpriced",
      unpriced_reason: expect.stringContaining("context_json.model"),
      priced_by: "server",
    })
    const metrics = waiting ?? {}
    expect(CallPricing.pricedAtIngest({ ...nameless, metrics }, priceOf, 0)).toBe(null)
    const named = CallPricing.pricedAtIngest({ ...call(metrics) }, priceOf, 0)
    expect(named).toEqual(CallPricing.pricedAtIngest(call(nameless.metrics), priceOf, 0))
    expect(named).toMatchObject({ cost_status: "priced" })
  })
})

describe("what a call used, read from its metrics", () => {
  const of = (told: Readonly<Record<string, unknown>>) => Option.getOrNull(usageOf(told))

  it("counts a token in two classes, or none at all", () => {
    expect(of({ prompt_tokens: 10, completion_tokens: 4, cache_read_tokens: 6 })).toMatchObject({
      uncachedInput: 4,
      cacheRead: 6,
      output: 4,
    })
    expect(of({ input_tokens: 10, output_tokens: 4, cache_read_input_tokens: 6 })).toMatchObject({
      uncachedInput: 10,
      cacheRead: 6,
    })
    expect(of({ prompt_tokens: 10, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 6 } })).toMatchObject({
      uncachedInput: 4,
      cacheRead: 6,
    })
    expect(of({ total_tokens: 3 })).toBe(null)
    expect(of({ input_tokens: 5, output_tokens: 4, cache_read_tokens: 6 })).toBe(null)
    expect(of({ input_tokens: 1e10, output_tokens: 1 })).toBe(null)
    expect(of({ input_tokens: 1, output_tokens: 1, usage_source: "none" })).toBe(null)
  })

  it("takes the provider's word for the ordinary for a price of its own", () => {
    const told = { input_tokens: 1, output_tokens: 1 }
    expect(of({ ...told, service_tier: "Standard", inference_geo: "global", speed: 7 })).toEqual(of(told))
    expect(of({ ...told, service_tier: "batch" })).toMatchObject({ serviceTier: "batch" })
    expect(of({ ...told, service_tier: " Batch" })).toEqual(of({ ...told, service_tier: "batch" }))
  })
})
