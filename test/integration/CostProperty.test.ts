import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as RunReaderHttp from "../../layers/RunReaderHttp.js"
import { RunReader } from "../../services/RunReader.js"
import type { OperationWire } from "../../src/domain/Operation.js"
import { RunTreeNode } from "../../src/domain/RunTree.js"
import * as LiveServer from "../support/LiveServer.js"
import * as RandomTrees from "../support/RandomTrees.js"
import * as TreeChecks from "../support/TreeChecks.js"
import * as Oracle from "../support/TreeOracle.js"
import * as TreeStore from "../support/TreeStore.js"

const settings = Config.all({
  trees: Config.integer("RUNLEDGER_TREES").pipe(Config.withDefault(1000)),
  seed: Config.option(Config.integer("RUNLEDGER_TREES_SEED")),
})

const decodeTree = (json: unknown) => Effect.orDie(Schema.decodeUnknown(RunTreeNode)(json))

/** What a server answers over HTTP. */
const ofServer = (url: string): TreeChecks.Answers => {
  const got = (path: string) => Effect.orDie(Effect.map(LiveServer.ask(`${url}${path}`), ({ json }) => json))
  return {
    tree: (runId) => Effect.flatMap(got(`/api/v1/runs/${runId}/tree`), decodeTree),
    stats: (groupBy, trace) =>
      got(`/api/v1/stats?group_by=${groupBy}${trace === undefined ? "" : `&trace_id=${trace}`}`),
    calls: (under) =>
      Effect.flatMap(RunReader, (reader) => Stream.runCollect(reader.calls({}, under))).pipe(
        Effect.map(Chunk.toReadonlyArray),
        Effect.provide(RunReaderHttp.layer({ endpoint: url, token: Option.none() })),
        Effect.provide(FetchHttpClient.layer),
        Effect.orDie,
      ),
  }
}

/** The operations that make priced leaves at once. */
const leavesTold = (tree: RandomTrees.Tree): ReadonlyArray<OperationWire> => {
  const leaves = new Set(Oracle.leaves(tree).flatMap((row) => (row.money === "priced" ? [row.eventId] : [])))
  return tree.operations.filter(
    (operation) => operation.op === "create" && operation.metrics_json != null && leaves.has(operation.event_id),
  )
}

const withMetrics = (operation: OperationWire, name: string, more: number): OperationWire => {
  if (operation.op === "event") return operation
  const metrics = { ...operation.metrics_json }
  return { ...operation, metrics_json: { ...metrics, [name]: Number(metrics[name]) + more } }
}

describe("only leaves bear cost", () => {
  it.live(
    "over random trees, the sum of leaves is every roll-up, every group of stats and every cost, to the unit",
    () =>
      Effect.gen(function* () {
        const wanted = yield* settings
        const seed = Option.isSome(wanted.seed) ? wanted.seed.value : yield* Random.nextIntBetween(1, 2 ** 30)
        const { trees, rows, leaves, differences } = yield* TreeStore.check(seed, wanted.trees)
        expect(differences, `RUNLEDGER_TREES_SEED=${seed}`).toEqual([])
        expect([trees, rows > leaves, leaves > trees]).toEqual([wanted.trees, true, true])
        yield* Effect.logInfo(`${trees} trees, ${rows} rows, ${leaves} leaves, RUNLEDGER_TREES_SEED=${seed}`)
      }).pipe(Effect.provide(NodeContext.layer)),
    600_000,
  )

  it.scopedLive("the same over a real server", () =>
    Effect.gen(function* () {
      const seed = yield* Random.nextIntBetween(1, 2 ** 30)
      const trees = TreeStore.treesOf(seed, 0, 60)
      const { url } = yield* LiveServer.start()
      const operations = RandomTrees.delivered(trees, seed)
      for (let from = 0; from < operations.length; from += 200) {
        const sent = yield* LiveServer.send("POST", `${url}/api/v1/ops`, { ops: operations.slice(from, from + 200) })
        expect(sent.status).toBe(200)
      }
      const found = yield* TreeChecks.differences(trees, ofServer(url))
      expect(found.slice(0, 3), `seed ${seed}`).toEqual([])
    }),
  )

  it.live("the check sees a reader that adds up calls that made calls", () =>
    Effect.gen(function* () {
      const trees = TreeStore.treesOf(1, 0, 40)
      const store = yield* TreeStore.open
      yield* TreeChecks.put(store, RandomTrees.delivered(trees, 1))
      const answers = TreeChecks.ofStore(store)
      const every = Stream.runCollect(store.stream({ job_type: "llm_call" })).pipe(
        Effect.map(Chunk.toReadonlyArray),
        Effect.orDie,
      )
      expect(yield* TreeChecks.differences(trees, answers)).toEqual([])
      const found = yield* TreeChecks.differences(trees, {
        ...answers,
        calls: (under) => (under === undefined ? every : answers.calls(under)),
      })
      expect(found.map(({ where }) => where.split(":")[0])).toContain("all calls")
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer)),
  )

  it.live.each<[string, (operation: OperationWire) => ReadonlyArray<OperationWire>]>([
    ["a cost that is a nano-dollar too high", (operation) => [withMetrics(operation, "cost_nanousd", 1)]],
    ["a token too many", (operation) => [withMetrics(operation, "output_tokens", 1)]],
    ["a call that got lost", () => []],
    [
      "a sum of others that is counted as a call",
      (operation) => [
        operation,
        { ...operation, event_id: "another", run_id: "another", context_json: null } as OperationWire,
      ],
    ],
  ])("the check sees %s", ([, spoil]) =>
    Effect.gen(function* () {
      const trees = TreeStore.treesOf(1, 0, 40)
      const leaf = trees.flatMap(leavesTold)[0]
      const operations = trees.flatMap((tree) => tree.operations)
      expect(yield* TreeStore.differencesAfter(trees, operations)).toEqual([])
      const spoilt = operations.flatMap((operation) => (operation === leaf ? spoil(operation) : [operation]))
      expect((yield* TreeStore.differencesAfter(trees, spoilt)).length).toBeGreaterThan(0)
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
