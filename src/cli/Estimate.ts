import type { Price } from "../domain/Cost.js"
import * as Cost from "../domain/Cost.js"
import * as Draft from "../domain/Draft.js"
import type { RunConfig } from "../domain/RunConfig.js"
import * as Usage from "../domain/Usage.js"

/** A launch's cost guessed before anything is asked. Never more than a guess. */
export interface Estimate {
  readonly calls: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Null when the model has no known price. */
  readonly nanoUsd: number | null
}

const BYTES_A_TOKEN = 4
const PROSE_SHARE = 0.6
const TOKENS_A_CLAIM = 35
const CLAIMS_A_BATCH = 20
const BATCH_PROMPT_TOKENS = 700
const ANSWER_TOKENS_A_CLAIM = 90
const PAGES = 8
const PAGE_PROMPT_TOKENS = 1500
const PAGE_SOURCE_TOKENS = 4000
const PAGE_ANSWER_TOKENS = 1500

/** What of a repository tells how much there is to write. */
export interface Amount {
  readonly proseBytes: number
  /** Their exported names have a page of their own. */
  readonly hasScripts: boolean
  /** Tells how the product is installed, which is a page of its own. */
  readonly hasManifest: boolean
}

/**
 * What documenting so much may cost: claims by the amount of prose, one call a batch of claims, one a page.
 * `enrich: false` leaves the batches away.
 */
export const of = (
  { hasManifest, hasScripts, proseBytes }: Amount,
  enrich: boolean,
  price: Price | undefined,
): Estimate => {
  const proseTokens = Math.ceil((proseBytes / BYTES_A_TOKEN) * PROSE_SHARE)
  const claims = Math.ceil(proseTokens / TOKENS_A_CLAIM)
  const batches = enrich && claims >= 10 ? Math.ceil(claims / CLAIMS_A_BATCH) : 0
  const ofProse = Math.max(1, Math.ceil(claims / 8))
  const pages = Math.min(PAGES, ofProse + (hasScripts ? 1 : 0) + (hasManifest ? 1 : 0))
  const batchInput = batches === 0 ? 0 : proseTokens + batches * BATCH_PROMPT_TOKENS
  const inputTokens = batchInput + pages * (PAGE_PROMPT_TOKENS + Math.min(PAGE_SOURCE_TOKENS, proseTokens))
  const outputTokens = (batches === 0 ? 0 : claims * ANSWER_TOKENS_A_CLAIM) + pages * PAGE_ANSWER_TOKENS
  const usage = { ...Usage.none, uncachedInput: inputTokens, output: outputTokens }
  return {
    calls: batches + pages,
    inputTokens,
    outputTokens,
    nanoUsd: price === undefined ? null : Cost.price(usage, price).nanoUsd,
  }
}

/** The longest answer that a kind of call may get, and what it costs then; its prompt comes on top. */
export interface LongestCall {
  readonly what: string
  /** The setting that bounds it. */
  readonly key: string
  readonly worker: "W2.FactsBuilder" | "W5.SectionWriter"
  readonly tokens: number
  /** Null when the model has no known price, or nobody asks money. */
  readonly nanoUsd: number | null
}

/** Of every kind of call that a launch makes. */
export const longestCalls = ({ enrich, llm }: RunConfig, price: Price | undefined): ReadonlyArray<LongestCall> => {
  const costOf = (output: number) => (price === undefined ? null : Cost.price({ ...Usage.none, output }, price).nanoUsd)
  const page = Draft.pageMaxTokens(llm)
  const pageKey = page === llm.page_max_tokens ? "llm.page_max_tokens" : "llm.max_tokens"
  const batch = llm.max_tokens
  return [
    { what: "A page", key: pageKey, worker: "W5.SectionWriter", tokens: page, nanoUsd: costOf(page) },
    ...(enrich
      ? [
          {
            ...{ what: "A batch of claims", key: "llm.max_tokens", worker: "W2.FactsBuilder" as const },
            ...{ tokens: batch, nanoUsd: costOf(batch) },
          },
        ]
      : []),
  ]
}

/** The limits that one such call alone is more than, as they are set. */
export const limitsBelow = (
  { budgets, llm }: RunConfig,
  { nanoUsd, tokens, worker }: LongestCall,
): ReadonlyArray<{ readonly key: string; readonly limit: string }> => {
  const inUsd = [
    ["budgets.max_cost_usd", budgets.max_cost_usd],
    ["budgets.max_cost_usd_per_day", budgets.max_cost_usd_per_day],
    ["budgets.max_cost_usd_per_month", budgets.max_cost_usd_per_month],
    [`budgets.per_worker.${worker}`, budgets.per_worker?.[worker]],
    [`budgets.per_model.${llm.model}`, budgets.per_model?.[llm.model]],
  ] as const
  return [
    ...(budgets.max_tokens !== undefined && tokens > budgets.max_tokens
      ? [{ key: "budgets.max_tokens", limit: String(budgets.max_tokens) }]
      : []),
    ...inUsd.flatMap(([key, usd]) =>
      usd !== undefined && nanoUsd !== null && nanoUsd > usd * 1e9 ? [{ key, limit: `$${usd}` }] : [],
    ),
  ]
}
