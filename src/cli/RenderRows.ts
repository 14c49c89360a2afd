import type { RunRecord } from "../domain/Run.js"
import { inert, type Style } from "./Ansi.js"
import type { CallRow } from "./CallRow.js"
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
      Figures.count(totals.total_tokens),
      Figures.spending(totals),
    ]),
    style.dim,
  )

const cutTo = (limit: number, text: string): string => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text)

/** What to do about calls whose price is not known. */
export const PRICE_THEM =
  "Give their models a row in your price file (runledger prices update FILE), then price the calls: runledger reprice"

/** Calls, one a line. */
export const calls = (style: Style, rows: ReadonlyArray<CallRow>): string =>
  Table.render(
    [
      { title: "CALL" },
      { title: "RUN" },
      { title: "STATUS" },
      { title: "MODEL" },
      { title: "IN", align: "right" },
      { title: "OUT", align: "right" },
      { title: "COST" },
      { title: "LATENCY", align: "right" },
      { title: "OF MODEL", align: "right" },
      { title: "FIRST TOKEN", align: "right" },
      { title: "TOKENS/S", align: "right" },
      { title: "ATTEMPTS", align: "right" },
      { title: "" },
    ],
    rows.map((call) => [
      inert(call.callId),
      inert(call.parentRunId ?? "-"),
      status(style, call.status),
      inert(call.model ?? "-"),
      Figures.count(call.inputTokens),
      Figures.count(call.outputTokens),
      Figures.callCost(call.costNanoUsd, call.costStatus),
      call.status === "running" ? "-" : Figures.duration(call.latencyMs),
      call.modelLatencyMs === null ? "-" : Figures.duration(call.modelLatencyMs),
      call.firstTokenMs === null ? "-" : Figures.duration(call.firstTokenMs),
      call.outputTokensPerSecond === null ? "-" : Figures.count(Math.round(call.outputTokensPerSecond)),
      call.attempts === 0 ? "-" : Figures.count(call.attempts),
      call.status === "success" ? "" : style.red(cutTo(100, inert(call.error ?? ""))),
    ]),
    style.dim,
  )
