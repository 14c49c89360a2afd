import type { PricedCall } from "../src/domain/CallPricing.js"
import { parseMillis } from "../src/domain/Timestamp.js"
import { type Cell, type Cells, placeOf } from "./RunStoreSqlRows.js"

const METRICS = placeOf("metrics_json")
const CONTEXT = placeOf("context_json")
const MODEL = placeOf("model")
const PROVIDER = placeOf("provider")
const START = placeOf("start_time")

/** A cell that holds a text. */
export const textOf = (cell: Cell | undefined): string | null => (typeof cell === "string" ? cell : null)

const responseModelOf = (context: string | null): string | null => {
  if (context === null || !context.includes('"response_model"')) return null
  const parsed: Readonly<Record<string, unknown>> = JSON.parse(context)
  const model = Object.hasOwn(parsed, "response_model") ? parsed["response_model"] : null
  return typeof model === "string" && model !== "" ? model : null
}

/** The call of a row, as far as its price goes; null when the row has no metrics. */
export const of = (cells: Cells): PricedCall | null => {
  const metrics = textOf(cells[METRICS])
  if (metrics === null) return null
  return {
    provider: textOf(cells[PROVIDER]),
    model: textOf(cells[MODEL]),
    responseModel: responseModelOf(textOf(cells[CONTEXT])),
    metrics: JSON.parse(metrics),
  }
}

/** When the call of a row began, epoch ms. */
export const startOf = (cells: Cells): number => parseMillis(textOf(cells[START]) ?? "") ?? 0
