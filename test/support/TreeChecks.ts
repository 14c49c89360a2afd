import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { RunStoreService } from "../../services/RunStore.js"
import * as CostedCall from "../../src/cli/CostedCall.js"
import * as CostGroup from "../../src/cli/CostGroup.js"
import type { CallRecord } from "../../src/domain/CallRecord.js"
import * as Leaves from "../../src/domain/Leaves.js"
import { Operation, type OperationWire } from "../../src/domain/Operation.js"
import * as RunFold from "../../src/domain/RunFold.js"
import * as RunTree from "../../src/domain/RunTree.js"
import type { GroupBy } from "../../src/domain/Stats.js"
import type { Tree } from "./RandomTrees.js"
import * as Oracle from "./TreeOracle.js"

/** What any reader says of a tree, or of many: by whatever way it was asked. */
export interface Answers {
  readonly tree: (runId: string) => Effect.Effect<RunTree.RunTreeNode>
  /** `trace` limits it to one tree. */
  readonly stats: (
    groupBy: GroupBy,
    trace: string | undefined,
  ) => Effect.Effect<ReadonlyArray<Oracle.Sums & { readonly group: string | null }>>
  readonly calls: (under: string | undefined) => Effect.Effect<ReadonlyArray<CallRecord>>
}

/** A difference, by the place where it was found. */
export type Difference = { readonly where: string; readonly found: unknown; readonly wanted: unknown }

const NAMES = Object.keys(Oracle.sums([])) as ReadonlyArray<keyof Oracle.Sums>

const same = (found: Oracle.Sums | undefined, wanted: Oracle.Sums | undefined): boolean =>
  found !== undefined && wanted !== undefined && NAMES.every((name) => found[name] === wanted[name])

const picked = (sums: Oracle.Sums | undefined) =>
  sums === undefined ? "nothing" : Object.fromEntries(NAMES.map((name) => [name, sums[name]]))

const compared = (
  where: string,
  found: ReadonlyMap<string | null, Oracle.Sums>,
  wanted: ReadonlyMap<string | null, Oracle.Sums>,
): ReadonlyArray<Difference> =>
  [...new Set([...found.keys(), ...wanted.keys()])]
    .filter((name) => !same(found.get(name), wanted.get(name)))
    .map((name) => ({ where: `${where} ${name}`, found: picked(found.get(name)), wanted: picked(wanted.get(name)) }))

const plus = (left: Oracle.Sums, right: Oracle.Sums): Oracle.Sums => {
  const sum = { ...left }
  for (const name of NAMES) Object.assign(sum, { [name]: left[name] + right[name] })
  return sum
}

/** Every node's totals are those of its children and, where it is a leaf, its own. */
const nodes = (
  where: string,
  node: RunTree.RunTreeNode,
  own: ReadonlyMap<string, Oracle.Sums>,
): ReadonlyArray<Difference> => {
  const nothing = Oracle.sums([])
  const wanted = node.children.reduce((sum, child) => plus(sum, child.totals), own.get(node.run.event_id) ?? nothing)
  return [
    ...(same(node.totals, wanted)
      ? []
      : [{ where: `${where} at ${node.run.event_id}`, found: picked(node.totals), wanted: picked(wanted) }]),
    ...node.children.flatMap((child) => nodes(where, child, own)),
  ]
}

/** How many leaves a tree has. */
export const leavesOf = (tree: Tree): number => Oracle.leaves(tree).length

const treeDifferences = (where: string, tree: Tree, node: RunTree.RunTreeNode): ReadonlyArray<Difference> => {
  const leaves = Oracle.leaves(tree)
  const own = new Map(leaves.map((row) => [row.eventId, Oracle.sums([row])]))
  return [
    ...compared(where, new Map([["root", node.totals]]), new Map([["root", Oracle.sums(leaves)]])),
    ...nodes(where, node, own),
  ]
}

const costDifferences = (where: string, trees: ReadonlyArray<Tree>, calls: ReadonlyArray<CallRecord>) => {
  const leaves = trees.flatMap(Oracle.leaves)
  const costed = calls.map((call) => CostedCall.of(call, () => Option.none()))
  return CostGroup.KEYS.flatMap((by) => {
    const sums = costed.reduce(CostGroup.step(by), CostGroup.none())
    const found = new Map(CostGroup.sorted(sums, by).map((group) => [group.group, group]))
    const total = CostGroup.total(sums)
    return [
      ...compared(`${where}: cost --by ${by}`, found, Oracle.grouped(leaves, Oracle.COST[by])),
      ...compared(`${where}: cost --by ${by}`, new Map([["", total]]), new Map([["", Oracle.sums(leaves)]])),
    ]
  })
}

const GROUPS = Object.keys(Oracle.STATS) as ReadonlyArray<keyof typeof Oracle.STATS>

const statsDifferences = (
  { stats }: Answers,
  trees: ReadonlyArray<Tree>,
  groupBy: keyof typeof Oracle.STATS,
  trace?: string,
) =>
  Effect.map(stats(groupBy, trace), (found) =>
    compared(
      `stats by ${groupBy}${trace === undefined ? "" : ` of ${trace}`}`,
      new Map(found.map((group) => [group.group, group])),
      Oracle.grouped(trees.flatMap(Oracle.leaves), Oracle.STATS[groupBy]),
    ),
  )

/** The rows that the same operations make without a store, as the run folders are read. */
const folded = (tree: Tree): Answers => {
  const rows = RunFold.fold(tree.operations)
  const bears = Leaves.among(rows.map(Leaves.placed))
  return {
    tree: (runId) => Effect.sync(() => Option.getOrThrow(RunTree.build(rows, runId))),
    stats: () => Effect.succeed([]),
    calls: () => Effect.succeed(rows.filter((row) => bears(Leaves.placed(row)))),
  }
}

const one = (tree: Tree, answers: Answers, groupBy: keyof typeof Oracle.STATS) =>
  Effect.gen(function* () {
    const alone = folded(tree)
    return [
      ...treeDifferences("tree of the rows", tree, yield* alone.tree(tree.root)),
      ...costDifferences("rows", [tree], yield* alone.calls(tree.root)),
      ...treeDifferences("tree", tree, yield* answers.tree(tree.root)),
      ...costDifferences("calls", [tree], yield* answers.calls(tree.root)),
      ...(yield* statsDifferences(answers, [tree], groupBy, tree.trace)),
    ]
  })

/**
 * Where answers differ from the sums of leaves: of every tree its roll-ups at every node, its stats by one group after the
 * other, its costs by every key; of all trees together the stats and costs by every group.
 */
export const differences = (trees: ReadonlyArray<Tree>, answers: Answers): Effect.Effect<ReadonlyArray<Difference>> =>
  Effect.gen(function* () {
    const each = yield* Effect.forEach(
      trees,
      (tree, place) => one(tree, answers, GROUPS[place % GROUPS.length] ?? "model"),
      { concurrency: 8 },
    )
    const all = yield* Effect.forEach(GROUPS, (groupBy) => statsDifferences(answers, trees, groupBy))
    const calls = yield* answers.calls(undefined)
    return [...each.flat(), ...all.flat(), ...costDifferences("all calls", trees, calls)]
  })

const decodeOperations = Schema.decodeUnknown(Schema.Array(Operation))

const OPERATIONS_AT_ONCE = 1000

/** Puts operations into a store as requests of at most a thousand. */
export const put = (store: RunStoreService, operations: ReadonlyArray<OperationWire>) =>
  Effect.gen(function* () {
    for (let from = 0; from < operations.length; from += OPERATIONS_AT_ONCE) {
      yield* store.apply(yield* decodeOperations(operations.slice(from, from + OPERATIONS_AT_ONCE)), {})
    }
  })

const textOf = (chunks: Iterable<Uint8Array>): string => Buffer.concat([...chunks]).toString("utf8")

const lines = (text: string): ReadonlyArray<CallRecord> =>
  text.split("\n").flatMap((line) => (line === "" ? [] : JSON.parse(line)))

const treeIn = (text: string): RunTree.RunTreeNode => JSON.parse(text)

/** What a store answers, taken at its word: that it is of the right shape is for others to check. */
export const ofStore = (store: RunStoreService): Answers => ({
  tree: (runId) => Effect.orDie(Effect.map(store.json.tree(runId), (json) => treeIn(textOf(Option.toArray(json))))),
  stats: (groupBy, trace) => Effect.orDie(store.stats(groupBy, trace === undefined ? {} : { trace_id: trace })),
  calls: (under) =>
    Stream.runCollect(store.json.calls({}, under)).pipe(
      Effect.map((chunks) => lines(textOf(Chunk.toReadonlyArray(chunks)))),
      Effect.orDie,
    ),
})
