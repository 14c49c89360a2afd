import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { ClientReport, Operation, OperationResult } from "../src/domain/Operation.js"
import type { RunCreate, RunFilter, RunPatch, RunRecord } from "../src/domain/Run.js"
import type { GroupBy, Metadata, Metrics, StatsGroup } from "../src/domain/Stats.js"

/** The store could not do what it was asked. `message` names the file and the next step; `cause` stays inside. */
export class RunStoreError extends Schema.TaggedError<RunStoreError>()("RunStoreError", {
  operation: Schema.String,
  message: Schema.String,
  cause: Schema.optional(Schema.Defect),
}) {}

/** How the store is kept. */
export interface StoreInfo {
  readonly path: string
  readonly journalMode: string
  readonly synchronous: string
}

/** A page of runs: `limit` rows from `offset`, newest first (created_at, then id, both descending). No limit: all. */
export interface Page {
  readonly limit?: number | undefined
  readonly offset?: number | undefined
  /** The id and created_at of the last row already seen; rows after it follow. */
  readonly after?: { readonly createdAt: string; readonly id: number } | undefined
}

/** An operation; of an event also its JSON as it was received, which is then kept to the letter. */
export type ReceivedOperation =
  | Exclude<Operation, { readonly op: "event" }>
  | (Extract<Operation, { readonly op: "event" }> & { readonly text?: string | undefined })

/** An event as it was received. */
export interface ReceivedEvent {
  readonly eventId: string
  /** One JSON object. */
  readonly text: string
}

/** What the store has of a run's log: how many events, and the `event_hash` of the last one received that bears one. */
export interface LogHead {
  readonly hash: string | null
  readonly events: number
}

export interface RunStoreService {
  readonly info: StoreInfo
  /** Writes and reads back a row: fails when the store cannot take writes. */
  readonly ping: Effect.Effect<void, RunStoreError>
  /** Inserts each run once; a known event_id changes nothing. One bad run never harms its neighbours. In order. */
  readonly insert: (
    runs: ReadonlyArray<RunCreate>,
  ) => Effect.Effect<ReadonlyArray<"created" | "duplicate">, RunStoreError>
  /**
   * Applies operations in order, all durable when it returns; idempotent by event_id. An update that arrives before its
   * create waits for it in the store.
   */
  readonly apply: (
    operations: ReadonlyArray<ReceivedOperation>,
    client: ClientReport,
  ) => Effect.Effect<ReadonlyArray<OperationResult>, RunStoreError>
  /** Changes a row; none when there is no such event_id, otherwise the fields that changed and the run after it. */
  readonly update: (
    eventId: string,
    patch: RunPatch,
  ) => Effect.Effect<
    Option.Option<{ readonly fields: ReadonlyArray<string>; readonly ignored: string | null; readonly run: RunRecord }>,
    RunStoreError
  >
  /** By event_id, else the newest row of that run_id. */
  readonly get: (id: string) => Effect.Effect<Option.Option<RunRecord>, RunStoreError>
  /**
   * The events of a run in the order in which they were received, from the one after the event `after` on, at most `limit` and
   * fewer when they are large; none when `after` is not an event of the run. `more` says whether others follow.
   */
  readonly events: (
    runId: string,
    page: { readonly after?: string | undefined; readonly limit: number },
  ) => Effect.Effect<
    Option.Option<{ readonly events: ReadonlyArray<ReceivedEvent>; readonly more: boolean }>,
    RunStoreError
  >
  /** Where the log of a run ends as far as the store has it; none when the store knows neither a row nor an event of the run. */
  readonly logHead: (runId: string) => Effect.Effect<Option.Option<LogHead>, RunStoreError>
  /**
   * Ends as `timeout` every running row whose last sign of life came before the instant `before`, and says how many. A sign of
   * life is whatever was received of the row, of its run's events and client reports, of its parent, its children and its
   * siblings, by this store's clock. The ending is inferred: the client's own word replaces it whenever it comes.
   */
  readonly closeStale: (options: { readonly before: string }) => Effect.Effect<number, RunStoreError>
  /** One page, newest first. */
  readonly list: (filter: RunFilter, page: Page) => Effect.Effect<ReadonlyArray<RunRecord>, RunStoreError>
  /** Every match, newest first, without holding them all. */
  readonly stream: (filter: RunFilter) => Stream.Stream<RunRecord, RunStoreError>
  readonly count: (filter: RunFilter) => Effect.Effect<number, RunStoreError>
  /** A run and all its descendants, unordered; empty when there is no such run_id. */
  readonly family: (runId: string) => Effect.Effect<ReadonlyArray<RunRecord>, RunStoreError>
  readonly stats: (groupBy: GroupBy, filter: RunFilter) => Effect.Effect<ReadonlyArray<StatsGroup>, RunStoreError>
  readonly metadata: Effect.Effect<Metadata, RunStoreError>
  /** `nowMillis` decides what the last 24 hours are. */
  readonly metrics: (nowMillis: number) => Effect.Effect<Metrics, RunStoreError>
}

/** Keeps runs and answers questions about them. It never writes events of its own and knows nothing of HTTP. */
export class RunStore extends Context.Tag("runledger/services/RunStore")<RunStore, RunStoreService>() {}
