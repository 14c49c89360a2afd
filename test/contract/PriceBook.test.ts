import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as GenaiPrices from "../../layers/GenaiPrices.js"
import * as PriceBookFound from "../../layers/PriceBookFound.js"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import * as PriceOverlay from "../../layers/PriceOverlay.js"
import { PriceBook } from "../../services/PriceBook.js"
import * as Cost from "../../src/domain/Cost.js"
import * as Usage from "../../src/domain/Usage.js"

const NOW = Date.parse("2026-11-20T12:00:00Z")

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

const listed = PriceBookTable.layer()

const withFile = <A, E>(name: string, text: string, program: Effect.Effect<A, E, PriceBook>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const file = path.join(yield* fs.makeTempDirectoryScoped(), name)
    yield* fs.writeFileString(file, text)
    return yield* Effect.provide(program, PriceBookTable.layer({ userFile: file }))
  })

const require = createRequire(import.meta.url)

/** Every model id in the installed SDK's type. */
const sdkModels = (): ReadonlyArray<string> => {
  const types = require.resolve("@anthropic-ai/sdk/resources/messages/messages").replace(/\.js$/, ".d.ts")
  const union = /export type Model = ([^;]+);/.exec(readFileSync(types, "utf8"))?.[1] ?? ""
  return [...union.matchAll(/'([^']+)'/g)].map((match) => match[1] ?? "")
}

it.layer(NodeContext.layer)("PriceBookTable", (it) => {
  it.effect("a price does not depend on what was asked before, nor in which order", () => {
    const instants = ["2024-03-01", "2026-10-06", "2026-10-07", "2026-11-20", "2027-01-01"].map((day) =>
      Date.parse(day),
    )
    const asked = [...sdkModels(), "claude-sonnet-5-5-20260901", "deepseek-chat", "nobody-knows"].flatMap((model) =>
      instants.flatMap((at) => [at, at + 40_000_000].map((one) => ({ model, at: one }))),
    )
    const answersOf = (questions: typeof asked) =>
      Effect.map(PriceBook, ({ unsafePriceOf }) =>
        questions.map(({ model, at }) =>
          unsafePriceOf(model.startsWith("deepseek") ? "deepseek" : "anthropic", model, at),
        ),
      ).pipe(Effect.provide(PriceBookTable.layer()))
    return Effect.gen(function* () {
      const forwards = yield* answersOf([...asked, ...asked])
      const backwards = yield* answersOf(asked.toReversed())
      expect(forwards.slice(0, asked.length)).toEqual(backwards.toReversed())
      expect(forwards.slice(asked.length)).toEqual(backwards.toReversed())
      expect(forwards.filter(Option.isSome).length).toBeGreaterThan(asked.length)
    })
  })

  it.effect("T01 Sonnet 4.5 at 1500 / 3000 tokens costs 0.0495 USD", () =>
    Effect.gen(function* () {
      expect(usd(yield* costOf("claude-sonnet-4-5", usage(1500, 3000)))).toBe(0.0495)
    }).pipe(Effect.provide(listed)),
  )

  it.effect("T02 Opus 4 at 1000 / 2000 tokens costs 0.165 USD, without float dust", () =>
    Effect.gen(function* () {
      for (const model of ["claude-opus-4-0", "claude-opus-4", "claude-opus-4-20250514", "claude-opus-4-1"]) {
        expect(usd(yield* costOf(model, usage(1000, 2000))), model).toBe(0.165)
      }
    }).pipe(Effect.provide(listed)),
  )

  it.scoped("T03 Haiku 4.5 at 5000 / 10000 tokens costs 0.055 USD, and 0.044 by a user's price file", () =>
    Effect.gen(function* () {
      const program = costOf("claude-haiku-4-5", usage(5000, 10_000))
      expect(usd(yield* Effect.provide(program, listed))).toBe(0.055)
      const yaml = "prices:\n  - model: claude-haiku-4-5\n    input: 0.80\n    output: 4.00\n"
      const json = JSON.stringify({ prices: [{ model: "claude-haiku-4-5", input: 0.8, output: 4 }] })
      for (const [name, text] of [
        ["prices.yaml", yaml],
        ["prices.json", json],
      ] as const) {
        const cost = yield* withFile(name, text, program)
        expect(usd(cost), name).toBe(0.044)
        expect(cost.priceId).toBe("user:anthropic/claude-haiku-4-5")
        const dated = yield* withFile(name, text, costOf("claude-haiku-4-5-20251001", usage(5000, 10_000)))
        expect(usd(dated), name).toBe(0.044)
      }
    }),
  )

  it.effect("T04 an unknown model, or a sibling of a known one, is unpriced and never 0", () =>
    Effect.gen(function* () {
      for (const model of ["gpt-unheard-of", "claude-fable-5-2", "claude-haiku-9", "claude-sonnet-5-9", "", "claude"]) {
        expect(yield* costOf(model, usage(10, 10)), model).toMatchObject({ status: "unpriced", nanoUsd: null })
      }
      expect(yield* costOf("claude-sonnet-4-5", usage(1, 1), NOW, "nobody")).toEqual(Cost.unpriced)
    }).pipe(Effect.provide(listed)),
  )

  it.effect("T05 no tokens of a known model cost exactly 0, and are priced", () =>
    Effect.gen(function* () {
      expect(yield* costOf("claude-sonnet-4-5", usage(0, 0))).toMatchObject({ status: "priced", nanoUsd: 0 })
    }).pipe(Effect.provide(listed)),
  )

  it.effect("every model id of the installed SDK is priced, or listed as unpriced by name", () =>
    Effect.gen(function* () {
      const book = yield* PriceBook
      const models = sdkModels()
      expect(models.length).toBeGreaterThan(15)
      const unpricedOf = (ids: ReadonlyArray<string>) =>
        ids.filter((model) => Option.isNone(book.unsafePriceOf("anthropic", model, NOW)))
      const unpriced = unpricedOf(models)
      expect([...unpriced].sort()).toEqual(models.filter((model) => PriceOverlay.UNPRICED.includes(model)).sort())
      expect(unpricedOf(["claude-sonnet-6", "claude-opus-5-6", "claude-haiku-5-5-preview"])).toHaveLength(3)
      expect(book.unpriced).toEqual(PriceOverlay.UNPRICED.map((model) => ({ provider: "anthropic", model })))
      for (const { provider, model } of book.unpriced)
        expect(Option.isNone(book.unsafePriceOf(provider, model, NOW)), model).toBe(true)
    }).pipe(Effect.provide(listed)),
  )

  it.effect("rates are those of the published list, cache classes included", () =>
    Effect.gen(function* () {
      const book = yield* PriceBook
      const list: ReadonlyArray<readonly [string, ReadonlyArray<number>]> = [
        ["claude-3-5-haiku-20241022", [0.8, 4, 1, 1.6, 0.08]],
        ["claude-haiku-4-5", [1, 5, 1.25, 2, 0.1]],
        ["claude-haiku-5-5", [0.1, 0.5, 0.125, 0.2, 0.01]],
        ["claude-sonnet-4-20250514", [3, 15, 3.75, 6, 0.3]],
        ["claude-sonnet-4-5-20250929", [3, 15, 3.75, 6, 0.3]],
        ["claude-sonnet-4-6", [3, 15, 3.75, 6, 0.3]],
        ["claude-sonnet-5", [2, 10, 2.5, 4, 0.2]],
        ["claude-sonnet-5-5", [2, 10, 2.5, 4, 0.1]],
        ["claude-opus-4-1", [15, 75, 18.75, 30, 1.5]],
        ["claude-opus-4-5", [5, 25, 6.25, 10, 0.5]],
        ["claude-opus-5", [5, 25, 6.25, 10, 0.5]],
        ["claude-opus-5-5", [4, 20, 5, 8, 0.2]],
        ["claude-fable-5", [10, 50, 12.5, 20, 1]],
        ["claude-fable-5-1", [10, 50, 12.5, 20, 0.25]],
      ]
      for (const [model, expected] of list) {
        const rates = Option.map(book.unsafePriceOf("anthropic", model, NOW), ({ rates: at }) =>
          [at.uncachedInput, at.output, at.cacheWrite5m, at.cacheWrite1h, at.cacheRead].map(
            (pico) => (pico ?? Number.NaN) / 1e6,
          ),
        )
        expect(rates, model).toEqual(Option.some(expected))
      }
    }).pipe(Effect.provide(listed)),
  )

  it.effect("history keeps its price: each call is priced at its own instant", () =>
    Effect.gen(function* () {
      const read = { ...Usage.none, cacheRead: 1_000_000 }
      const before = Date.parse("2026-10-06T23:59:59.999Z")
      expect(usd(yield* costOf("claude-sonnet-5-5", read, before))).toBe(0.2)
      expect(usd(yield* costOf("claude-sonnet-5-5", read, before + 1))).toBe(0.1)
      const long = usage(300_000, 0)
      expect(usd(yield* costOf("claude-opus-4-6", long, Date.parse("2026-03-12T23:59:59Z")))).toBe(3)
      expect(yield* costOf("claude-opus-4-6", long, Date.parse("2026-03-13T00:00:00Z"))).toMatchObject({
        nanoUsd: 1_500_000_000,
        effectiveFrom: "2026-03-13",
      })
    }).pipe(Effect.provide(listed)),
  )

  it.effect("tiers hold from above their threshold for the whole call, and an unconfirmed tier is not applied", () =>
    Effect.gen(function* () {
      expect(usd(yield* costOf("claude-haiku-5-5", usage(100_000, 1000)))).toBe(0.0105)
      expect(usd(yield* costOf("claude-haiku-5-5", usage(100_001, 1000)))).toBe(0.0525005)
      expect(usd(yield* costOf("claude-sonnet-4-5", usage(300_000, 0)))).toBe(0.9)
    }).pipe(Effect.provide(listed)),
  )

  it.effect("the sandbox is priced as Anthropic, and other providers by their own lists", () =>
    Effect.gen(function* () {
      expect(usd(yield* costOf("claude-sonnet-4-5", usage(1500, 3000), NOW, "sandbox"))).toBe(0.0495)
      expect(usd(yield* costOf("gpt-4o", usage(1_000_000, 0), NOW, "openai"))).toBe(2.5)
      expect(yield* costOf("gpt-4o", usage(1, 0), NOW, "anthropic")).toEqual(Cost.unpriced)
    }).pipe(Effect.provide(listed)),
  )

  it.scoped("a bad price file is refused with the file, the place in it, and what to do", () =>
    Effect.gen(function* () {
      const bad: ReadonlyArray<readonly [string, string, RegExp]> = [
        ["prices:\n  - model: m\n    input: -1\n    output: 2\n", "prices.0.input", /non-negative/],
        ["prices:\n  - model: m\n    output: 2\n", "prices.0.input", /missing/],
        ["prices:\n  - model: m\n    input: 1\n    output: 2\n    inputt: 3\n", "prices.0.inputt", /unexpected/],
        ["prices:\n  - model: m\n    input: 0.12345678\n    output: 2\n", "prices.0.input", /six decimals/],
        [
          "prices:\n  - model: m\n    input: 1\n    output: 2\n    effective_from: 2026-02-30\n",
          "prices.0.effective_from",
          /not a day/,
        ],
        ["prices: [", "", /neither JSON nor YAML/],
        ["just words", "", /not valid/],
      ]
      for (const [text, key, problem] of bad) {
        const error = yield* Effect.flip(withFile("bad.yaml", text, Effect.asVoid(PriceBook)))
        expect(error).toMatchObject({ _tag: "PriceFileError", key, path: expect.stringMatching(/bad\.yaml$/) })
        expect(error.message).toMatch(problem)
        expect(error.message).toContain("bad.yaml")
      }
      const missing = yield* Effect.flip(
        Effect.provide(PriceBook, PriceBookTable.layer({ userFile: "/nowhere/prices.yaml" })),
      )
      expect(missing.message).toContain("RUNLEDGER_PRICES")
    }),
  )

  it.scoped("RUNLEDGER_PRICES names the user's file", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = yield* fs.makeTempFileScoped()
      yield* fs.writeFileString(file, "prices: [{ model: house-model, input: 1, output: 1 }]")
      const cost = yield* costOf("house-model", usage(1_000_000, 0)).pipe(
        Effect.provide(PriceBookTable.layerConfig),
        Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["RUNLEDGER_PRICES", file]]))),
      )
      expect(usd(cost)).toBe(1)
    }),
  )

  it.scoped("without a name the file beside the database is the user's, when it is there; a name goes before it", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const folder = yield* fs.makeTempDirectoryScoped()
      const named = `${folder}/named.yaml`
      const costFrom = (file: Option.Option<string>) =>
        costOf("house-model", usage(1_000_000, 0)).pipe(
          Effect.provide(PriceBookFound.layer(file)),
          Effect.withConfigProvider(
            ConfigProvider.fromMap(new Map([["TELEMETRY_DB_PATH", `${folder}/telemetry.sqlite`]])),
          ),
        )
      expect((yield* costFrom(Option.none())).status).toBe("unpriced")
      yield* fs.writeFileString(`${folder}/prices.yaml`, "prices: [{ model: house-model, input: 2, output: 1 }]")
      yield* fs.writeFileString(named, "prices: [{ model: house-model, input: 3, output: 1 }]")
      expect(usd(yield* costFrom(Option.none()))).toBe(2)
      expect(usd(yield* costFrom(Option.some(named)))).toBe(3)
      expect(yield* Effect.flip(costFrom(Option.some(`${folder}/gone.yaml`)))).toMatchObject({ _tag: "PriceFileError" })
    }),
  )
})

describe("GenaiPrices", () => {
  it("names the version of the data set that is installed, so that a price's provenance is true", () => {
    const main = require.resolve("@pydantic/genai-prices")
    const manifest: unknown = JSON.parse(readFileSync(main.replace(/dist[/\\][^/\\]+$/, "package.json"), "utf8"))
    expect(GenaiPrices.ORIGIN).toBe(
      `genai-prices-${String(typeof manifest === "object" && manifest !== null && "version" in manifest ? manifest.version : "")}`,
    )
  })
})
