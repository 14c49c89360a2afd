import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import { PriceBook } from "../../services/PriceBook.js"

describe("GenaiPrices", () => {
  it.effect(
    "prices of certain hours hold before the day from which they are listed, or share an id with another price",
    () =>
      Effect.gen(function* () {
        const book = yield* PriceBook
        const at = (instant: string) =>
          Option.map(
            book.unsafePriceOf("deepseek", "deepseek-v4-flash", Date.parse(instant)),
            ({ priceId, rates }) => [priceId.split("@").slice(1), rates.uncachedInput, rates.output] as const,
          )
        expect(Option.getOrNull(at("2026-08-16T02:00:00Z"))).toEqual([[], 140_000, 280_000])
        expect(Option.getOrNull(at("2026-08-17T00:30:00Z"))).toEqual([["2026-08-17"], 220_000, 660_000])
        expect(Option.getOrNull(at("2026-08-17T02:00:00Z"))).toEqual([
          ["2026-08-17", "01:00-04:00Z"],
          440_000,
          1_320_000,
        ])
        expect(Option.getOrNull(at("2026-08-17T06:00:00Z"))).toEqual([
          ["2026-08-17", "06:00-10:00Z"],
          440_000,
          1_320_000,
        ])
        expect(Option.getOrNull(at("2026-08-17T10:00:00Z"))).toEqual([["2026-08-17"], 220_000, 660_000])
      }).pipe(Effect.provide(PriceBookTable.layer()), Effect.provide(FileSystem.layerNoop({}))),
  )
})
