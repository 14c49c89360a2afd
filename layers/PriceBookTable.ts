import * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { PriceBook, type PriceBookService } from "../services/PriceBook.js"
import type { Price } from "../src/domain/Cost.js"
import * as Nearest from "../src/domain/Nearest.js"
import { models, PriceFile } from "../src/domain/PriceRow.js"
import * as PriceTable from "../src/domain/PriceTable.js"
import * as ProviderTerms from "../src/domain/ProviderTerms.js"
import * as GenaiPrices from "./GenaiPrices.js"
import * as PriceOverlay from "./PriceOverlay.js"

/** The user's price file cannot be used. `key` is the place in it, empty for the whole file; `message` says what to do. */
export class PriceFileError extends Data.TaggedError("PriceFileError")<{
  readonly path: string
  readonly key: string
  readonly message: string
  readonly cause?: unknown
}> {}

export interface PriceBookTableOptions {
  /**
   * A JSON or YAML file of prices in USD per million tokens; its models go before all others.
   *
   * ```yaml
   * prices:
   *   - model: claude-haiku-4-5      # a whole id; date suffixes of it match too
   *     input: 0.80
   *     output: 4.00
   *     # all further keys may be left out
   *     provider: anthropic          # as the calls name it; absent: anthropic, with its batch and search terms
   *     aliases: [my-haiku]          # other whole names
   *     effective_from: 2026-01-01   # first day, UTC; several rows of one model make its history
   *     cache_read: 0.08             # absent: charged as input
   *     cache_write_5m: 1.00         # absent: charged as input
   *     cache_write_1h: 1.60         # absent: unknown where cache_write_5m is there, else charged as input
   *     audio_input: 4.00            # and audio_cache_read, audio_output, image_input, image_cache_read, image_output;
   *                                  # absent: unknown, unless the provider bills it as text
   *     tiers:                       # rates of the whole call above a prompt size
   *       - { above_prompt_tokens: 200000, input: 1.60, output: 8.00 }
   *     server_tools: { web_search: 10 }      # USD per 1,000 requests
   *     multipliers:                 # of all token rates, by the word that the provider reports
   *       service_tier: { batch: 0.5, priority: 1.25 }
   *       speed: { fast: 6 }
   *       inference_geo: { us: 1.1 }
   *     source: our contract         # for people
   *     read_on: 2026-01-01
   * discounts: { anthropic: 15 }     # percent off what others list, by provider; rows of this file are as they stand
   * ```
   *
   * Before its first `effective_from` a model has the price that it would have without the file. A row has its provider's
   * documented terms (half price in a batch, …) unless it says otherwise. A call that used something whose rate or multiplier
   * is unknown is unpriced, with the reason.
   */
  readonly userFile?: string | undefined
}

const ALIASES: Readonly<Record<string, string>> = {
  sandbox: "anthropic",
  "aws.bedrock": "aws",
  "azure.ai.openai": "azure",
  "azure.ai.inference": "azure",
  "gcp.gemini": "google",
  "gcp.gen_ai": "google",
  "gcp.vertex_ai": "google",
  mistral_ai: "mistral",
  x_ai: "x-ai",
}

const firstIssue = (error: ParseResult.ParseError): { readonly key: string; readonly problem: string } => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return { key: issue?.path.map(String).join(".") ?? "", problem: issue?.message ?? "it is not a price file" }
}

const invalid = (path: string, error: ParseResult.ParseError): PriceFileError => {
  const { key, problem } = firstIssue(error)
  const place = key === "" ? "" : ` at ${key}`
  return new PriceFileError({
    path,
    key,
    message: `The price file ${path} is not valid${place}: ${problem}. Correct it there; a row needs model, input and output (USD per million tokens).`,
    cause: error,
  })
}

const parse = (path: string, text: string): Effect.Effect<unknown, PriceFileError> =>
  Effect.flatMap(
    Effect.promise(() => import("yaml")),
    (yaml) =>
      Effect.try({
        try: (): unknown => yaml.parse(text),
        catch: (cause) =>
          new PriceFileError({
            path,
            key: "",
            message: `The price file ${path} is neither JSON nor YAML: ${cause instanceof Error ? cause.message : String(cause)}. Correct that line.`,
            cause,
          }),
      }),
  )

const readUserFile = Effect.fn("PriceBookTable.readUserFile")(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const text = yield* Effect.mapError(
    fs.readFileString(path),
    (cause) =>
      new PriceFileError({
        path,
        key: "",
        message: `The price file ${path} cannot be read: ${cause.message}. Check the path in RUNLEDGER_PRICES, or unset it.`,
        cause,
      }),
  )
  const raw = yield* parse(path, text)
  const decoded = Schema.decodeUnknownEither(PriceFile, { onExcessProperty: "error" })(raw)
  if (Either.isLeft(decoded)) return yield* invalid(path, decoded.left)
  return { path, file: decoded.right }
})

const noFile = { path: "", file: { prices: [], discounts: {} } }

/** A discount on nothing would be lost in silence. */
const checkDiscounts = (
  path: string,
  discounts: PriceFile["discounts"],
  listed: ReadonlyArray<PriceTable.PricedModel>,
): Effect.Effect<void, PriceFileError> => {
  const providers = new Set(listed.map(({ provider }) => provider))
  const stray = Object.keys(discounts).find((provider) => !providers.has(provider))
  if (stray === undefined) return Effect.void
  const meant = Nearest.nearest(stray, providers)
  return new PriceFileError({
    path,
    key: `discounts.${stray}`,
    message: `The price file ${path} gives a discount on ${stray}, which is no provider with listed prices${meant === undefined ? "." : `; did you mean ${meant}?`} Correct or remove it there.`,
  })
}

const make = Effect.fn("PriceBookTable.make")(function* (options: PriceBookTableOptions) {
  const { path, file } = options.userFile === undefined ? noFile : yield* readUserFile(options.userFile)
  const { PRICES, READ_ON, TERMS, UNPRICED } = PriceOverlay
  const user = ProviderTerms.underTerms(models("user", file.prices), TERMS)
  const overlay = ProviderTerms.underTerms(models("overlay", PRICES), TERMS)
  const wanted = (yield* GenaiPrices.load).filter(
    ({ provider, id }) => provider !== "anthropic" || !UNPRICED.includes(id),
  )
  const kept = ProviderTerms.underTerms(wanted, TERMS)
  yield* checkDiscounts(path, file.discounts, [...overlay, ...kept])
  const sources = [
    ["user", user],
    ["overlay", ProviderTerms.discounted(overlay, file.discounts)],
    ["genai-prices", ProviderTerms.discounted(kept, file.discounts)],
  ] as const
  let rows: PriceBookService["listed"] | undefined
  const service: PriceBookService = {
    unsafePriceOf: remembering(sources.map(([, of]) => PriceTable.make(of))),
    // Only people ask for all of them: making the rows takes as long as all else of a start.
    get listed() {
      rows ??= sources.flatMap(([origin, of]) => PriceTable.listed(origin, of))
      return rows
    },
    unpriced: UNPRICED.map((model) => ({ provider: "anthropic", model })),
    readOn: READ_ON,
  }
  return service
})

interface Remembered {
  readonly price: Option.Option<Price>
  readonly fromMillis: number
  /** Not included. */
  readonly untilMillis: number
}

const look = (
  tables: ReadonlyArray<PriceTable.PriceTable>,
  provider: string,
  model: string,
  atMillis: number,
): Remembered => {
  const name = ALIASES[provider] ?? provider
  let price = Option.none<Price>()
  let untilMillis = Number.POSITIVE_INFINITY
  for (const table of tables) {
    price = PriceTable.find(table, name, model, atMillis)
    untilMillis = Math.min(untilMillis, PriceTable.settledUntil(table, name, model, atMillis))
    if (Option.isSome(price)) break
  }
  return { price, fromMillis: atMillis, untilMillis }
}

const MOST_REMEMBERED = 1000

/** A search by name costs a call more than its price: an answer is kept for as long as it holds. */
const remembering = (tables: ReadonlyArray<PriceTable.PriceTable>): PriceBookService["unsafePriceOf"] => {
  const known = new Map<string, Map<string, Remembered>>()
  let count = 0

  const remember = (provider: string, model: string, answer: Remembered): void => {
    if (count >= MOST_REMEMBERED) {
      known.clear()
      count = 0
    }
    const models = known.get(provider) ?? new Map<string, Remembered>()
    count += models.has(model) ? 0 : 1
    known.set(provider, models.set(model, answer))
  }

  return (provider, model, atMillis) => {
    const before = known.get(provider)?.get(model)
    if (before !== undefined && atMillis >= before.fromMillis && atMillis < before.untilMillis) return before.price
    const answer = look(tables, provider, model, atMillis)
    remember(provider, model, answer)
    return answer.price
  }
}

/**
 * Prices from, in this order: the user's file, the dated overlay, the kept data set; the first that has a price
 * at the instant decides, and a model for which none has one is unpriced. Everything is read and compiled once, when the layer is built (about 150 ms);
 * fails then when the user's file is bad. Sandbox answers are priced as Anthropic's, for the caller to mark simulated.
 */
export const layer = (
  options: PriceBookTableOptions = {},
): Layer.Layer<PriceBook, PriceFileError, FileSystem.FileSystem> => Layer.effect(PriceBook, make(options))

/** {@link layer} with the user's file named by `RUNLEDGER_PRICES`. */
export const layerConfig: Layer.Layer<PriceBook, PriceFileError | ConfigError, FileSystem.FileSystem> =
  Layer.unwrapEffect(
    Effect.map(Config.option(Config.nonEmptyString("RUNLEDGER_PRICES")), (userFile) =>
      layer({ userFile: Option.getOrUndefined(userFile) }),
    ),
  )
