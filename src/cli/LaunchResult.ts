import * as posix from "node:path/posix"
import type { RunTreeNode } from "../domain/RunTree.js"
import type { Status } from "../domain/Status.js"
import type { Style } from "./Ansi.js"
import * as Figures from "./Figures.js"
import { status as dressedStatus } from "./RenderTree.js"

/** The last word of a launch. `cost_usd` is null when some of it has no known price. */
export interface LaunchResult {
  readonly run_id: string
  readonly run_dir: string
  readonly status: Status
  readonly calls: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cost_usd: number | null
  /** `none` when no call used a token. */
  readonly cost_status: "priced" | "unpriced" | "simulated" | "replayed" | "none"
  readonly duration_ms: number
  /** Events that the server has not acknowledged. */
  readonly undelivered: number
}

type Money = Pick<LaunchResult, "cost_usd" | "cost_status">

/** One figure for a whole run: unknown beats known, real beats simulated, simulated beats replayed. */
const money = ({ totals }: RunTreeNode): Money => {
  if (totals.unpriced_calls > 0) return { cost_usd: null, cost_status: "unpriced" }
  if (totals.cost_nanousd > 0) return { cost_usd: totals.cost_usd, cost_status: "priced" }
  if (totals.simulated_cost_nanousd > 0) return { cost_usd: totals.simulated_cost_usd, cost_status: "simulated" }
  if (totals.replayed_calls > 0) return { cost_usd: 0, cost_status: "replayed" }
  return { cost_usd: 0, cost_status: totals.total_tokens > 0 ? "priced" : "none" }
}

/** The result that a run's own log tells. */
export const fromTree = (tree: RunTreeNode, runDir: string, undelivered: number): LaunchResult => ({
  run_id: tree.run.run_id,
  run_dir: runDir,
  status: tree.run.status,
  calls: tree.totals.calls,
  input_tokens: tree.totals.input_tokens,
  output_tokens: tree.totals.output_tokens,
  ...money(tree),
  duration_ms: tree.run.duration_ms,
  undelivered,
})

/** What the server lacks, where it is explained, and how to deliver it. */
const undelivered = (style: Style, { undelivered: events, run_dir }: LaunchResult): ReadonlyArray<string> =>
  events === 0
    ? []
    : [
        `  ${style.yellow(`${Figures.plural(events, "event")} undelivered`)}: why is in ${run_dir}/reports/telemetry_unavailable.md`,
        `  deliver  runledger ship ${posix.dirname(run_dir)}`,
      ]

/** The result for a person, and where to look next. */
export const render = (style: Style, result: LaunchResult, tree: RunTreeNode): string =>
  [
    `${style.bold(result.run_id)}  ${dressedStatus(style, result.status)} in ${Figures.duration(result.duration_ms)}`,
    `  ${Figures.plural(result.calls, "call")}, ${Figures.count(result.input_tokens)} tokens in, ${Figures.count(result.output_tokens)} out, cost ${Figures.spending(tree.totals)}`,
    `  drafts   ${result.run_dir}/drafts`,
    `  report   ${result.run_dir}/reports/summary.md`,
    ...undelivered(style, result),
  ].join("\n")
