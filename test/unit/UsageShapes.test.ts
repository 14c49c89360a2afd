import { readFileSync } from "node:fs"
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import { PriceBook, type PriceBookService } from "../../services/PriceBook.js"
import * as Cost from "../../src/domain/Cost.js"
import * as QuickDecode from "../../src/domain/QuickDecode.js"
import * as Usage from "../../src/domain/Usage.js"

const NOW = "2026-11-20T12:00:00.000Z"

const readers = {
  messages: Usage.fromMessagesApi,
  messages_stream: (raw: unknown, source?: Usage.UsageSource) =>
    Usage.fromMessagesApi(Usage.messagesStreamUsage(Array.isArray(raw) ? raw : []), source),
  chat: Usage.fromChatCompletions,
  responses: Usage.fromResponsesApi,
  gemini: Usage.fromGemini,
  bedrock: Usage.fromBedrockConverse,
  ollama: Usage.fromOllama,
  cohere: Usage.fromCohere,
  vercel: Usage.fromVercelAi,
  effect_ai: Usage.fromEffectAi,
  telemetry: (raw: unknown, source?: Usage.UsageSource) =>
    Usage.fromTelemetryAttributes(Schema.decodeUnknownSync(Attributes)(raw), source),
  unknown: Usage.fromUnknown,
}
const Attributes = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const Dialect = Schema.Literal(
  "messages",
  "messages_stream",
  "chat",
  "responses",
  "gemini",
  "bedrock",
  "ollama",
  "cohere",
  "vercel",
  "effect_ai",
  "telemetry",
  "unknown",
)

const Shape = Schema.Struct({
  name: Schema.String,
  dialect: Dialect,
  provider: Schema.String,
  model: Schema.String,
  at: Schema.optionalWith(Schema.String, { default: () => NOW }),
  /** Name of a price file in the fixture. */
  prices: Schema.optional(Schema.String),
  aborted: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  usage: Schema.Unknown,
  tokens: Schema.Tuple(Schema.NonNegativeInt, Schema.NonNegativeInt),
  source: Schema.optionalWith(Usage.UsageSource, { default: () => "provider" as const }),
  doubts: Schema.optional(Schema.Array(Usage.UsageDoubt)),
  arithmetic: Schema.String,
  nano_usd: Schema.NullOr(Schema.NonNegativeInt),
})
type Shape = typeof Shape.Type

const Fixture = Schema.Struct({
  about: Schema.String,
  prices: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  shapes: Schema.Array(Shape),
})

const fixture = Schema.decodeUnknownSync(Schema.parseJson(Fixture), { onExcessProperty: "error" })(
  readFileSync(new URL("../support/fixtures/usage-shapes.json", import.meta.url), "utf8"),
)

const book = (name: string | undefined) =>
  Effect.provide(PriceBook, PriceBookTable.layer(name === undefined ? {} : { userFile: name })).pipe(
    Effect.provide(
      FileSystem.layerNoop({ readFileString: (path) => Effect.succeed(JSON.stringify(fixture.prices[path])) }),
    ),
  )

const usageOf = (shape: Shape): Usage.Usage =>
  readers[shape.dialect](shape.usage, shape.aborted ? "lower_bound" : "provider")

const costOf = (shape: Shape, used: Usage.Usage, prices: PriceBookService): Cost.Cost =>
  used.source === "none"
    ? Cost.unpriced
    : Option.match(prices.unsafePriceOf(shape.provider, shape.model, Date.parse(shape.at)), {
        onNone: () => Cost.unpriced,
        onSome: (price) => Cost.price(used, price),
      })

describe("usage as it is reported", () => {
  it.effect("a shape costs another sum than the one worked out by hand", () =>
    Effect.gen(function* () {
      const names = [undefined, ...Object.keys(fixture.prices)]
      const books = new Map(
        yield* Effect.forEach(names, (name) => Effect.map(book(name), (one) => [name, one] as const)),
      )
      const differences = fixture.shapes.flatMap((shape) => {
        const used = usageOf(shape)
        const prices = books.get(shape.prices)
        if (prices === undefined) return [`${shape.name}: the fixture has no price file ${shape.prices}`]
        const cost = costOf(shape, used, prices)
        const found = {
          tokens: [Usage.inputTokens(used), Usage.outputTokens(used)],
          source: used.source,
          doubts: used.doubts,
          nano_usd: cost.nanoUsd,
        }
        const expected = {
          tokens: shape.tokens,
          source: shape.source,
          doubts: shape.doubts,
          nano_usd: shape.nano_usd,
        }
        return JSON.stringify(found) === JSON.stringify(expected)
          ? []
          : [
              `${shape.name}: ${JSON.stringify(found)} and not ${JSON.stringify(expected)} (${shape.arithmetic}) ${cost.reason ?? ""}`,
            ]
      })
      expect(differences).toEqual([])
    }),
  )

  it("the table has shrunk, or a dialect has dropped out of it", () => {
    expect(fixture.shapes.length).toBeGreaterThanOrEqual(200)
    expect(new Set(fixture.shapes.map(({ name }) => name)).size).toBe(fixture.shapes.length)
    expect(new Set(fixture.shapes.map(({ dialect }) => dialect))).toEqual(new Set(Object.keys(readers)))
  })

  it("a usage changes on its way through an event and back", () => {
    for (const shape of fixture.shapes) {
      const used = usageOf(shape)
      const wire = Schema.decodeUnknownSync(Usage.UsageWire)(JSON.parse(JSON.stringify(Usage.toWire(used))))
      expect(Usage.fromWire(wire, used.source), shape.name).toEqual(used)
    }
  })

  it("a usage with rare classes sends the server's decoding the slow way, or past what the schema refuses", () => {
    const quick = QuickDecode.make<Usage.UsageWire, Usage.UsageWire>(Usage.UsageWire, { keepUnknown: true })
    for (const shape of fixture.shapes) {
      const wire = Usage.toWire(usageOf(shape))
      expect(quick(wire), shape.name).toBe(wire)
    }
    const plain = { input_tokens: 1, output_tokens: 1, total_tokens: 2 }
    for (const wrong of [
      { server_tool_requests: { web_search: -1 } },
      { server_tool_requests: ["web_search"] },
      { usage_doubts: [] },
      { usage_doubts: ["none of them"] },
      { audio_input_tokens: 0.5 },
      { service_tier: "" },
      { input_tokens: undefined },
    ]) {
      expect(quick({ ...plain, ...wrong }), JSON.stringify(wrong)).toBe(QuickDecode.UNSURE)
      expect(Schema.is(Usage.UsageWire)({ ...plain, ...wrong }), JSON.stringify(wrong)).toBe(false)
    }
  })
})
