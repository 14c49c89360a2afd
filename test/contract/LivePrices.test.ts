import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as LivePricesTable from "../../layers/LivePricesTable.js"
import * as NextTurn from "../../layers/NextTurn.js"
import { LivePrices, type LivePricesService, livePrices } from "../../services/LivePrices.js"

const priced = (input: number) => `prices: [{ model: house-model, input: ${input}, output: 1 }]`

const inputOf = ({ unsafeCurrent }: LivePricesService): number | undefined =>
  Option.getOrUndefined(
    Option.map(unsafeCurrent().unsafePriceOf("anthropic", "house-model", 0), ({ rates }) => rates.uncachedInput / 1e6),
  )

const using = <A, E>(
  first: string,
  use: (prices: LivePricesService, write: (text: string) => Effect.Effect<void>) => Effect.Effect<A, E>,
) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = `${yield* fs.makeTempDirectoryScoped()}/prices.yaml`
    const write = (text: string) => Effect.orDie(fs.writeFileString(file, text))
    yield* write(first)
    return yield* Effect.flatMap(LivePrices, (prices) => use(prices, write)).pipe(
      Effect.provide(LivePricesTable.layer(Option.some(file))),
    )
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

describe("LivePrices, kept by LivePricesTable", () => {
  it.effect("other prices are in force than those that were read last", () =>
    using(priced(2), (prices, write) =>
      Effect.gen(function* () {
        expect(inputOf(prices)).toBe(2)
        yield* write(priced(3))
        expect(inputOf(prices)).toBe(2)
        const book = yield* prices.reload
        expect([inputOf(prices), book === prices.unsafeCurrent()]).toEqual([3, true])
      }),
    ),
  )

  it.effect("a file that cannot be used puts out of force what was", () =>
    using(priced(2), (prices, write) =>
      Effect.gen(function* () {
        yield* write("prices: [")
        const error = yield* Effect.flip(prices.reload)
        expect(error).toMatchObject({ _tag: "PricesUnusable", message: expect.stringContaining("prices.yaml") })
        expect(inputOf(prices)).toBe(2)
      }),
    ),
  )

  it.effect("a file that is bad from the start goes unseen", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(using("prices: [", () => Effect.void))
      expect(error).toMatchObject({ _tag: "PricesUnusable" })
    }),
  )

  it.effect("a file that changes is not looked at until somebody asks", () =>
    using(priced(2), (prices, write) =>
      Effect.gen(function* () {
        yield* write(priced(3.5))
        yield* TestClock.adjust("5 seconds")
        yield* Effect.repeat(NextTurn.nextTurn, { until: () => inputOf(prices) === 3.5, times: 100_000 })
        expect(inputOf(prices)).toBe(3.5)
      }),
    ),
  )

  it.effect("makes up prices where nobody gave it any", () =>
    Effect.gen(function* () {
      const none = yield* livePrices
      expect([inputOf(none), none.unsafeCurrent().readOn, (yield* none.reload).listed]).toEqual([undefined, "", []])
    }),
  )
})
