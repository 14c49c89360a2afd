import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import * as RunReaderFolders from "../../layers/RunReaderFolders.js"
import * as RunReaderHttp from "../../layers/RunReaderHttp.js"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunReader } from "../../services/RunReader.js"
import { RunStore } from "../../services/RunStore.js"
import type { CallRecord } from "../../src/domain/CallRecord.js"
import { Operation } from "../../src/domain/Operation.js"
import * as Project from "../../src/domain/Project.js"
import type { RunFilter, RunRecord } from "../../src/domain/Run.js"
import * as Server from "../../src/server/Server.js"
import * as ServerSettings from "../../src/server/ServerSettings.js"
import * as RecordedRuns from "../support/RecordedRuns.js"

const RUNS = [
  { runId: "run-001", day: 1 },
  { runId: "run-002", day: 2 },
] as const

const operations = Schema.decodeUnknown(Schema.Array(Operation))

/** The events of a run as they stand in its log. */
const logged = (runId: string, day: number) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const runsDir = yield* fs.makeTempDirectoryScoped({ prefix: "runledger-reader-" })
    yield* RecordedRuns.write(runsDir, runId, RecordedRuns.events(runId, day))
    return Chunk.toReadonlyArray(
      yield* Stream.runCollect(EventLogNdjson.readAll(path.join(runsDir, runId, "events.ndjson"))),
    )
  })

const folders = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const runsDir = yield* fs.makeTempDirectoryScoped({ prefix: "runledger-reader-" })
  yield* Effect.forEach(RUNS, ({ runId, day }) => RecordedRuns.write(runsDir, runId, RecordedRuns.events(runId, day)))
  yield* fs.writeFileString(path.join(runsDir, "notes.txt"), "not a run")
  yield* fs.makeDirectory(path.join(runsDir, "empty"))
  const reader: Reader = RunReaderFolders.layer({ runsDir })
  return reader
})

type Needs = FileSystem.FileSystem | Path.Path | HttpClient.HttpClient
type Reader = Layer.Layer<RunReader, never, Needs>

const emptyStore = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "runledger-reader-" })
  return yield* Layer.build(RunStoreSql.layer({ path: path.join(folder, "telemetry.sqlite") }))
})

const http = Effect.gen(function* () {
  const store = yield* emptyStore
  yield* Effect.gen(function* () {
    const runStore = yield* RunStore
    for (const { runId, day } of RUNS) {
      yield* runStore.apply(yield* operations(Project.project(yield* logged(runId, day))), {})
    }
  }).pipe(Effect.provide(store))
  const { url } = yield* Effect.provide(Server.serve({ ...ServerSettings.defaults, port: 0 }), store)
  const reader: Reader = RunReaderHttp.layer({ endpoint: url, token: Option.none() })
  return reader
})

const platform = Layer.merge(NodeContext.layer, FetchHttpClient.layer)

const list = (filter: RunFilter, limit?: number) =>
  Effect.flatMap(RunReader, (reader) => Stream.runCollect(reader.stream(filter, limit))).pipe(
    Effect.map(Chunk.toReadonlyArray),
  )

const idsOf = (runs: ReadonlyArray<RunRecord>) => runs.map((run) => run.run_id)

const withoutSourceOwn = (run: RunRecord) => ({
  ...run,
  id: 0,
  updated_at: null,
  created_at: "",
  api_posted: false,
  api_posted_at: null,
})

describe.each([
  { name: "RunReaderFolders", open: folders },
  { name: "RunReaderHttp", open: http },
])("the promise of RunReader: $name", ({ open }) => {
  const reading = <A, E>(program: Effect.Effect<A, E, RunReader | Scope.Scope>) =>
    Effect.gen(function* () {
      const layer = yield* open
      return yield* Effect.provide(program, layer)
    }).pipe(Effect.provide(platform))

  it.scopedLive("lists every match, newest first, and keeps to the limit", () =>
    reading(
      Effect.gen(function* () {
        expect(idsOf(yield* list({ job_type: "launch" }))).toEqual(["run-002", "run-001"])
        expect(yield* list({})).toHaveLength(12)
        expect(yield* Effect.flatMap(RunReader, (reader) => reader.jobTypes)).toEqual(["launch", "llm_call", "worker"])
        expect(idsOf(yield* list({ job_type: "launch" }, 1))).toEqual(["run-002"])
        expect(yield* list({ parent_run_id: "run-001", job_type: "llm_call" })).toHaveLength(4)
      }),
    ),
  )

  it.scopedLive("keeps to every filter", () =>
    reading(
      Effect.gen(function* () {
        const count = (filter: RunFilter) => Effect.map(list(filter), (runs) => runs.length)
        expect(yield* count({ run_id: "run-001-llm-priced" })).toBe(1)
        expect(yield* count({ status: "failure" })).toBe(2)
        expect(yield* count({ model: RecordedRuns.MODEL })).toBe(8)
        expect(yield* count({ trace_id: RecordedRuns.traceOf(1) })).toBe(6)
        expect(yield* count({ product: "product-2" })).toBe(6)
        expect(yield* count({ agent_name: "launch.workers.FactsBuilder" })).toBe(2)
        expect(yield* count({ start_time_from: "2026-01-02T00:00:00.000Z" })).toBe(6)
        expect(yield* count({ start_time_to: "2026-01-02T00:00:00.000Z" })).toBe(6)
        expect(yield* count({ job_type: "nothing" })).toBe(0)
      }),
    ),
  )

  it.scopedLive(
    "gives calls that bear their own cost, newest first, of a run and all below it, and keeps to filters",
    () =>
      reading(
        Effect.gen(function* () {
          const reader = yield* RunReader
          const calls = (filter: RunFilter, under?: string) =>
            Effect.map(Stream.runCollect(reader.calls(filter, under)), Chunk.toReadonlyArray)
          const ids = (all: ReadonlyArray<CallRecord>) => all.map(({ run_id }) => run_id)
          const every = yield* calls({})
          expect(ids(every)).toEqual([
            ...["failed", "unpriced", "simulated", "priced"].map((id) => `run-002-llm-${id}`),
            ...["failed", "unpriced", "simulated", "priced"].map((id) => `run-001-llm-${id}`),
          ])
          expect(every.at(-1)).toMatchObject({
            parent_run_id: "run-001",
            status: "success",
            start_time: "2026-01-01T12:00:02.000Z",
            git_repo: "https://github.com/acme/widget",
            git_branch: null,
            git_commit_hash: "a".repeat(40),
            metrics_json: { cost_nanousd: 49_500_000, cost_status: "priced" },
            context_json: { call_id: "priced", model: RecordedRuns.MODEL, worker: "W2.FactsBuilder" },
          })
          expect(ids(yield* calls({}, "run-001"))).toEqual(ids(every).slice(4))
          expect(ids(yield* calls({}, "run-001-llm-priced"))).toEqual(["run-001-llm-priced"])
          expect(yield* calls({}, "run-001:W2.FactsBuilder:1")).toEqual([])
          expect(yield* calls({}, "nobody")).toEqual([])
          expect(ids(yield* calls({ status: "failure" }, "run-002"))).toEqual(["run-002-llm-failed"])
          expect(yield* calls({ start_time_from: "2026-01-02T00:00:00.000Z" })).toHaveLength(4)
          expect(yield* calls({ job_type: "worker", model: RecordedRuns.MODEL })).toHaveLength(8)
        }),
      ),
  )

  it.scopedLive("gives a run by event id and by run id, and none for a stranger", () =>
    reading(
      Effect.gen(function* () {
        const reader = yield* RunReader
        const byRun = yield* reader.get("run-001")
        expect(Option.map(byRun, (run) => run.event_id)).toEqual(Option.some("run-001-event-0"))
        expect(Option.map(yield* reader.get("run-001-event-0"), (run) => run.run_id)).toEqual(Option.some("run-001"))
        expect(yield* reader.get("nobody")).toEqual(Option.none())
        expect(Option.map(byRun, (run) => run.repo_url)).toEqual(Option.some("https://github.com/acme/widget"))
      }),
    ),
  )

  it.scopedLive("names the last event of a run's log and counts them; none for a stranger", () =>
    reading(
      Effect.gen(function* () {
        const reader = yield* RunReader
        const [first, second] = yield* Effect.forEach(RUNS, ({ runId }) => reader.logHead(runId))
        const log = yield* Effect.orDie(Effect.provide(logged("run-001", 1), platform))
        expect(first).toEqual(Option.some({ hash: log.at(-1)?.event_hash, events: 12 }))
        expect(second).not.toEqual(first)
        expect(yield* reader.logHead("run-001:W2.FactsBuilder:1")).toEqual(Option.some({ hash: null, events: 0 }))
        expect(yield* reader.logHead("nobody")).toEqual(Option.none())
      }),
    ),
  )

  it.scopedLive(
    "gives every event of a run with its place in the chain, in order, and none of a run that nobody knows",
    () =>
      reading(
        Effect.gen(function* () {
          const reader = yield* RunReader
          const log = yield* Effect.orDie(Effect.provide(logged("run-001", 1), platform))
          expect(Chunk.toReadonlyArray(yield* Stream.runCollect(reader.events("run-001")))).toEqual(
            log.map(({ event_id, prev_hash, event_hash }) => ({ event_id, prev_hash, event_hash })),
          )
          expect(Chunk.size(yield* Stream.runCollect(reader.events("nobody")))).toBe(0)
        }),
      ),
  )

  it.scopedLive("nests launch, worker and calls, and never adds simulated or unpriced money to real money", () =>
    reading(
      Effect.gen(function* () {
        const reader = yield* RunReader
        const tree = Option.getOrThrow(yield* reader.tree("run-001"))
        expect(tree.run.status).toBe("success")
        const [worker] = tree.children
        expect(worker?.run.run_id).toBe("run-001:W2.FactsBuilder:1")
        expect(worker?.children.map((call) => call.run.run_id)).toEqual(
          ["priced", "simulated", "unpriced", "failed"].map((call) => `run-001-llm-${call}`),
        )
        expect(tree.totals).toMatchObject({
          calls: 4,
          errors: 1,
          total_tokens: 13_500,
          cost_nanousd: 49_500_000,
          cost_usd: 0.0495,
          simulated_cost_nanousd: 49_500_000,
          unpriced_calls: 1,
          replayed_calls: 0,
        })
        expect(yield* reader.tree("nobody")).toEqual(Option.none())
      }),
    ),
  )
})

describe("RunReader", () => {
  it.scopedLive("the server and the run folders give the same rows", () =>
    Effect.gen(function* () {
      const both = yield* Effect.all([folders, http])
      const [fromFolders, fromServer] = yield* Effect.forEach(both, (layer) => Effect.provide(list({}), layer))
      expect(fromServer?.map(withoutSourceOwn)).toEqual(fromFolders?.map(withoutSourceOwn))
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("a server that does not answer is an error that says what to do", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(list({}))
      expect(error._tag).toBe("RunReaderError")
      expect(error.message).toContain("runledger serve")
      expect(error.message).toContain("--local")
    }).pipe(
      Effect.provide(RunReaderHttp.layer({ endpoint: "http://127.0.0.1:1", token: Option.none() })),
      Effect.provide(platform),
    ),
  )

  it.scopedLive("runs that do not fit one page are all read", () =>
    Effect.gen(function* () {
      const store = yield* emptyStore
      const runStore = yield* Effect.provide(RunStore, store)
      const many = Array.from({ length: 2345 }, (_, index) => ({
        op: "create" as const,
        event_id: `many-${index}`,
        run_id: `many-${index}`,
        agent_name: "a",
        job_type: "llm_call",
        start_time: "2026-01-01T00:00:00.000Z",
        created_at: "2026-01-01T00:00:00.000Z",
      }))
      for (let from = 0; from < many.length; from += 1000) {
        yield* runStore.apply(yield* operations(many.slice(from, from + 1000)), {})
      }
      const { url } = yield* Effect.provide(Server.serve({ ...ServerSettings.defaults, port: 0 }), store)
      const found = yield* Effect.provide(
        list({ job_type: "llm_call" }),
        RunReaderHttp.layer({ endpoint: url, token: Option.none() }),
      )
      expect(new Set(idsOf(found)).size).toBe(2345)
    }).pipe(Effect.provide(platform)),
  )
})
