import type { LedgerCostStatus } from "./CallLedger.js"

/** What a launch amounts to. Durations are monotonic milliseconds. */
export interface LaunchReport {
  readonly run_id: string
  /** Absolute. */
  readonly run_dir: string
  /** `partial` when pages that the model should have written came from the template. */
  readonly status: "success" | "partial"
  readonly calls: number
  readonly failed_calls: number
  readonly input_tokens: number
  readonly output_tokens: number
  /** Real money only; simulated money when every call was simulated; null when all that was bought has no known price. */
  readonly cost_usd: number | null
  /** `mixed` when calls of several kinds were made, `none` when no call used a token. */
  readonly cost_status: LedgerCostStatus
  readonly simulated_cost_usd: number
  readonly unpriced_calls: number
  readonly replayed_calls: number
  readonly duration_ms: number
  readonly pages: number
  readonly template_pages: number
}
