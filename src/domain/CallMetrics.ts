import type { CostBreakdown, CostStatus } from "./Cost.js"
import { toUsd } from "./Cost.js"
import { type Json, withoutUndefined } from "./JsonRecord.js"
import type { UsageSource, UsageWire } from "./Usage.js"

interface CostFields {
  readonly api_cost_usd?: number | null | undefined
  readonly cost_nanousd?: number | null | undefined
  readonly cost_status?: CostStatus | undefined
  readonly cost_breakdown?: CostBreakdown | null | undefined
  readonly unpriced_reason?: string | undefined
  readonly price_id?: string | null | undefined
  readonly price_effective_from?: string | null | undefined
  readonly usage_source?: UsageSource | undefined
}

/** What a call cost, as it stands in its row's `metrics_json`. */
export const costMetrics = (payload: CostFields): Json => {
  const nano = payload.cost_nanousd ?? null
  return withoutUndefined({
    api_cost_usd: nano === null ? (payload.api_cost_usd ?? null) : toUsd(nano),
    cost_nanousd: nano,
    cost_status: payload.cost_status ?? "unpriced",
    cost_breakdown: payload.cost_breakdown ?? undefined,
    unpriced_reason: payload.unpriced_reason,
    price_id: payload.price_id ?? undefined,
    price_effective_from: payload.price_effective_from ?? undefined,
    usage_source: payload.usage_source,
  })
}

/** What a call used, as it stands there. */
export const usageMetrics = (usage: UsageWire): Json =>
  withoutUndefined({ ...usage, prompt_tokens: usage.input_tokens, completion_tokens: usage.output_tokens })
