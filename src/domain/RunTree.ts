import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { CALL_JOB_TYPE, isError, measure } from "./CallMeasure.js"
import { toUsd } from "./Cost.js"
import { RunRecord } from "./Run.js"
import { newestFirst } from "./RunMatch.js"

const Count = Schema.NonNegativeInt

/**
 * What the calls of a subtree used and cost, the node's own call included. `cost_nanousd` is real money only: simulated
 * money stands apart, unpriced calls are counted and never 0. `errors` counts failed and timed-out calls.
 */
export const RunTotals = Schema.Struct({
  calls: Count,
  errors: Count,
  input_tokens: Count,
  output_tokens: Count,
  total_tokens: Count,
  cache_read_tokens: Count,
  cache_write_5m_tokens: Count,
  cache_write_1h_tokens: Count,
  reasoning_tokens: Count,
  cost_nanousd: Count,
  cost_usd: Schema.NonNegative,
  simulated_cost_nanousd: Count,
  simulated_cost_usd: Schema.NonNegative,
  unpriced_calls: Count,
  replayed_calls: Count,
}).annotations({ identifier: "RunTotals" })
export type RunTotals = typeof RunTotals.Type

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

/** Levels below the root; what lies deeper hangs on its ancestor of the last level, so that the tree stays readable JSON. */
export const MAX_DEPTH = 40

const NOTHING: RunTotals = {
  calls: 0,
  errors: 0,
  input_tokens: 0,
  output_tokens: 0,
  total_tokens: 0,
  cache_read_tokens: 0,
  cache_write_5m_tokens: 0,
  cache_write_1h_tokens: 0,
  reasoning_tokens: 0,
  cost_nanousd: 0,
  cost_usd: 0,
  simulated_cost_nanousd: 0,
  simulated_cost_usd: 0,
  unpriced_calls: 0,
  replayed_calls: 0,
}

const plus = (left: number, right: number): number => Math.min(left + right, Number.MAX_SAFE_INTEGER)

const add = (left: RunTotals, right: RunTotals): RunTotals => {
  const cost = plus(left.cost_nanousd, right.cost_nanousd)
  const simulated = plus(left.simulated_cost_nanousd, right.simulated_cost_nanousd)
  return {
    calls: plus(left.calls, right.calls),
    errors: plus(left.errors, right.errors),
    input_tokens: plus(left.input_tokens, right.input_tokens),
    output_tokens: plus(left.output_tokens, right.output_tokens),
    total_tokens: plus(left.total_tokens, right.total_tokens),
    cache_read_tokens: plus(left.cache_read_tokens, right.cache_read_tokens),
    cache_write_5m_tokens: plus(left.cache_write_5m_tokens, right.cache_write_5m_tokens),
    cache_write_1h_tokens: plus(left.cache_write_1h_tokens, right.cache_write_1h_tokens),
    reasoning_tokens: plus(left.reasoning_tokens, right.reasoning_tokens),
    cost_nanousd: cost,
    cost_usd: toUsd(cost),
    simulated_cost_nanousd: simulated,
    simulated_cost_usd: toUsd(simulated),
    unpriced_calls: plus(left.unpriced_calls, right.unpriced_calls),
    replayed_calls: plus(left.replayed_calls, right.replayed_calls),
  }
}

const ofCall = (run: RunRecord): RunTotals => {
  const call = measure(run.metrics_json)
  const cost = call.cost_status === "priced" ? (call.cost_nanousd ?? 0) : 0
  const simulated = call.cost_status === "simulated" ? (call.cost_nanousd ?? 0) : 0
  return {
    calls: 1,
    errors: isError(run.status) ? 1 : 0,
    input_tokens: call.input_tokens ?? 0,
    output_tokens: call.output_tokens ?? 0,
    total_tokens: call.total_tokens ?? 0,
    cache_read_tokens: call.cache_read_tokens ?? 0,
    cache_write_5m_tokens: call.cache_write_5m_tokens ?? 0,
    cache_write_1h_tokens: call.cache_write_1h_tokens ?? 0,
    reasoning_tokens: call.reasoning_tokens ?? 0,
    cost_nanousd: cost,
    cost_usd: toUsd(cost),
    simulated_cost_nanousd: simulated,
    simulated_cost_usd: toUsd(simulated),
    unpriced_calls: call.cost_status === "unpriced" ? 1 : 0,
    replayed_calls: call.cost_status === "replayed" ? 1 : 0,
  }
}

const spanKey = (run: RunRecord, field: "span_id" | "parent_span_id"): string | undefined => {
  const span = run.context_json?.[field]
  return typeof span === "string" && span !== "" ? `${String(run.context_json?.["trace_id"] ?? "")}/${span}` : undefined
}

const indexed = (
  rows: ReadonlyArray<RunRecord>,
  key: (run: RunRecord) => string | undefined,
): ReadonlyMap<string, RunRecord> => {
  const index = new Map<string, RunRecord>()
  for (const run of rows) {
    const at = key(run)
    if (at !== undefined && !index.has(at)) index.set(at, run)
  }
  return index
}

type Parents = Map<RunRecord, RunRecord>

const namedParents = (rows: ReadonlyArray<RunRecord>, root: RunRecord): Parents => {
  const newest = [...rows].sort(newestFirst)
  const bySpan = indexed(newest, (run) => spanKey(run, "span_id"))
  const byRunId = indexed(newest, (run) => run.run_id)
  const parents: Parents = new Map()
  for (const run of rows) {
    if (run === root) continue
    const span = spanKey(run, "parent_span_id")
    const inSpan = span === undefined ? undefined : bySpan.get(span)
    const inRun = run.parent_run_id === null ? undefined : byRunId.get(run.parent_run_id)
    const parent = [inSpan, inRun].find((candidate) => candidate !== undefined && candidate !== run)
    parents.set(run, parent ?? root)
  }
  return parents
}

/** Rows whose ancestors form a ring never reach the root: the first of each ring to be met is hung on the root. */
const cutRings = (rows: ReadonlyArray<RunRecord>, root: RunRecord, parents: Parents): void => {
  const reaches = new Set<RunRecord>([root])
  for (const run of rows) {
    const path = new Set<RunRecord>()
    let at = run
    while (!reaches.has(at)) {
      if (path.has(at)) {
        parents.set(at, root)
        break
      }
      path.add(at)
      at = parents.get(at) ?? root
    }
    for (const seen of path) reaches.add(seen)
  }
}

const oldestFirst = (left: RunRecord, right: RunRecord): number => {
  if (left.start_time !== right.start_time) return left.start_time < right.start_time ? -1 : 1
  return left.id - right.id
}

const childrenOf = (rows: ReadonlyArray<RunRecord>, parents: Parents): ReadonlyMap<RunRecord, Array<RunRecord>> => {
  const children = new Map<RunRecord, Array<RunRecord>>()
  for (const run of [...rows].sort(oldestFirst)) {
    const parent = parents.get(run)
    if (parent === undefined) continue
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [run])
    else siblings.push(run)
  }
  return children
}

interface Placed {
  readonly run: RunRecord
  readonly own: RunTotals
  readonly children: Array<Placed>
}

const bearsCost = (run: RunRecord, children: ReadonlyArray<RunRecord>): boolean =>
  run.job_type === CALL_JOB_TYPE && !children.some((child) => child.job_type === CALL_JOB_TYPE)

/** Every row placed below the root, parents before children, none deeper than {@link MAX_DEPTH}. */
const place = (root: RunRecord, children: ReadonlyMap<RunRecord, ReadonlyArray<RunRecord>>): ReadonlyArray<Placed> => {
  const node = (run: RunRecord): Placed => ({
    run,
    own: bearsCost(run, children.get(run) ?? []) ? ofCall(run) : NOTHING,
    children: [],
  })
  const order: Array<{ readonly node: Placed; readonly home: Placed; readonly depth: number }> = []
  const first = node(root)
  order.push({ node: first, home: first, depth: 0 })
  for (let index = 0; index < order.length; index += 1) {
    const at = order[index]
    if (at === undefined) break
    const home = at.depth < MAX_DEPTH ? at.node : at.home
    for (const run of children.get(at.node.run) ?? []) {
      const child = node(run)
      home.children.push(child)
      order.push({ node: child, home, depth: Math.min(at.depth + 1, MAX_DEPTH) })
    }
  }
  return order.map((entry) => entry.node)
}

const rollUp = (placed: ReadonlyArray<Placed>): Option.Option<RunTreeNode> => {
  const nodes = new Map<Placed, RunTreeNode>()
  for (const at of [...placed].reverse()) {
    const children = at.children.flatMap((child) => nodes.get(child) ?? [])
    nodes.set(at, {
      run: at.run,
      totals: children.reduce((totals, child) => add(totals, child.totals), at.own),
      children,
    })
  }
  const root = placed[0]
  return Option.fromNullable(root === undefined ? undefined : nodes.get(root))
}

/**
 * A run's rows as a tree: nested by span ids, else by `parent_run_id`; a row that names no known parent hangs on the root, so
 * that no cost is lost. Only `llm_call` rows without calls of their own bear tokens and cost. None when no row has that run
 * id; the newest when several have. Rings of parents do no harm.
 */
export const build = (rows: ReadonlyArray<RunRecord>, rootRunId: string): Option.Option<RunTreeNode> => {
  const root = rows.filter((run) => run.run_id === rootRunId).sort(newestFirst)[0]
  if (root === undefined) return Option.none()
  const parents = namedParents(rows, root)
  cutRings(rows, root, parents)
  return rollUp(place(root, childrenOf(rows, parents)))
}
