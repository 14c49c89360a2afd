import { billedAttempts, type PricedCall } from "../src/domain/CallParts.js"
import { parseMillis } from "../src/domain/Timestamp.js"
import { type Cell, type Cells, placeOf } from "./RunStoreSqlRows.js"

/** The columns that say what decides the price of a row's call. */
export const COLUMNS = ["metrics_json", "context_json", "model", "provider"]

const METRICS = placeOf("metrics_json")
const CONTEXT = placeOf("context_json")
const MODEL = placeOf("model")
const PROVIDER = placeOf("provider")
const START = placeOf("start_time")

/** A cell that holds a text. */
export const textOf = (cell: Cell | undefined): string | null => (typeof cell === "string" ? cell : null)

/** Texts of a context without which it tells nothing more than the columns do. */
const TELLING = ['"response_model"', '"token_usage"', '"bodies_pruned"']

type FromContext = Pick<PricedCall, "attempts" | "isEmptied" | "responseModel">

const SILENT: FromContext = { responseModel: null, attempts: [] }

const fromContext = (context: string | null): FromContext => {
  if (context === null || !TELLING.some((text) => context.includes(text))) return SILENT
  const parsed: Readonly<Record<string, unknown>> = JSON.parse(context)
  const own = (name: string) => (Object.hasOwn(parsed, name) ? parsed[name] : undefined)
  const model = own("response_model")
  return {
    responseModel: typeof model === "string" && model !== "" ? model : null,
    attempts: billedAttempts(own("attempts")),
    isEmptied: own("bodies_pruned") === true && model === undefined,
  }
}

/** The call of a row, as far as its price goes; null when the row has no metrics. */
export const of = (cells: Cells): PricedCall | null => {
  const metrics = textOf(cells[METRICS])
  if (metrics === null) return null
  return {
    provider: textOf(cells[PROVIDER]),
    model: textOf(cells[MODEL]),
    ...fromContext(textOf(cells[CONTEXT])),
    metrics: JSON.parse(metrics),
  }
}

/** When the call of a row began, epoch ms. */
export const startOf = (cells: Cells): number => parseMillis(textOf(cells[START]) ?? "") ?? 0
