import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { measure } from "./CallMeasure.js"
import * as Leaves from "./Leaves.js"
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

const memberOf = (record: RunRecord, placed: Leaves.Placed, bears: boolean): Row => ({
  ...placed,
  id: record.id,
  status: record.status,
  created_at: record.created_at,
  start_time: record.start_time,
  bears,
  call: measure(record.metrics_json),
  record,
})

const nodeOf = ({ run, totals, children }: RunGrowth.Branch<Row>): RunTreeNode => ({
  run: run.record,
  totals,
  children: children.map(nodeOf),
})

/**
 * A run's rows as a tree, as {@link RunGrowth.grow} grows it. `bears` tells the leaves; without it they are told by these
 * rows alone. None when no row has that run id.
 */
export const build = (
  rows: ReadonlyArray<RunRecord>,
  rootRunId: string,
  bears?: (row: Leaves.Placed) => boolean,
): Option.Option<RunTreeNode> => {
  const placed = rows.map(Leaves.placed)
  const isLeaf = bears ?? Leaves.among(placed)
  const members = rows.flatMap((record, index) => {
    const place = placed[index]
    return place === undefined ? [] : [memberOf(record, place, isLeaf(place))]
  })
  return Option.map(RunGrowth.grow(members, rootRunId), nodeOf)
}
