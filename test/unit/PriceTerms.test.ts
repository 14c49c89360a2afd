import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import * as PriceOverlay from "../../layers/PriceOverlay.js"
import { PriceBook } from "../../services/PriceBook.js"
import * as Cost from "../../src/domain/Cost.js"
import * as Usage from "../../src/domain/Usage.js"

const NOW = Date.parse("2026-11-20T12:00:00Z")

const noFiles = FileSystem.layerNoop({})

/** A program with the prices of a user's file that says `text`. */
const withFile = <A, E>(text: string, program: Effect.Effect<A, E, PriceBook>) =>
  Effect.provide(program, PriceBookTable.layer({ userFile: "prices.yaml" })).pipe(
    Effect.provide(FileSystem.layerNoop({ readFileString: () => Effect.succeed(text) })),
  )

const usage = (input: number, output: number): Usage.Usage => ({
  ...Usage.none,
  uncachedInput: input,
  output,
  source: "provider",
})

const costOf = (model: string, used: Usage.Usage, at = NOW, provider = "anthropic") =>
  Effect.map(PriceBook, (book) =>
    Option.match(book.unsafePriceOf(provider, model, at), {
      onNone: () => Cost.unpriced,
      onSome: (price) => Cost.price(used, price),
    }),
  )

const usd = (cost: Cost.Cost): number => (cost.nanoUsd === null ? Number.NaN : Cost.toUsd(cost.nanoUsd))

describe("prices and terms", () => {
  it.effect("a row of the table does not say who states it, or not where and when it was read", () =>
    Effect.gen(function* () {
      const { listed: rows, readOn } = yield* PriceBook
      expect(rows.length).toBeGreaterThan(500)
      expect(new Set(rows.map(({ origin }) => origin))).toEqual(new Set(["overlay", "genai-prices"]))
      for (const { model, origin, price, readOn: day, source } of rows) {
        expect(source, model).toMatch(/\w/)
        expect(day, model).toMatch(/^\d{4}-\d{2}-\d{2}$/)
        expect(price.priceId.startsWith(origin), model).toBe(true)
      }
      for (const { provider, read_on, source } of PriceOverlay.TERMS) {
        expect(source, provider).toMatch(/\w/)
        expect(read_on <= readOn, provider).toBe(true)
      }
      expect(readOn).toBe(
        PriceOverlay.PRICES.flatMap(({ read_on }) => read_on ?? [])
          .sort()
          .at(-1),
      )
    }).pipe(Effect.provide(PriceBookTable.layer()), Effect.provide(noFiles)),
  )

  it.effect(
    "a batch, a place, a search or a picture has another price than the provider documents, or any where it documents none",
    () =>
      Effect.gen(function* () {
        const used = usage(1_000_000, 100_000)
        expect(usd(yield* costOf("claude-sonnet-5", { ...used, serviceTier: "batch" }))).toBe(1.5)
        expect(usd(yield* costOf("claude-sonnet-5", { ...used, inferenceGeo: "us" }))).toBe(3.3)
        expect(
          usd(yield* costOf("claude-haiku-5-5", { ...usage(1000, 0), serverTools: { web_search: 100, web_fetch: 9 } })),
        ).toBe(1.0001)
        expect(usd(yield* costOf("gemini-2.5-flash", { ...usage(0, 0), imageInput: 1_000_000 }, NOW, "google"))).toBe(
          0.3,
        )
        for (const unknown of [{ serviceTier: "priority" }, { speed: "fast" }, { imageInput: 1 }, { audioInput: 1 }]) {
          const cost = yield* costOf("claude-sonnet-5", { ...used, ...unknown })
          expect(cost.status).toBe("unpriced")
          expect(cost.reason).toContain("genai-prices-0.1.8:anthropic/claude-sonnet-5")
        }
        const hour = { ...usage(0, 0), cacheWrite1h: 1 }
        expect(yield* costOf("global.anthropic.claude-sonnet-4-6-v1:0", hour, NOW, "aws")).toMatchObject({
          nanoUsd: null,
        })
        expect(usd(yield* costOf("us.anthropic.claude-sonnet-4-6-v1:0", usage(1_000_000, 0), NOW, "aws"))).toBe(3.3)
      }).pipe(Effect.provide(PriceBookTable.layer()), Effect.provide(noFiles)),
  )

  it.scoped(
    "a discount is of what others list, is told by the price's id, and is refused where it would do nothing",
    () =>
      Effect.gen(function* () {
        const file = "discounts: { anthropic: 15 }\nprices: [{ model: claude-haiku-4-5, input: 0.80, output: 4.00 }]"
        const cost = yield* withFile(file, costOf("claude-sonnet-4-5", usage(1000, 0)))
        expect(cost).toMatchObject({
          nanoUsd: 2_550_000,
          priceId: "overlay:anthropic/claude-sonnet-4-5#discount=15%",
        })
        expect(usd(yield* withFile(file, costOf("claude-haiku-4-5", usage(5000, 10_000))))).toBe(0.044)
        expect(usd(yield* withFile(file, costOf("gpt-4o", usage(1_000_000, 0), NOW, "openai")))).toBe(2.5)
        for (const [text, problem] of [
          ["discounts: { antropic: 15 }", /did you mean anthropic/],
          ["discounts: { anthropic: 101 }", /discounts\.anthropic/],
          ["discounts: { anthropic: 0.00001 }", /four decimals/],
        ] as const) {
          const error = yield* Effect.flip(withFile(text, Effect.asVoid(PriceBook)))
          expect(error.message).toMatch(problem)
        }
      }),
  )
})
