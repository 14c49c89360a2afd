import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { CallRecord } from "../src/domain/CallRecord.js"
import type { ReceivedEvent } from "../src/domain/Received.js"
import type { RunFilter, RunRecord } from "../src/domain/Run.js"
import type { RunTreeNode } from "../src/domain/RunTree.js"

/** Runs could not be read. `message` names the server or folder and the next step. */
export class RunReaderError extends Schema.TaggedError<RunReaderError>()("RunReaderError", {
  source: Schema.String,
  message: Schema.String,
  cause: Schema.optional(Schema.Defect),
}) {}

/** Where the answers come from: a server's address or a folder of run folders. */
export interface RunSource {
  readonly kind: "server" | "folders"
  readonly location: string
}

/** Where a run's log ends: the `event_hash` of its last chained event, null when it has none, and how many events there are. */
export interface LogHead {
  readonly hash: string | null
  readonly events: number
}

export interface RunReaderService {
  readonly source: RunSource
  /** Every match, newest first (created_at, then id), at most `limit` of them, without holding them all. */
  readonly stream: (filter: RunFilter, limit?: number) => Stream.Stream<RunRecord, RunReaderError>
  /**
   * Every call that matches and bears its own cost, newest first, without holding them all: a call that other calls ran inside
   * of is left out, so that sums over these are what trees and stats say. With `under` only those of that run_id and of all
   * that it started, directly or not.
   */
  readonly calls: (filter: RunFilter, under?: string) => Stream.Stream<CallRecord, RunReaderError>
  /** Every job_type that occurs, sorted. */
  readonly jobTypes: Effect.Effect<ReadonlyArray<string>, RunReaderError>
  /** By event_id, else the newest row of that run_id. */
  readonly get: (id: string) => Effect.Effect<Option.Option<RunRecord>, RunReaderError>
  /** A run with its descendants nested and rolled up; none when there is no such run_id. */
  readonly tree: (runId: string) => Effect.Effect<Option.Option<RunTreeNode>, RunReaderError>
  /** Where a run's log ends as far as the source has it; none when there is no such run_id. */
  readonly logHead: (runId: string) => Effect.Effect<Option.Option<LogHead>, RunReaderError>
  /** Every event that the source has of a run, in its order, without holding them all; empty when there is no such run_id. */
  readonly events: (runId: string) => Stream.Stream<ReceivedEvent, RunReaderError>
}

/**
 * Answers questions about recorded runs, wherever they are kept. Row ids are the source's own; everything else of a row is
 * the same from each source. Changes nothing.
 */
export class RunReader extends Context.Tag("runledger/services/RunReader")<RunReader, RunReaderService>() {}
