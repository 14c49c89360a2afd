import { describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as FastCheck from "effect/FastCheck"
import * as Usage from "../../src/domain/Usage.js"

const count = FastCheck.nat({ max: 10_000_000 })
const required = {
  uncachedInput: count,
  cacheRead: count,
  cacheWrite5m: count,
  cacheWrite1h: count,
  output: count,
  reasoning: count,
}
const text = FastCheck.record({ ...required, source: Arbitrary.make(Usage.UsageSource) })

const doubts = FastCheck.uniqueArray(Arbitrary.make(Usage.UsageDoubt), { minLength: 1 }).map((some) => [...some].sort())
const classes = {
  audioInput: count,
  audioCacheRead: count,
  audioOutput: count,
  imageInput: count,
  imageCacheRead: count,
  imageOutput: count,
  serverTools: FastCheck.dictionary(FastCheck.constantFrom("web_search", "file_search", "__proto__", "x"), count),
  doubts,
}
const words = {
  serviceTier: FastCheck.constantFrom("batch", "priority"),
  speed: FastCheck.constant("fast"),
  inferenceGeo: FastCheck.constantFrom("us", "eu"),
}
const requiredKeys = [
  "uncachedInput",
  "cacheRead",
  "cacheWrite5m",
  "cacheWrite1h",
  "output",
  "reasoning",
  "source",
] as const
/** Whoever reports nothing reports no words either. */
const usage: FastCheck.Arbitrary<Usage.Usage> = FastCheck.oneof(
  text,
  FastCheck.record(
    { ...required, ...classes, source: FastCheck.constant("none" as const) },
    { requiredKeys: [...requiredKeys] },
  ),
  FastCheck.record(
    { ...required, ...classes, ...words, source: FastCheck.constantFrom("provider" as const, "lower_bound" as const) },
    { requiredKeys: [...requiredKeys] },
  ),
)

const readers = {
  fromBedrockConverse: Usage.fromBedrockConverse,
  fromChatCompletions: Usage.fromChatCompletions,
  fromCohere: Usage.fromCohere,
  fromEffectAi: Usage.fromEffectAi,
  fromGemini: Usage.fromGemini,
  fromMessagesApi: Usage.fromMessagesApi,
  fromOllama: Usage.fromOllama,
  fromResponsesApi: Usage.fromResponsesApi,
  fromUnknown: Usage.fromUnknown,
  fromUnknownProvider: Usage.fromUnknownProvider,
  fromVercelAi: Usage.fromVercelAi,
}

/** The members that any dialect looks at, with counts that may be absurd. */
const names = [
  ...["input_tokens", "output_tokens", "prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens"],
  ...["audio_tokens", "image_tokens", "reasoning_tokens", "thinking_tokens", "cache_write_tokens", "tokenCount"],
  ...["cache_read_input_tokens", "cache_creation_input_tokens", "ephemeral_5m_input_tokens", "inputTokens"],
  ...["ephemeral_1h_input_tokens", "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"],
  ...["outputTokens", "cachedInputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "prompt_eval_count"],
  ...[
    "eval_count",
    "prompt_cache_hit_tokens",
    "prompt_cache_miss_tokens",
    "cachedContentTokenCount",
    "total",
    "noCache",
  ],
]
const holders = [
  ...["usage", "usageMetadata", "meta", "tokens", "billed_units", "prompt_tokens_details", "completion_tokens_details"],
  ...["input_tokens_details", "output_tokens_details", "cached_tokens_details", "cache_creation", "server_tool_use"],
  ...[
    "inputTokenDetails",
    "outputTokenDetails",
    "raw",
    "providerMetadata",
    "metadata",
    "anthropic",
    "x_groq",
    "inputTokens",
  ],
]
const lists = ["iterations", "output", "promptTokensDetails", "cacheTokensDetails", "steps", "content", "cacheDetails"]
const oddCount = FastCheck.oneof(
  { weight: 6, arbitrary: FastCheck.nat({ max: 5000 }) },
  FastCheck.constantFrom<unknown>(null, -1, 0.5, 1e17, Number.NaN, "12", true),
)
const leaf = FastCheck.dictionary(FastCheck.constantFrom(...names), oddCount)
const holding = (inner: FastCheck.Arbitrary<unknown>) =>
  FastCheck.tuple(
    leaf,
    FastCheck.dictionary(FastCheck.constantFrom(...holders), inner, { maxKeys: 4 }),
    FastCheck.dictionary(FastCheck.constantFrom(...lists), FastCheck.array(inner, { maxLength: 3 }), { maxKeys: 2 }),
  ).map((parts) => Object.assign({}, ...parts))
const report: FastCheck.Arbitrary<unknown> = holding(holding(leaf))

const isSane = (read: Usage.Usage): boolean =>
  [
    ...[read.uncachedInput, read.cacheRead, read.cacheWrite5m, read.cacheWrite1h, read.output, read.reasoning],
    ...[read.audioInput, read.audioCacheRead, read.audioOutput, read.imageInput, read.imageCacheRead, read.imageOutput],
    ...Object.values(read.serverTools ?? {}),
  ].every((tokens) => tokens === undefined || (Number.isSafeInteger(tokens) && tokens >= 0)) &&
  read.reasoning <= read.output

describe("Usage", () => {
  it.prop("is a monoid, so sums over a run do not depend on their order", [usage, usage, usage], ([a, b, c]) => {
    expect(Usage.add(Usage.add(a, b), c)).toEqual(Usage.add(a, Usage.add(b, c)))
    expect(Usage.add(a, b)).toEqual(Usage.add(b, a))
    expect(Usage.add(a, Usage.none)).toEqual(a)
    expect(Usage.add(Usage.none, a)).toEqual(a)
  })

  it("a sum of calls with different words has a word of its own, which has no price", () => {
    const batch: Usage.Usage = { ...Usage.none, output: 1, source: "provider", serviceTier: "batch" }
    const plain: Usage.Usage = { ...Usage.none, output: 1, source: "provider" }
    expect(Usage.add(batch, batch).serviceTier).toBe("batch")
    expect(Usage.add(batch, plain).serviceTier).toBe(Usage.MIXED)
    expect(Usage.add(plain, plain).serviceTier).toBeUndefined()
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

  it.each(Object.entries(readers))(
    "%s throws on what somebody might send, or gives counts that are none",
    (_, read) => {
      FastCheck.assert(
        FastCheck.property(FastCheck.oneof(FastCheck.anything(), report), (raw) => {
          const used = read(raw)
          expect(isSane(used), JSON.stringify(used)).toBe(true)
          expect(Usage.totalTokens(used)).toBe(Usage.inputTokens(used) + Usage.outputTokens(used))
          if (used.source === "none") expect(used).toEqual(Usage.none)
        }),
        { numRuns: 300 },
      )
    },
  )

  it("a part that is more than its whole makes the whole larger, or is not marked", () => {
    const chat = Usage.fromChatCompletions({
      prompt_tokens: 10,
      completion_tokens: 5,
      prompt_tokens_details: { cached_tokens: 11 },
      completion_tokens_details: { reasoning_tokens: 6 },
    })
    expect([Usage.inputTokens(chat), Usage.outputTokens(chat), chat.doubts]).toEqual([10, 5, ["part_above_whole"]])
    expect(chat).toMatchObject({ uncachedInput: 0, cacheRead: 10, reasoning: 5, source: "lower_bound" })
  })

  it("says zero where nothing was reported, or nothing where zero was", () => {
    const silent = Usage.fromChatCompletions({ prompt_tokens: 1, completion_tokens: 1 })
    expect(silent.audioInput).toBeUndefined()
    expect(Usage.toWire(silent)).not.toHaveProperty("audio_input_tokens")
    const zero = Usage.fromChatCompletions({
      prompt_tokens: 1,
      completion_tokens: 1,
      prompt_tokens_details: { audio_tokens: 0 },
    })
    expect(Usage.toWire(zero)).toMatchObject({ audio_input_tokens: 0 })
  })

  it("the provider of a span is lost in one of its dialects", () => {
    expect(Usage.providerOf({ "gen_ai.provider.name": "openai", "gen_ai.system": "x" })).toBe("openai")
    expect(Usage.providerOf({ "gen_ai.system": "anthropic" })).toBe("anthropic")
    expect(Usage.providerOf({ "ai.model.provider": "openai.chat" })).toBe("openai")
    expect(Usage.providerOf({})).toBeUndefined()
  })
})
