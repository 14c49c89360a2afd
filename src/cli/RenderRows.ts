import type { RunRecord } from "../domain/Run.js"
import { inert, type Style } from "./Ansi.js"
import * as CallRow from "./CallRow.js"
import type { Totals } from "./CostGroup.js"
import * as Figures from "./Figures.js"
import { status } from "./RenderTree.js"
import * as Table from "./Table.js"

/** A launch with what its calls add up to. */
export interface RunLine {
  readonly run: RunRecord
  readonly totals: Totals
}

/** Launches, one a line. */
export const runs = (style: Style, rows: ReadonlyArray<RunLine>): string =>
  Table.render(
    [
      { title: "RUN" },
      { title: "STATUS" },
      { title: "PRODUCT" },
      { title: "STARTED" },
      { title: "TIME", align: "right" },
      { title: "CALLS", align: "right" },
      { title: "ERRORS", align: "right" },
      { title: "TOKENS", align: "right" },
      { title: "COST" },
    ],
    rows.map(({ run, totals }) => [
      inert(run.run_id),
      status(style, run.status),
      inert(run.product ?? "-"),
      Figures.instant(run.start_time),
      run.status === "running" ? "-" : Figures.duration(run.duration_ms),
      Figures.count(totals.calls),
      Figures.count(totals.errors),
      // Calls that failed or died before they told anything used an unknown amount.
      totals.calls > 0 && totals.total_tokens === 0 ? "-" : Figures.count(totals.total_tokens),
      Figures.spending(totals),
    ]),
    style.dim,
  )

const cutTo = (limit: number, text: string): string => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text)

/** What to do about calls whose price is not known. */
export const PRICE_THEM =
  "Give their models a row in your price file (runledger prices update FILE), or, where no model is named, the call its context_json.model; then price the calls: runledger reprice"

/** A column of calls; one that is `perhaps` is left out where no call has anything in it. */
interface CallColumn extends Table.Column {
  readonly perhaps?: boolean
  readonly cell: (style: Style, call: CallRow.CallRow) => string
}

const ERROR_SHOWN = 40
const NOTHING = "-"

const orNothing = (value: number | null, shown: (value: number) => string): string =>
  value === null ? NOTHING : shown(value)

const CALL_COLUMNS: ReadonlyArray<CallColumn> = [
  { title: "CALL", cell: (_, call) => inert(call.callId) },
  { title: "STATUS", cell: (style, call) => status(style, call.status) },
  {
    title: "ERROR",
    perhaps: true,
    cell: (style, call) =>
      call.status === "success" || call.error === null ? NOTHING : style.red(cutTo(ERROR_SHOWN, inert(call.error))),
  },
  { title: "MODEL", cell: (_, call) => inert(CallRow.modelOf(call)) },
  { title: "IN", align: "right", cell: (_, call) => orNothing(call.inputTokens, Figures.count) },
  { title: "OUT", align: "right", cell: (_, call) => orNothing(call.outputTokens, Figures.count) },
  { title: "COST", cell: (_, call) => Figures.callCost(call.costNanoUsd, call.costStatus) },
  {
    title: "LATENCY",
    align: "right",
    cell: (_, call) => (call.status === "running" ? NOTHING : orNothing(call.latencyMs, Figures.duration)),
  },
  {
    title: "OF MODEL",
    align: "right",
    perhaps: true,
    cell: (_, call) => orNothing(call.modelLatencyMs, Figures.duration),
  },
  {
    title: "FIRST TOKEN",
    align: "right",
    perhaps: true,
    cell: (_, call) => orNothing(call.firstTokenMs, Figures.duration),
  },
  {
    title: "TOKENS/S",
    align: "right",
    perhaps: true,
    cell: (_, call) => orNothing(call.outputTokensPerSecond, (speed) => Figures.count(Math.round(speed))),
  },
  {
    title: "ATTEMPTS",
    align: "right",
    perhaps: true,
    cell: (_, call) => (call.attempts === 0 ? NOTHING : Figures.count(call.attempts)),
  },
]

const RUN_COLUMN: CallColumn = { title: "RUN", cell: (_, call) => inert(CallRow.launchOf(call)) }

/** Calls, one a line. The run of all of them is said once above; of several runs each line says its own, last. */
export const calls = (style: Style, rows: ReadonlyArray<CallRow.CallRow>): string => {
  const launches = new Set(rows.map(CallRow.launchOf))
  const columns = (launches.size > 1 ? [...CALL_COLUMNS, RUN_COLUMN] : CALL_COLUMNS)
    .map((column) => ({ column, cells: rows.map((call) => column.cell(style, call)) }))
    .filter(({ column, cells }) => column.perhaps !== true || cells.some((cell) => cell !== NOTHING))
  const table = Table.render(
    columns.map(({ column }) => column),
    rows.map((_, index) => columns.map(({ cells }) => cells[index] ?? "")),
    style.dim,
  )
  const [launch] = launches
  return launches.size === 1 && launch !== undefined ? `${style.dim("run")} ${inert(launch)}\n${table}` : table
}
