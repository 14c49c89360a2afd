import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunStore } from "../../services/RunStore.js"
import type { OperationWire } from "../../src/domain/Operation.js"
import * as RandomTrees from "./RandomTrees.js"
import * as TreeChecks from "./TreeChecks.js"

/** Trees that one store holds. */
const TREES_A_STORE = 500

/** A store over a database file of its own. */
export const open = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "runledger-trees-" })
  const context = yield* Layer.build(RunStoreSql.layer({ path: path.join(folder, "telemetry.sqlite") }))
  return Context.get(context, RunStore)
})

/** Some of the trees of a seed. */
export const treesOf = (seed: number, from: number, many: number): ReadonlyArray<RandomTrees.Tree> =>
  FastCheck.sample(RandomTrees.drawn, { seed: seed + from, numRuns: many }).map((drawn, place) =>
    RandomTrees.grow(from + place, drawn),
  )

/** Delivers operations to a new store and says where its answers differ from the sums of the trees' leaves. */
export const differencesAfter = (
  trees: ReadonlyArray<RandomTrees.Tree>,
  operations: ReadonlyArray<OperationWire>,
): Effect.Effect<ReadonlyArray<TreeChecks.Difference>, never, FileSystem.FileSystem | Path.Path> =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* open
      yield* TreeChecks.put(store, operations)
      return yield* TreeChecks.differences(trees, TreeChecks.ofStore(store))
    }),
  ).pipe(Effect.orDie)

/** What was looked at, and where it differs: at most the first few. */
export interface Outcome {
  readonly trees: number
  readonly rows: number
  readonly leaves: number
  readonly differences: ReadonlyArray<TreeChecks.Difference>
}

/** Checks so many trees of a seed, delivered in any order and some of it twice, a store after the other; ends at the first difference. */
export const check = (seed: number, many: number) =>
  Effect.gen(function* () {
    let outcome: Outcome = { trees: 0, rows: 0, leaves: 0, differences: [] }
    while (outcome.trees < many && outcome.differences.length === 0) {
      const trees = treesOf(seed, outcome.trees, Math.min(TREES_A_STORE, many - outcome.trees))
      const differences = yield* differencesAfter(trees, RandomTrees.delivered(trees, seed))
      outcome = {
        trees: outcome.trees + trees.length,
        rows: trees.reduce((sum, { rows }) => sum + rows.length, outcome.rows),
        leaves: trees.reduce((sum, tree) => sum + TreeChecks.leavesOf(tree), outcome.leaves),
        differences: differences.slice(0, 3),
      }
    }
    return outcome
  })
