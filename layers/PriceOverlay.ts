import type { PriceRow } from "../src/domain/PriceRow.js"
import type { ProviderTerms } from "../src/domain/ProviderTerms.js"

const SOURCE = "Anthropic's published price list"
/** The day on which the overlay was last compared with the published lists. */
export const READ_ON = "2026-11-23"

const row = (fields: Pick<PriceRow, "model" | "input" | "output"> & Partial<PriceRow>): PriceRow => ({
  provider: "anthropic",
  aliases: [],
  tiers: [],
  source: SOURCE,
  read_on: READ_ON,
  ...fields,
})

/**
 * Models that nobody prices here, by name: their rates are unconfirmed, and a guess would be worse than none. A user's price
 * file can price them.
 */
export const UNPRICED: ReadonlyArray<string> = [
  "claude-fable-5-2",
  "claude-mythos-preview",
  "claude-mythos-5",
  "claude-mythos-5-1",
  "claude-mythos-5-2",
]

/**
 * Rates that the kept data set lacks, or has in a form that is not confirmed. USD per million tokens; each row with where
 * and when it was read.
 */
export const PRICES: ReadonlyArray<PriceRow> = [
  row({
    model: "claude-haiku-5-5",
    input: 0.1,
    output: 0.5,
    cache_write_5m: 0.125,
    cache_write_1h: 0.2,
    cache_read: 0.01,
    tiers: [
      {
        above_prompt_tokens: 100_000,
        input: 0.5,
        output: 2.5,
        cache_write_5m: 0.625,
        cache_write_1h: 1,
        cache_read: 0.05,
      },
    ],
  }),
  row({
    model: "claude-sonnet-5-5",
    input: 2,
    output: 10,
    cache_write_5m: 2.5,
    cache_write_1h: 4,
    cache_read: 0.2,
  }),
  row({
    model: "claude-sonnet-5-5",
    effective_from: "2026-10-07",
    input: 2,
    output: 10,
    cache_write_5m: 2.5,
    cache_write_1h: 4,
    cache_read: 0.1,
  }),
  // The data set has a long-context tier for this model that is unconfirmed: one rate for all prompts until it is.
  row({
    model: "claude-sonnet-4-5",
    aliases: ["claude-sonnet-4.5"],
    input: 3,
    output: 15,
    cache_write_5m: 3.75,
    cache_write_1h: 6,
    cache_read: 0.3,
  }),
]

/**
 * What holds for all models of a provider, whoever states their rates: the multipliers, tools and classes that it documents
 * for every model. What is not here (a priority tier, a fast mode, a batch where cached tokens have terms of their own) has no
 * price that is known, and leaves a call unpriced until a user's file says it.
 */
export const TERMS: ReadonlyArray<ProviderTerms> = [
  {
    provider: "anthropic",
    // Both are of all token classes, cached ones included; neither is of tools.
    multipliers: { service_tier: { batch: 0.5 }, inference_geo: { us: 1.1 } },
    // A fetch costs the tokens that it brings in and no more.
    server_tools: { web_search: 10, web_fetch: 0 },
    asText: [],
    source: SOURCE,
    read_on: READ_ON,
  },
  {
    provider: "openai",
    // A flexible call has the rates of a batch.
    multipliers: { service_tier: { batch: 0.5, flex: 0.5 } },
    asText: ["images"],
    source: "OpenAI's guides to batches, flexible processing and images, as other pages quote them",
    read_on: READ_ON,
  },
  {
    provider: "google",
    asText: ["audio", "images"],
    source:
      "Google's price list of the Gemini API, as the data set carries it: one input price for all that has none of its own",
    read_on: READ_ON,
  },
]
