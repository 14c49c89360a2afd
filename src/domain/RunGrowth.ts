import * as Option from "effect/Option"
import type { CallMeasure } from "./CallMeasure.js"
import type * as Leaves from "./Leaves.js"
import type { RunRecord } from "./Run.js"
import { newestFirst } from "./RunMatch.js"
import { add, NOTHING, ofCall, type RunTotals } from "./RunTotals.js"

/** What of a row decides where it stands in a tree, and what it adds to it. */
export type Member = Pick<RunRecord, "id" | "status" | "created_at" | "start_time"> &
  Leaves.Placed & {
    /** Whether it is a leaf, that is, a call that bears tokens and cost. */
    readonly bears: boolean
    readonly call: CallMeasure
  }

/** A member with what ran inside it, oldest first. */
export interface Branch<M> {
  readonly run: M
  readonly totals: RunTotals
  readonly children: ReadonlyArray<Branch<M>>
}

/** Levels below the root; what lies deeper hangs on its ancestor of the last level, so that the tree stays readable JSON. */
export const MAX_DEPTH = 40

/** The newest row of each key. */
const indexed = <M extends Member>(
  rows: ReadonlyArray<M>,
  key: (run: M) => string | undefined,
): ReadonlyMap<string, M> => {
  const index = new Map<string, M>()
  for (const run of rows) {
    const at = key(run)
    if (at === undefined) continue
    const known = index.get(at)
    if (known === undefined || newestFirst(run, known) < 0) index.set(at, run)
  }
  return index
}

type Parents<M> = Map<M, M>

const namedParents = <M extends Member>(rows: ReadonlyArray<M>, root: M): Parents<M> => {
  const bySpan = indexed(rows, (run) => run.span)
  const byRunId = indexed(rows, (run) => run.run_id)
  const parents: Parents<M> = new Map()
  for (const run of rows) {
    if (run === root) continue
    const span = run.parentSpan
    const inSpan = span === undefined ? undefined : bySpan.get(span)
    const inRun = run.parent_run_id === null ? undefined : byRunId.get(run.parent_run_id)
    const parent = inSpan === run ? undefined : inSpan
    parents.set(run, parent ?? (inRun === run ? undefined : inRun) ?? root)
  }
  return parents
}

/** Rows whose ancestors form a ring never reach the root: the first of each ring to be met is hung on the root. */
const cutRings = <M extends Member>(rows: ReadonlyArray<M>, root: M, parents: Parents<M>): void => {
  const reaches = new Set<M>([root])
  for (const run of rows) {
    if (reaches.has(parents.get(run) ?? root)) {
      reaches.add(run)
      continue
    }
    const path = new Set<M>()
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

const oldestFirst = (left: Member, right: Member): number => {
  if (left.start_time !== right.start_time) return left.start_time < right.start_time ? -1 : 1
  return left.id - right.id
}

const childrenOf = <M extends Member>(rows: ReadonlyArray<M>, parents: Parents<M>): ReadonlyMap<M, Array<M>> => {
  const children = new Map<M, Array<M>>()
  for (const run of [...rows].sort(oldestFirst)) {
    const parent = parents.get(run)
    if (parent === undefined) continue
    const siblings = children.get(parent)
    if (siblings === undefined) children.set(parent, [run])
    else siblings.push(run)
  }
  return children
}

interface Placed<M> {
  readonly run: M
  readonly own: RunTotals
  readonly children: Array<Placed<M>>
}

/** Every row placed below the root, parents before children, none deeper than {@link MAX_DEPTH}. */
const place = <M extends Member>(root: M, children: ReadonlyMap<M, ReadonlyArray<M>>): ReadonlyArray<Placed<M>> => {
  const node = (run: M): Placed<M> => ({
    run,
    own: run.bears ? ofCall(run.call, run.status) : NOTHING,
    children: [],
  })
  const order: Array<{ readonly node: Placed<M>; readonly home: Placed<M>; readonly depth: number }> = []
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

const rollUp = <M extends Member>(placed: ReadonlyArray<Placed<M>>): Option.Option<Branch<M>> => {
  const nodes = new Map<Placed<M>, Branch<M>>()
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
 * that no cost is lost. Only rows that bear are added up. None when no row has that run
 * id; the newest when several have. Rings of parents do no harm.
 */
export const grow = <M extends Member>(rows: ReadonlyArray<M>, rootRunId: string): Option.Option<Branch<M>> => {
  const root = rows.filter((run) => run.run_id === rootRunId).sort(newestFirst)[0]
  if (root === undefined) return Option.none()
  const parents = namedParents(rows, root)
  cutRings(rows, root, parents)
  return rollUp(place(root, childrenOf(rows, parents)))
}
