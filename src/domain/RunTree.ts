import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { measure } from "./CallMeasure.js"
import { RunRecord } from "./Run.js"
import * as RunGrowth from "./RunGrowth.js"
import { RunTotals } from "./RunTotals.js"

export { MAX_DEPTH } from "./RunGrowth.js"
export { RunTotals } from "./RunTotals.js"

/** A run with what ran inside it, oldest first. */
export interface RunTreeNode {
  readonly run: RunRecord
  readonly totals: RunTotals
  readonly children: ReadonlyArray<RunTreeNode>
}

type Encoded = {
  readonly run: typeof RunRecord.Encoded
  readonly totals: typeof RunTotals.Encoded
  readonly children: ReadonlyArray<Encoded>
}

export const RunTreeNode: Schema.Schema<RunTreeNode, Encoded> = Schema.Struct({
  run: RunRecord,
  totals: RunTotals,
  children: Schema.Array(
    Schema.suspend((): Schema.Schema<RunTreeNode, Encoded> => RunTreeNode).annotations({ identifier: "RunTreeNode" }),
  ),
}).annotations({ identifier: "RunTreeNode" })

type Row = RunGrowth.Member & { readonly record: RunRecord }

const memberOf = (record: RunRecord): Row => {
  const context = record.context_json ?? {}
  const spanNamed = (field: string) => RunGrowth.spanName(context["trace_id"], context[field])
  return {
    id: record.id,
    run_id: record.run_id,
    parent_run_id: record.parent_run_id,
    job_type: record.job_type,
    status: record.status,
    created_at: record.created_at,
    start_time: record.start_time,
    span: spanNamed("span_id"),
    parentSpan: spanNamed("parent_span_id"),
    call: measure(record.metrics_json),
    record,
  }
}

const nodeOf = ({ run, totals, children }: RunGrowth.Branch<Row>): RunTreeNode => ({
  run: run.record,
  totals,
  children: children.map(nodeOf),
})

/** A run's rows as a tree, as {@link RunGrowth.grow} grows it. None when no row has that run id. */
export const build = (rows: ReadonlyArray<RunRecord>, rootRunId: string): Option.Option<RunTreeNode> =>
  Option.map(RunGrowth.grow(rows.map(memberOf), rootRunId), nodeOf)
