import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import { EventOperation, type Operation, Operation as OperationSchema } from "../../src/domain/Operation.js"
import { RunCreate } from "../../src/domain/Run.js"

const toRun = Schema.decodeUnknownSync(RunCreate)
const toOperation = Schema.decodeUnknownSync(OperationSchema)

/** A run that is whole, with what the test cares about laid over it. */
export const run = (fields: Readonly<Record<string, unknown>>): RunCreate =>
  toRun({ run_id: "r", agent_name: "a", job_type: "launch", start_time: "2026-01-01T00:00:00Z", ...fields })

/** An operation from its wire form. */
export const op = (fields: Readonly<Record<string, unknown>>): Operation => toOperation(fields)

export const creating = (event_id: string, fields: Readonly<Record<string, unknown>> = {}): Operation =>
  op({
    op: "create",
    event_id,
    run_id: event_id,
    agent_name: "a",
    job_type: "launch",
    start_time: "2026-01-01T00:00:00Z",
    ...fields,
  })

export const updating = (event_id: string, fields: Readonly<Record<string, unknown>>): Operation =>
  op({ op: "update", event_id, ...fields })

const toEvent = Schema.decodeUnknownSync(EventOperation, { onExcessProperty: "preserve" })

const eventFields = (event_id: string, run_id: string) => ({
  event_id,
  run_id,
  ts: "2026-01-01T00:00:00.000Z",
  trace_id: "a".repeat(32),
  span_id: "b".repeat(16),
  type: "RUN_STATE_CHANGED",
  payload: { old_state: "CREATED", new_state: "CLONED_INPUTS" },
})

/** An event of a run. */
export const event = (event_id: string, run_id: string): typeof EventOperation.Type =>
  toEvent({ op: "event", event_id, event: eventFields(event_id, run_id) })

/** An event of a run's log, its hash made of one hex digit. */
export const chained = (event_id: string, run_id: string, digit: string): typeof EventOperation.Type =>
  toEvent({
    op: "event",
    event_id,
    event: { ...eventFields(event_id, run_id), prev_hash: "0".repeat(64), event_hash: digit.repeat(64) },
  })

/** A finished call of `run-001` in a span of its own. */
export const call = (
  event_id: string,
  fields: Readonly<Record<string, unknown>> = {},
  metrics: object | null = null,
  context: object = {},
): RunCreate =>
  run({
    event_id,
    run_id: event_id,
    parent_run_id: "run-001",
    job_type: "llm_call",
    status: "success",
    metrics_json: metrics,
    context_json: { trace_id: "t", span_id: event_id, model: "m", provider: "p", ...context },
    ...fields,
  })

const sql = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "runledger-store-" })
  return RunStoreSql.layer({ path: path.join(folder, "made", "store.sqlite") })
})

/** Every layer of the store: the contract suites run on each. */
export const LAYERS = [{ name: "RunStoreSql", fresh: sql }] as const

export type StoreLayer = (typeof LAYERS)[number]

/** Uses a new, empty store of a layer. */
export const withStore =
  (fresh: StoreLayer["fresh"]) =>
  <A, E>(use: (store: RunStoreService) => Effect.Effect<A, E>) =>
    Effect.gen(function* () {
      const layer = yield* fresh
      return yield* Effect.flatMap(RunStore, use).pipe(Effect.provide(layer))
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

/** The run that must be there. */
export const found = (store: RunStoreService, id: string) => Effect.map(store.get(id), Option.getOrThrow)
