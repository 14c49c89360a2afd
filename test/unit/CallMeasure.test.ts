import { describe, expect, it } from "@effect/vitest"
import { measure } from "../../src/domain/CallMeasure.js"
import * as RunUpdate from "../../src/domain/RunUpdate.js"

describe("CallMeasure", () => {
  it("reads both token dialects and adds the total up when it is absent", () => {
    expect(measure({ prompt_tokens: 2, completion_tokens: 3 })).toMatchObject({
      input_tokens: 2,
      output_tokens: 3,
      total_tokens: 5,
    })
    expect(measure({ input_tokens: 2, total_tokens: 9 })).toMatchObject({
      input_tokens: 2,
      output_tokens: null,
      total_tokens: 9,
    })
  })

  it("never takes tokens without a price for free", () => {
    expect(measure({ total_tokens: 5 })).toMatchObject({ cost_status: "unpriced", cost_nanousd: null })
    expect(measure({ total_tokens: 5, cost_status: "priced" })).toMatchObject({
      cost_status: "unpriced",
      cost_nanousd: null,
    })
    expect(measure({ total_tokens: 5, cost_nanousd: 0, cost_status: "unpriced" }).cost_nanousd).toBeNull()
    expect(measure({ total_tokens: 0, cost_nanousd: 0, cost_status: "priced" })).toMatchObject({
      cost_status: "priced",
      cost_nanousd: 0,
    })
    expect(measure(null)).toMatchObject({ cost_status: null, total_tokens: null })
  })

  it("takes the exact integer before the float, and the float when it stands alone", () => {
    expect(measure({ api_cost_usd: 0.5, cost_nanousd: 7 }).cost_nanousd).toBe(7)
    expect(measure({ api_cost_usd: 0.0495 })).toMatchObject({ cost_nanousd: 49_500_000, cost_status: "priced" })
  })

  it("believes no nonsense", () => {
    expect(
      measure({
        input_tokens: -1,
        output_tokens: "9",
        total_tokens: 1e300,
        cost_nanousd: Number.NaN,
        cost_status: "free",
      }),
    ).toMatchObject({
      input_tokens: null,
      output_tokens: null,
      total_tokens: null,
      cost_nanousd: null,
      cost_status: null,
    })
  })
})

describe("RunUpdate", () => {
  const update = (fields: Partial<RunUpdate.UpdateIntent>): RunUpdate.UpdateIntent => ({
    reopen: false,
    inferred: false,
    ...fields,
  })
  const ended = { status: "success", inferred: false } as const
  const inferred = { status: "timeout", inferred: true } as const

  it("lets everything happen to a running run", () => {
    expect(
      RunUpdate.refusal({ status: "running", inferred: false }, update({ status: "failure", inferred: true })),
    ).toBeNull()
  })

  it("keeps an ended run ended, unless it is reopened or its ending was inferred", () => {
    expect(RunUpdate.refusal(ended, update({ status: "running" }))).toContain("success")
    expect(RunUpdate.refusal(ended, update({ status: "running", reopen: true }))).toBeNull()
    expect(RunUpdate.refusal(inferred, update({ status: "running" }))).toBeNull()
    expect(RunUpdate.refusal(ended, update({ status: "failure" }))).toBeNull()
    expect(RunUpdate.refusal(ended, update({}))).toBeNull()
  })

  it("never lets a guess replace the client's own word", () => {
    expect(RunUpdate.refusal(ended, update({ status: "timeout", inferred: true }))).toContain("own word")
    expect(RunUpdate.refusal(inferred, update({ status: "failure", inferred: true }))).toBeNull()
    expect(RunUpdate.inferredAfter(inferred, update({ status: "success" }))).toBe(false)
    expect(RunUpdate.inferredAfter(inferred, update({}))).toBe(true)
  })
})
