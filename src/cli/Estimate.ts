import type { Price } from "../domain/Cost.js"
import * as Cost from "../domain/Cost.js"
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

/**
 * What documenting so many bytes of prose may cost: claims by the amount of text, one call a batch of claims, one a page.
 * `enrich: false` leaves the batches away.
 */
export const ofProse = (bytes: number, enrich: boolean, price: Price | undefined): Estimate => {
  const proseTokens = Math.ceil((bytes / BYTES_A_TOKEN) * PROSE_SHARE)
  const claims = Math.ceil(proseTokens / TOKENS_A_CLAIM)
  const batches = enrich && claims >= 10 ? Math.ceil(claims / CLAIMS_A_BATCH) : 0
  const pages = Math.min(PAGES, Math.max(1, Math.ceil(claims / 8)))
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
