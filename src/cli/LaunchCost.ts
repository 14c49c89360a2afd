import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { PriceBook } from "../../services/PriceBook.js"
import type { Price } from "../domain/Cost.js"
import * as Inventory from "../domain/Inventory.js"
import type { Budgets } from "../domain/RunConfig.js"
import type * as Input from "../pipeline/Input.js"
import * as SourceTree from "../pipeline/SourceTree.js"
import * as Estimate from "./Estimate.js"
import * as Figures from "./Figures.js"
import type { LaunchSettings } from "./LaunchSettings.js"
import { Wiring } from "./Wiring.js"

const PROSE = /\.(?:md|mdx|markdown|rst|txt|adoc)$/i

const priceOf = (settings: LaunchSettings): Effect.Effect<Price | undefined, never, PriceBook> =>
  Effect.gen(function* () {
    const book = yield* PriceBook
    const now = yield* Clock.currentTimeMillis
    return Option.getOrUndefined(book.unsafePriceOf(settings.provider, settings.config.llm.model, now))
  })

const estimateOf = (settings: LaunchSettings, folder: string) =>
  Effect.gen(function* () {
    const { files } = yield* SourceTree.walk(folder)
    const amount = {
      proseBytes: files.filter(({ path }) => PROSE.test(path)).reduce((sum, { bytes }) => sum + bytes, 0),
      hasScripts: files.some(({ path }) => Inventory.isScript(path) && !Inventory.isTest(path)),
      hasManifest: files.some(({ path }) => Inventory.isManifest(path)),
    }
    return Estimate.of(amount, settings.config.enrich, yield* priceOf(settings))
  })

/** The limits in USD that hold for all calls of a launch. */
const caps = (budgets: Budgets) =>
  [
    { key: "budgets.max_cost_usd", usd: budgets.max_cost_usd, over: "" },
    { key: "budgets.max_cost_usd_per_day", usd: budgets.max_cost_usd_per_day, over: " a day" },
    { key: "budgets.max_cost_usd_per_month", usd: budgets.max_cost_usd_per_month, over: " a month" },
  ].flatMap(({ usd, ...cap }) => (usd === undefined ? [] : [{ ...cap, usd }]))

const warnAbove = (budgets: Budgets, nanoUsd: number): Effect.Effect<void> => {
  const [lowest] = caps(budgets).toSorted((one, other) => one.usd - other.usd)
  return lowest === undefined || nanoUsd <= lowest.usd * 1e9
    ? Effect.void
    : Effect.logWarning(
        `The estimate is above ${lowest.key} ($${lowest.usd}): what it leaves no room for comes from templates, and the run ends ` +
          "partial. Raise the limit to have all of it written.",
      )
}

/** Says before a launch what it may cost, where it stops, and whether that is likely to be before its end. */
export const announce = (settings: LaunchSettings, identity: Input.InputIdentity) =>
  Effect.gen(function* () {
    const { budgets } = settings.config
    const cap = `the run stops at ${caps(budgets)
      .map(({ key, over, usd }) => (over === "" ? `$${usd} (${key})` : `$${usd}${over}`))
      .join(", ")}`
    if (identity.source._tag === "Clone") {
      return yield* Effect.logInfo(`Estimate: unknown before the repository is cloned; ${cap}.`)
    }
    const wiring = yield* Wiring
    const estimate = yield* Effect.provide(
      estimateOf(settings, identity.source.folder),
      wiring.prices(settings.pricesFile),
    )
    const blind =
      budgets.unpriced === "refuse" ? "such calls are refused (budgets.unpriced)" : "no limit in USD sees such calls"
    const money =
      estimate.nanoUsd === null
        ? `unpriced (no rate for ${settings.config.llm.model}); ${blind}`
        : `${Figures.dollars(estimate.nanoUsd)}; ${cap}`
    yield* Effect.logInfo(
      `Estimate, from the amount of text: about ${Figures.plural(estimate.calls, "call")}, ${Figures.count(estimate.inputTokens)} tokens in, ${Figures.count(estimate.outputTokens)} out, ${money}.`,
    )
    if (estimate.nanoUsd !== null) yield* warnAbove(budgets, estimate.nanoUsd)
  })

const warningsOf = (settings: LaunchSettings, price: Price | undefined) =>
  Estimate.longestCalls(settings.config, price).flatMap((call) =>
    Estimate.limitsBelow(settings.config, call).map(
      ({ key, limit }) =>
        `${call.what} may get an answer of ${Figures.count(call.tokens)} tokens (${call.key})${call.nanoUsd === null ? "" : `, which alone is ${Figures.dollars(call.nanoUsd)}`}: more than ` +
        `all of ${key} (${limit}), so that no such call will be made. Raise ${key}, or lower ${call.key}.`,
    ),
  )

/** Warns of limits that no call of a kind fits into, however little is spent. */
export const warnOfCalls = (settings: LaunchSettings) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const isReal = settings.provider === "anthropic" || settings.provider === "openai"
    const price = isReal ? yield* Effect.provide(priceOf(settings), wiring.prices(settings.pricesFile)) : undefined
    yield* Effect.forEach(warningsOf(settings, price), (warning) => Effect.logWarning(warning), { discard: true })
  })
