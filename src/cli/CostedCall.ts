import * as Either from "effect/Either"
import { answeredModel } from "../domain/AnsweredModel.js"
import * as CacheSavings from "../domain/CacheSavings.js"
import { isError, measure } from "../domain/CallMeasure.js"
import { billedAttempts, type CallPart, type PricedCall, paid, partsOf } from "../domain/CallParts.js"
import type { PriceOf } from "../domain/CallPricing.js"
import type { CallRecord } from "../domain/CallRecord.js"
import type { CostStatus } from "../domain/Cost.js"
import { ofCall, type RunTotals } from "../domain/RunTotals.js"
import { parseMillis } from "../domain/Timestamp.js"

/** What commands about money want to know of one call that bears its own cost. Null is what the row does not tell. */
export interface CostedCall {
  readonly eventId: string
  readonly runId: string
  readonly callId: string
  /** The run that made the call; the call's own where it names none. */
  readonly launch: string
  readonly startTime: string
  /** What was asked for. */
  readonly model: string | null
  /** Whose tokens and price they are: another model than the one that was asked where a fallback answered. */
  readonly answeredBy: string | null
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
  /** What its money is for, request by request; none where that is not told. */
  readonly parts: ReadonlyArray<CallPart>
  readonly savings: CacheSavings.CacheSavings
}

type Json = Readonly<Record<string, unknown>>

const text = (json: Json, key: string): string | null => {
  const value = Object.hasOwn(json, key) ? json[key] : undefined
  return typeof value === "string" && value !== "" ? value : null
}

/** When a call was priced: at its beginning; by clients of earlier versions at its end. */
const pricedAt = (call: CallRecord): ReadonlyArray<number> => {
  const start = parseMillis(call.start_time)
  return start === undefined ? [] : [start, start + call.duration_ms]
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
    attempts: billedAttempts(context["attempts"]),
    metrics,
  }
  return {
    eventId: call.event_id,
    runId: call.run_id,
    callId: text(context, "call_id") ?? call.run_id,
    launch: call.parent_run_id ?? call.run_id,
    startTime: call.start_time,
    model: priced.model,
    answeredBy: answeredModel(priced.model, priced.responseModel),
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
    parts: Either.match(partsOf(priced), { onLeft: () => [], onRight: paid }),
    savings: CacheSavings.of(priced, priceOf, pricedAt(call)),
  }
}
