import type { PriceRow } from "../src/domain/PriceRow.js"

const SOURCE = "Anthropic's published price list"
const READ_ON = "2026-11-23"

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
