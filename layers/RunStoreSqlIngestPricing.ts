import { CALL_JOB_TYPE } from "../src/domain/CallMeasure.js"
import * as CallPricing from "../src/domain/CallPricing.js"
import * as PricedCall from "./RunStoreSqlPricedCall.js"
import { assign, type Cell, type Cells, placeOf } from "./RunStoreSqlRows.js"

const JOB_TYPE = placeOf("job_type")
const METRICS = placeOf("metrics_json")
const COST_STATUS = placeOf("cost_status")
const MARK = '"priced_by":'

/** What a row becomes when a client writes it: `before` is the row as it stood, null for a new one. */
export type IngestPricing = (before: Cells | null, next: Array<Cell>) => Array<Cell>

/** The metrics that stood there, when somebody else than the client put their cost there. */
const markedMetrics = (before: Cells | null): Readonly<Record<string, unknown>> | null => {
  const text = PricedCall.textOf(before?.[METRICS])
  return text?.includes(MARK) === true ? JSON.parse(text) : null
}

const withKept = (before: Cells | null, next: Array<Cell>): Array<Cell> => {
  const marked = markedMetrics(before)
  const incoming = marked === null ? null : PricedCall.of(next)?.metrics
  if (marked === null || incoming === null || incoming === undefined) return next
  const metrics = CallPricing.received(marked, incoming)
  return metrics === incoming ? next : assign(next, { metrics_json: metrics })
}

/**
 * Calls that come with tokens and without a word about their cost get the price that was in force when they began; the others
 * pay a comparison for it. What a repricing, or the server before, has put there stays when a client tells the same tokens again.
 */
export const make =
  (priceOf: CallPricing.PriceOf | undefined): IngestPricing =>
  (before, next) => {
    if (next[JOB_TYPE] !== CALL_JOB_TYPE) return next
    const kept = before === null || before[METRICS] === next[METRICS] ? next : withKept(before, next)
    if (priceOf === undefined || kept[COST_STATUS] !== "unpriced") return kept
    const call = PricedCall.of(kept)
    const metrics = call === null ? null : CallPricing.pricedAtIngest(call, priceOf, PricedCall.startOf(kept))
    return metrics === null ? kept : assign(kept, { metrics_json: metrics })
  }
