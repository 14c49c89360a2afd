import { describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as FastCheck from "effect/FastCheck"
import * as Usage from "../../src/domain/Usage.js"

const count = FastCheck.nat({ max: 10_000_000 })
const usage = FastCheck.record({
  uncachedInput: count,
  cacheRead: count,
  cacheWrite5m: count,
  cacheWrite1h: count,
  output: count,
  reasoning: count,
  source: Arbitrary.make(Usage.UsageSource),
})

describe("Usage", () => {
  it.prop("is a monoid, so sums over a run do not depend on their order", [usage, usage, usage], ([a, b, c]) => {
    expect(Usage.add(Usage.add(a, b), c)).toEqual(Usage.add(a, Usage.add(b, c)))
    expect(Usage.add(a, b)).toEqual(Usage.add(b, a))
    const { source } = a
    expect(Usage.add(a, Usage.none)).toEqual({ ...a, source })
    expect(Usage.add(Usage.none, a)).toEqual({ ...a, source })
  })

  it.prop("adds totals as it adds classes", [usage, usage], ([a, b]) => {
    expect(Usage.totalTokens(Usage.add(a, b))).toBe(Usage.totalTokens(a) + Usage.totalTokens(b))
  })

  it.prop("survives the wire unchanged", [usage], ([a]) => {
    expect(Usage.fromWire(Usage.toWire(a), a.source)).toEqual(a)
  })

  it.prop(
    "T23 reads prompt/completion and input/output counts as the same record, totals summed",
    [count, count],
    ([input, output]) => {
      const prompt = Usage.fromChatCompletions({ prompt_tokens: input, completion_tokens: output })
      expect(prompt).toEqual(Usage.fromChatCompletions({ input_tokens: input, output_tokens: output }))
      expect(prompt).toEqual(Usage.fromMessagesApi({ input_tokens: input, output_tokens: output }))
      expect(Usage.toWire(prompt).total_tokens).toBe(input + output)
    },
  )

  it("T24 keeps cached tokens disjoint in both dialects, so that none is counted twice", () => {
    const messages = Usage.fromMessagesApi({
      input_tokens: 100,
      cache_read_input_tokens: 900,
      output_tokens: 50,
      output_tokens_details: { thinking_tokens: 20 },
    })
    const chat = Usage.fromChatCompletions({
      prompt_tokens: 1000,
      prompt_tokens_details: { cached_tokens: 900 },
      completion_tokens: 50,
      completion_tokens_details: { reasoning_tokens: 20 },
    })
    expect(chat).toEqual(messages)
    expect(Usage.toWire(messages)).toMatchObject({ input_tokens: 1000, cache_read_tokens: 900, total_tokens: 1050 })
  })

  it("splits cache writes by lifetime, an unsplit write being a five-minute one", () => {
    expect(
      Usage.fromMessagesApi({
        input_tokens: 1,
        output_tokens: 1,
        cache_creation_input_tokens: 30,
        cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
      }),
    ).toMatchObject({ cacheWrite5m: 10, cacheWrite1h: 20 })
    expect(Usage.fromMessagesApi({ input_tokens: 1, output_tokens: 1, cache_creation_input_tokens: 30 })).toMatchObject(
      { cacheWrite5m: 30, cacheWrite1h: 0 },
    )
  })

  it("counts every cache write once, also where the split names fewer than the total", () => {
    const read = (fiveMinutes: number, hour: number) =>
      Usage.fromMessagesApi({
        input_tokens: 1,
        output_tokens: 1,
        cache_creation_input_tokens: 500,
        cache_creation: { ephemeral_5m_input_tokens: fiveMinutes, ephemeral_1h_input_tokens: hour },
      })
    expect(read(0, 0)).toMatchObject({ cacheWrite5m: 500, cacheWrite1h: 0 })
    expect(read(100, 200)).toMatchObject({ cacheWrite5m: 300, cacheWrite1h: 200 })
  })

  it("does not believe a count that no call can have", () => {
    expect(Usage.fromMessagesApi({ input_tokens: 1e17, output_tokens: 2 })).toMatchObject({
      uncachedInput: 0,
      output: 2,
    })
    expect(Usage.fromMessagesApi({ input_tokens: 1e17 })).toEqual(Usage.none)
  })

  it.prop(
    "never throws on what a provider might send, and says none when it has no counts",
    [FastCheck.anything()],
    ([raw]) => {
      const read = Usage.fromMessagesApi(raw)
      expect(Usage.totalTokens(read)).toBeGreaterThanOrEqual(0)
    },
  )
})
