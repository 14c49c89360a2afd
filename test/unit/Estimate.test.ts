import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"
import * as Estimate from "../../src/cli/Estimate.js"
import * as RunConfigText from "../../src/domain/RunConfigText.js"

const config = (wire: Parameters<typeof RunConfigText.withDefaults>[0]) =>
  Either.getOrThrow(RunConfigText.withDefaults(wire))

describe("the estimate of a launch", () => {
  it("a small package's pages of exported names and of its installation are forgotten", () => {
    const prose = { proseBytes: 200, hasScripts: false, hasManifest: false }
    expect(Estimate.of(prose, true, undefined).calls).toBe(1)
    expect(Estimate.of({ ...prose, hasScripts: true, hasManifest: true }, true, undefined).calls).toBe(3)
    expect(Estimate.of({ proseBytes: 1e6, hasScripts: true, hasManifest: true }, false, undefined).calls).toBe(8)
  })

  it("a limit that no call fits into is not named, or one is that calls fit into", () => {
    const keys = (wire: Parameters<typeof config>[0]) => {
      const settings = config(wire)
      return Estimate.longestCalls(settings, undefined).flatMap((call) =>
        Estimate.limitsBelow(settings, { ...call, nanoUsd: call.tokens * 15_000 }).map(
          ({ key }) => `${call.key} ${key}`,
        ),
      )
    }
    expect(keys({})).toEqual([])
    expect(keys({ budgets: { max_cost_usd_per_day: 0.08 } })).toEqual([
      "llm.page_max_tokens budgets.max_cost_usd_per_day",
    ])
    expect(keys({ budgets: { max_cost_usd_per_day: 0.09 } })).toEqual([])
    expect(keys({ budgets: { max_cost_usd_per_day: 0.08 }, llm: { page_max_tokens: 4000 } })).toEqual([])
    expect(keys({ budgets: { max_tokens: 5000, per_worker: { "W2.FactsBuilder": 0.01 } } })).toEqual([
      "llm.page_max_tokens budgets.max_tokens",
      "llm.max_tokens budgets.per_worker.W2.FactsBuilder",
    ])
    expect(
      keys({ enrich: false, budgets: { per_model: { "claude-sonnet-4-5": 0 } }, llm: { max_tokens: 100 } }),
    ).toEqual(["llm.max_tokens budgets.per_model.claude-sonnet-4-5"])
  })
})
