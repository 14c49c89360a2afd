import type * as Option from "effect/Option"
import * as CacheSavings from "../domain/CacheSavings.js"
import { isError, measure } from "../domain/CallMeasure.js"
import type { PricedCall, PriceOf } from "../domain/CallPricing.js"
import type { CallRecord } from "../domain/CallRecord.js"
import { usageOf } from "../domain/CallUsage.js"
import type { CostStatus } from "../domain/Cost.js"
import { ofCall, type RunTotals } from "../domain/RunTotals.js"
import { parseMillis } from "../domain/Timestamp.js"
import type { Usage } from "../domain/UsageClasses.js"

/** What commands about money want to know of one call that bears its own cost. Null is what the row does not tell. */
export interface CostedCall {
  readonly eventId: string
  readonly runId: string
  readonly callId: string
  /** The run that made the call; the call's own where it names none. */
  readonly launch: string
  readonly startTime: string
  readonly model: string | null
  readonly provider: string | null
  readonly worker: string | null
  readonly repo: string | null
  readonly branch: string | null
  readonly commit: string | null
  readonly promptHash: string | null
  readonly answered: boolean
  readonly failed: boolean
  readonly costStatus: CostStatus | null
  /** Nano-dollars. */
  readonly nanoUsd: number | null
  readonly totals: RunTotals
  readonly usage: Option.Option<Usage>
  readonly savings: CacheSavings.CacheSavings
}

type Json = Readonly<Record<string, unknown>>

const text = (json: Json, key: string): string | null => {
  const value = Object.hasOwn(json, key) ? json[key] : undefined
  return typeof value === "string" && value !== "" ? value : null
}

/** When a call was priced: the client does it at the call's end, a repricing at its beginning. */
const pricedAt = (call: CallRecord): ReadonlyArray<number> => {
  const start = parseMillis(call.start_time)
  return start === undefined ? [] : [start + call.duration_ms, start]
}

/** Reads a call. `priceOf` tells what plain input would have cost at the time. */
export const of = (call: CallRecord, priceOf: PriceOf): CostedCall => {
  const metrics = call.metrics_json ?? {}
  const context = call.context_json ?? {}
  const measured = measure(call.metrics_json)
  const priced: PricedCall = {
    provider: text(context, "provider"),
    model: text(context, "model"),
    responseModel: text(context, "response_model"),
    metrics,
  }
  return {
    eventId: call.event_id,
    runId: call.run_id,
    callId: text(context, "call_id") ?? call.run_id,
    launch: call.parent_run_id ?? call.run_id,
    startTime: call.start_time,
    model: priced.model,
    provider: priced.provider,
    worker: text(context, "worker"),
    repo: call.git_repo,
    branch: call.git_branch,
    commit: call.git_commit_hash,
    promptHash: text(context, "prompt_hash"),
    answered: call.status === "success",
    failed: isError(call.status),
    costStatus: measured.cost_status,
    nanoUsd: measured.cost_nanousd,
    totals: ofCall(measured, call.status),
    usage: usageOf(metrics),
    savings: CacheSavings.of(priced, priceOf, pricedAt(call)),
  }
}
