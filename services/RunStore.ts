import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { CommitAssociation } from "../src/domain/CommitAssociation.js"
import type { ClientReport, Operation, OperationResult } from "../src/domain/Operation.js"
import type { RunCreate, RunFilter, RunPatch, RunRecord } from "../src/domain/Run.js"
import type { GroupBy, Metadata, Metrics, StatsGroup } from "../src/domain/Stats.js"
import type { StoreKeeping } from "./StoreKeeping.js"
import type { StoreRepricing } from "./StoreRepricing.js"

/** The store could not do what it was asked. `message` names the file and the next step; `cause` stays inside. */
export class RunStoreError extends Schema.TaggedError<RunStoreError>()("RunStoreError", {
  operation: Schema.String,
  message: Schema.String,
  /**
   * `full`: there is no room on the disk; reads go on, and writes are let in again by themselves once there is. `too large`: the
   * answer would be larger than one may be, also the next time. `busy`: too many reads wait already.
   */
  reason: Schema.optional(Schema.Literal("full", "too large", "busy")),
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

/** Who was given to a commit: the run_id of the row that was named, and how many rows it were, that one included. */
export interface Associated {
  readonly runId: string
  readonly rows: number
}

/** Where the changes of a store stand. */
export interface StorePosition {
  /** Names this store among others: the same for as long as it lives. */
  readonly store: string
  /** The number of the newest change; 0 before the first. Numbers rise and are never given twice. */
  readonly revision: number
}

/** A row as it is now, under the number of its newest change. */
export interface RunChange {
  readonly revision: number
  /** The record, as JSON on one line. */
  readonly text: string
}

/** Changed rows in the order of their newest changes. */
export interface RunChanges {
  readonly changes: ReadonlyArray<RunChange>
  /** Every change up to this one has been looked at, also those that the filter leaves out. */
  readonly revision: number
  /** Whether there were others after it. */
  readonly more: boolean
}

/** A page of runs as JSON: the rows alone, a comma between each two. */
export interface RunsPage {
  readonly json: Uint8Array
  readonly rows: number
  /** What `after` of the next page is; undefined when there is none. */
  readonly next: Page["after"]
}

/** Answers as JSON in UTF-8. Reads take turns; one that is interrupted while it waits is never begun. */
export interface RunsJson {
  /** Fails as `too large` beyond 256 MiB: ask for fewer rows. */
  readonly page: (filter: RunFilter, page: Page & { readonly limit: number }) => Effect.Effect<RunsPage, RunStoreError>
  /**
   * Every match from `offset` on, newest first, `separator` (a comma) between each two: page by page, so that neither the rows
   * nor a snapshot of the store are held longer than a page is read. A page ends early when its rows are large.
   */
  readonly rows: (
    filter: RunFilter,
    options?: { readonly offset?: number; readonly separator?: string },
  ) => Stream.Stream<Uint8Array, RunStoreError>
  /**
   * Every call that matches and bears its own cost, newest first, each a `CallRecord` on a line of its own; with `under` only
   * those of that run_id and of all that it started, directly or not. Page by page, as `rows`.
   */
  readonly calls: (filter: RunFilter, under?: string) => Stream.Stream<Uint8Array, RunStoreError>
  /** A `RunTreeNode` of the run of a run_id, else of an event_id; none when there is no such row. */
  readonly tree: (id: string) => Effect.Effect<Option.Option<Uint8Array>, RunStoreError>
  /** An array of `StatsGroup`. */
  readonly stats: (groupBy: GroupBy, filter: RunFilter) => Effect.Effect<Uint8Array, RunStoreError>
}

export interface RunStoreService {
  readonly info: StoreInfo
  /** How old runs go, and how the database stands. */
  readonly keeping: StoreKeeping
  /** How what calls cost is changed on purpose. */
  readonly repricing: StoreRepricing
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
  /**
   * Gives the row of an event_id to a commit, with `propagate` also whatever its run started, directly or not: all or none.
   * None when there is no such event_id. It is no sign of life.
   */
  readonly associateCommit: (
    eventId: string,
    commit: CommitAssociation,
    options: { readonly propagate: boolean },
  ) => Effect.Effect<Option.Option<Associated>, RunStoreError>
  readonly position: Effect.Effect<StorePosition, RunStoreError>
  /**
   * The rows that changed after a revision, a bounded number of them at a time. A row that changed several times comes once, as
   * it is now. Rows that were removed do not come.
   */
  readonly changes: (filter: RunFilter, after: number) => Effect.Effect<RunChanges, RunStoreError>
  /** Returns once there is a change after a revision: at once when there is, else when it has been made durable here. */
  readonly awaitChange: (after: number) => Effect.Effect<void, RunStoreError>
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
  /** The same answers as JSON in UTF-8, ready to be sent: large ones are written where no writer waits for them. */
  readonly json: RunsJson
  readonly stats: (groupBy: GroupBy, filter: RunFilter) => Effect.Effect<ReadonlyArray<StatsGroup>, RunStoreError>
  readonly metadata: Effect.Effect<Metadata, RunStoreError>
  /** `nowMillis` decides what the last 24 hours are. */
  readonly metrics: (nowMillis: number) => Effect.Effect<Metrics, RunStoreError>
}

/** Keeps runs and answers questions about them. It never writes events of its own and knows nothing of HTTP. */
export class RunStore extends Context.Tag("runledger/services/RunStore")<RunStore, RunStoreService>() {}
