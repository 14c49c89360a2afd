import type { RunRecord } from "../domain/Run.js"
import type { RunTreeNode } from "../domain/RunTree.js"
import type { Status } from "../domain/Status.js"
import { inert, type Style } from "./Ansi.js"
import * as CallRow from "./CallRow.js"
import * as Figures from "./Figures.js"
import * as Table from "./Table.js"

/** A status in its colour. */
export const status = (style: Style, word: Status): string => {
  switch (word) {
    case "success":
      return style.green(word)
    case "running":
      return style.cyan(word)
    case "partial":
    case "cancelled":
      return style.yellow(word)
    case "failure":
    case "timeout":
      return style.red(word)
  }
}

const nameOf = (run: RunRecord, isRoot: boolean): string => {
  if (isRoot) return run.run_id
  const context = run.context_json
  const worker = context?.["worker"]
  if (run.job_type === "worker" && typeof worker === "string") return worker
  return run.job_type === "llm_call" ? CallRow.fromRun(run).callId : run.run_id
}

const attemptsOf = (call: CallRow.CallRow): string => (call.attempts > 1 ? `${call.attempts} attempts` : "")

const cutTo = (limit: number, text: string): string => (text.length > limit ? `${text.slice(0, limit - 1)}…` : text)

const NOTE = 100

const noteOf = (style: Style, run: RunRecord): string => {
  const call = run.job_type === "llm_call" ? CallRow.fromRun(run) : undefined
  const retried = call === undefined ? "" : attemptsOf(call)
  const error =
    run.status === "success" || run.error_summary === null ? "" : cutTo(NOTE, inert(call?.error ?? run.error_summary))
  return [style.dim(retried), style.red(error)].filter((part) => part !== "").join("  ")
}

interface Line {
  readonly node: RunTreeNode
  readonly prefix: string
}

const isBefore = (left: RunTreeNode, right: RunTreeNode): number =>
  left.run.start_time.localeCompare(right.run.start_time) || left.run.run_id.localeCompare(right.run.run_id)

const lines = (node: RunTreeNode, prefix: string, indent: string): ReadonlyArray<Line> => {
  const children = node.children.toSorted(isBefore)
  return [
    { node, prefix },
    ...children.flatMap((child, index) => {
      const last = index === children.length - 1
      return lines(child, `${indent}${last ? "└─ " : "├─ "}`, `${indent}${last ? "   " : "│  "}`)
    }),
  ]
}

const costOf = (node: RunTreeNode): string => {
  if (node.run.job_type !== "llm_call" || node.children.length > 0) return Figures.spending(node.totals)
  const call = CallRow.fromRun(node.run)
  return Figures.callCost(call.costNanoUsd, call.costStatus)
}

const timeOf = (run: RunRecord): string => {
  const millis = run.job_type === "llm_call" ? CallRow.fromRun(run).latencyMs : run.duration_ms
  return run.status === "running" || millis === null ? "-" : Figures.duration(millis)
}

const cells = (style: Style, { node, prefix }: Line, isRoot: boolean): ReadonlyArray<string> => {
  const name = inert(nameOf(node.run, isRoot))
  return [
    style.dim(prefix) + (isRoot ? style.bold(name) : name),
    status(style, node.run.status),
    // Calls that died or failed before they told anything have used an unknown amount.
    node.totals.total_tokens === 0 ? "-" : Figures.count(node.totals.input_tokens),
    node.totals.total_tokens === 0 ? "-" : Figures.count(node.totals.output_tokens),
    costOf(node),
    timeOf(node.run),
    noteOf(style, node.run),
  ]
}

const columns: ReadonlyArray<Table.Column> = [
  { title: "RUN" },
  { title: "STATUS" },
  { title: "IN", align: "right" },
  { title: "OUT", align: "right" },
  { title: "COST" },
  { title: "TIME", align: "right" },
  { title: "" },
]

/** A run's tree with tokens, cost, latency, status, attempts and errors, one line a row, in order of time. */
export const render = (style: Style, root: RunTreeNode): string => {
  const table = Table.render(
    columns,
    lines(root, "", "").map((line, index) => cells(style, line, index === 0)),
    style.dim,
  )
  const { error_summary, status: ended } = root.run
  const isCut = ended !== "success" && error_summary !== null && error_summary.length > NOTE
  return isCut ? `${table}\n\n${status(style, ended)}: ${inert(error_summary)}` : table
}
