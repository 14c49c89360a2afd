import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import type { PriceBookService } from "../../services/PriceBook.js"
import * as CostAs from "../../src/cli/CostAs.js"
import * as CostedCall from "../../src/cli/CostedCall.js"
import * as CacheSavings from "../../src/domain/CacheSavings.js"
import { billedAttempts, partsOf } from "../../src/domain/CallParts.js"
import * as CallPricing from "../../src/domain/CallPricing.js"
import type { CallRecord } from "../../src/domain/CallRecord.js"
import * as Cost from "../../src/domain/Cost.js"
import type { Attempt } from "../../src/domain/Llm.js"
import * as Usage from "../../src/domain/Usage.js"
import * as CallCost from "../../src/telemetry/CallCost.js"

const rates = (picoUsd: number): Cost.Rates => ({
  uncachedInput: 10 * picoUsd,
  cacheRead: picoUsd,
  cacheWrite5m: 12 * picoUsd,
  output: 50 * picoUsd,
})

const flat = (name: string, picoUsd: number): Cost.Price => ({
  priceId: name,
  effectiveFrom: null,
  rates: rates(picoUsd),
  tiers: [],
  multipliers: { serviceTier: { batch: { numerator: 1, denominator: 2 } } },
})

/** `small` costs five times as much above 100,000 prompt tokens; `large` ten times as much as it. */
const PRICES: Readonly<Record<string, Cost.Price>> = {
  small: { ...flat("small", 1000), tiers: [{ abovePromptTokens: 100_000, rates: rates(5000) }] },
  large: flat("large", 10_000),
}

const priceOf: CallPricing.PriceOf = (provider, model) =>
  provider === "p" && Object.hasOwn(PRICES, model) ? Option.fromNullable(PRICES[model]) : Option.none()

const prices: PriceBookService = { unsafePriceOf: priceOf, listed: [], unpriced: [], readOn: "2026-01-01" }

const usage = (classes: Partial<Usage.Usage>): Usage.Usage => ({ ...Usage.none, source: "provider", ...classes })

const attempt = (used: Usage.Usage, more: Partial<Attempt> = {}): Attempt => ({
  n: 1,
  started_at: "2026-11-20T12:00:00.000Z",
  duration_ms: 10,
  http_status: 200,
  error_class: "EmptyResponse",
  retry_after_ms: null,
  token_usage: Usage.toWire(used),
  usage_source: used.source,
  ...more,
})

/** A call of `small` as its client records it: with its answer, or without one when all attempts failed. */
const recorded = (answer: Usage.Usage | undefined, failed: ReadonlyArray<Attempt>, provider = "p") => {
  const asked = { provider: "p", model: "small", atMillis: 0 }
  const { attempts, used } = CallCost.ofAttempts(asked, failed, "provider", prices)
  const source = provider === "sandbox" ? "sandbox" : "provider"
  const own = answer && { usage: answer, cost: CallCost.costOf(asked, answer, source, null, prices) }
  const all = [own, used].filter((one) => one !== undefined)
  const whole = all.reduce((sum, one) => Usage.add(sum, one.usage), Usage.none)
  const cost = all.map((one) => one.cost).reduce(Cost.together)
  const metrics = {
    ...Usage.toWire(whole),
    usage_source: whole.source,
    cost_status: cost.status,
    cost_nanousd: cost.nanoUsd,
    cost_breakdown: cost.breakdown,
  }
  const call: CallPricing.PricedCall = {
    provider,
    model: "small",
    responseModel: null,
    attempts: billedAttempts(JSON.parse(JSON.stringify(attempts))),
    metrics: JSON.parse(JSON.stringify(metrics)),
  }
  return { call, cost }
}

const record = ({ attempts, metrics, model, provider }: CallPricing.PricedCall): CallRecord => ({
  event_id: "e",
  run_id: "r",
  parent_run_id: null,
  status: "success",
  start_time: "1970-01-01T00:00:00.000Z",
  duration_ms: 0,
  git_repo: null,
  git_branch: null,
  git_commit_hash: null,
  error_summary: null,
  metrics_json: metrics,
  context_json: { provider, model, attempts },
})

const outcome = (call: CallPricing.PricedCall) => CallPricing.repriced(call, priceOf, 0, 1)

const tokens = FastCheck.nat({ max: 150_000 })
const used = FastCheck.record({
  uncachedInput: tokens,
  cacheRead: tokens,
  cacheWrite5m: tokens,
  output: tokens,
  audio: FastCheck.boolean(),
}).map(({ audio, ...classes }) => usage({ ...classes, ...(audio ? { audioInput: 0 } : {}) }))
const failure = FastCheck.tuple(
  used,
  FastCheck.constantFrom<Array<Partial<Attempt>>>(
    {},
    { provider: "p", model: "large" },
    { provider: "p", model: "small" },
    { provider: "sandbox", model: "small" },
  ),
).map(([one, who]) => attempt(one, who))

describe("a call that is billed for attempts that failed", () => {
  it.prop(
    "costs something else when it is priced anew at the same prices",
    [FastCheck.option(used, { nil: undefined }), FastCheck.array(failure, { minLength: 1, maxLength: 3 })],
    ([answer, failed]) => {
      const { call, cost } = recorded(answer, failed)
      expect(CallPricing.costAt(call, priceOf, 0).nanoUsd).toBe(cost.nanoUsd)
      expect(outcome(call)).toEqual({ kind: "same" })
    },
  )

  it("is priced at the rates of the model that answered, by hand", () => {
    const one = usage({ uncachedInput: 60_000, output: 1000 })
    const { call } = recorded(one, [attempt(one, { provider: "p", model: "large" })])
    const small = 60_000 * 10 + 1000 * 50
    expect(CallPricing.costAt(call, priceOf, 0).nanoUsd).toBe(small + 10 * small)
  })

  it("reaches a tier with two prompts that are below it each", () => {
    const one = usage({ uncachedInput: 60_000, output: 1000 })
    const { call } = recorded(one, [attempt(one)])
    expect(CallPricing.costAt(call, priceOf, 0).nanoUsd).toBe(2 * (60_000 * 10 + 1000 * 50))
  })

  it("makes up a price where its parts cannot be told apart", () => {
    const one = usage({ uncachedInput: 10, output: 1 })
    const { call } = recorded(usage({ uncachedInput: 5, output: 1, serviceTier: "batch" }), [attempt(one)])
    const reason = "its attempts had several service tiers, speeds or places of inference"
    expect(outcome(call)).toEqual({ kind: "unknown", reason })
    const fewer = { ...call, metrics: { ...call.metrics, service_tier: "batch", output_tokens: 0 } }
    expect(Either.getLeft(partsOf(fewer))).toEqual(Option.some("its failed attempts used more than all of it together"))
    const odd = { ...call, attempts: [{ token_usage: { input_tokens: "many" } }] }
    expect(outcome(odd)).toEqual({ kind: "unknown", reason: "what its failed attempts used cannot be read" })
    const unknown = { ...call, metrics: { ...call.metrics, service_tier: "batch" } }
    expect(outcome({ ...unknown, attempts: [{ ...attempt(one), provider: "p", model: "new" }] })).toEqual({
      kind: "unknown",
      reason: "no price is known of p/new",
    })
  })

  it("loses its real attempts when the sandbox answered, or pays for what the sandbox used", () => {
    const one = usage({ uncachedInput: 10, output: 1 })
    const { call, cost } = recorded(one, [attempt(one, { provider: "p", model: "large" })], "sandbox")
    expect(cost).toMatchObject({ status: "priced", nanoUsd: 10 * (10 * 10 + 50) })
    expect(outcome(call)).toEqual({ kind: "same" })
    expect(outcome(recorded(one, [attempt(one, { provider: "sandbox" })], "sandbox").call)).toEqual({ kind: "same" })
  })

  it("is priced although nobody knows any more who answered it", () => {
    const { call } = recorded(usage({ uncachedInput: 10, output: 1 }), [])
    expect(outcome({ ...call, isEmptied: true })).toMatchObject({ kind: "unknown" })
  })

  it("has savings and a price as another model of its sum, and not of its requests", () => {
    const one = usage({ uncachedInput: 10_000, cacheRead: 60_000, output: 10 })
    const { call } = recorded(one, [attempt(one), attempt(one, { provider: "p", model: "large" })])
    expect(CacheSavings.of(call, priceOf, [0])).toEqual({ kind: "known", nanoUsd: 60_000 * 9 * (1 + 1 + 10) })
    const costed = CostedCall.of(record(call), priceOf)
    const target = CostAs.target(prices, "p/small", 0)
    if (!("found" in target)) throw new Error("small has a price")
    const groups = CostAs.step("model", target.found)(CostAs.none(), costed)
    expect(CostAs.total(groups).as_nanousd).toBe(3 * (10_000 * 10 + 60_000 + 10 * 50))
  })
})
