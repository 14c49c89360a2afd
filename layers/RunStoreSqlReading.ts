import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Page, RunStoreError, type RunStoreService, type StoreInfo } from "../services/RunStore.js"
import type { RunFilter, RunRecord } from "../src/domain/Run.js"
import type { Metadata, StatsGroup } from "../src/domain/Stats.js"
import * as Counts from "./RunStoreSqlCounts.js"
import type { Database } from "./RunStoreSqlDatabase.js"
import * as Events from "./RunStoreSqlEvents.js"
import { bytes } from "./RunStoreSqlPageBytes.js"
import * as Queries from "./RunStoreSqlQueries.js"
import * as Reader from "./RunStoreSqlReader.js"
import { isShortWalk, type Kind, type Reads } from "./RunStoreSqlReads.js"

/** Rows of a stream that are read at once: what its reader holds, and as long as it keeps a snapshot of the database. */
const STREAM_ROWS = 500

/** The same of calls, of which little is sent. */
const CALLS_AT_ONCE = 2000

/** Rows of a page whose limit nobody gave. */
const ALL_ROWS = Number.MAX_SAFE_INTEGER - 1

/** The half of the store that reads. */
export type Reading = Pick<
  RunStoreService,
  "get" | "events" | "logHead" | "list" | "stream" | "count" | "json" | "stats" | "metadata" | "metrics"
>

export interface Options {
  readonly info: StoreInfo
  /** A connection that only reads, of the thread that writes. */
  readonly database: Database
  /** Turns what fails into the store's own error, by the name of the operation. */
  readonly translated: (operation: string) => <A, E>(self: Effect.Effect<A, E>) => Effect.Effect<A, RunStoreError>
}

const decoder = new TextDecoder()

const rowsOf = ({ json }: { readonly json: Uint8Array }): ReadonlyArray<RunRecord> =>
  JSON.parse(`[${decoder.decode(json)}]`)

/** What has a reason is no fault of the disk, and says what to do itself. */
const reasoned = (operation: string, error: Reader.ReaderError): Reader.ReaderError | RunStoreError => {
  const { message, reason } = error
  return reason === undefined ? error : new RunStoreError({ operation, message, reason, cause: error })
}

/**
 * Reads that end within a few milliseconds whatever the store holds are done on the thread that writes; every other goes to a
 * thread that reads, where they take turns.
 */
export const make = ({ info, database, translated }: Options): Effect.Effect<Reading, never, Scope.Scope> =>
  Effect.gen(function* () {
    const reader = yield* Reader.make(info.path)

    const here = <A>(operation: string, query: (db: Database) => A): Effect.Effect<A, RunStoreError> =>
      translated(operation)(Effect.try(() => query(database)))

    const there = <K extends Kind>(operation: string, kind: K, asks: Reads[K]["asks"]) =>
      translated(operation)(Effect.mapError(reader.ask(kind, asks), (error) => reasoned(operation, error)))

    /** Here when it is known to be short, there when it may be long. */
    const either = <K extends Kind>(
      operation: string,
      glance: (db: Database) => Reads[K]["gets"] | undefined,
      kind: K,
      asks: Reads[K]["asks"],
    ): Effect.Effect<Reads[K]["gets"], RunStoreError> =>
      Effect.flatMap(
        here(operation, glance),
        (known): Effect.Effect<Reads[K]["gets"], RunStoreError> =>
          known === undefined ? there(operation, kind, asks) : Effect.succeed(known),
      )

    const page = (
      filter: RunFilter,
      wanted: Queries.BoundedPage,
      separator: string,
    ): Effect.Effect<Queries.RowsBytes, RunStoreError> => {
      const asked = { filter, page: wanted, separator }
      const whole = there("list runs", "page", asked)
      const orWhole = (found: Queries.RowsBytes | undefined) => (found === undefined ? whole : Effect.succeed(found))
      const briefly = Effect.suspend(() =>
        isShortWalk(asked) ? Effect.flatMap(there("list runs", "briefPage", asked), orWhole) : whole,
      )
      return Effect.flatMap(
        here("list runs", (db) => Queries.pageAtGlance(db, filter, wanted, separator)),
        (known) => (known === undefined ? briefly : Effect.succeed(known)),
      )
    }

    const pages = (
      filter: RunFilter,
      offset: number,
      separator: string,
    ): Stream.Stream<Queries.RowsBytes, RunStoreError> =>
      Stream.paginateChunkEffect<Queries.BoundedPage, Queries.RowsBytes, RunStoreError, never>(
        { limit: Queries.SHORT_PAGE, offset, part: true },
        (wanted) =>
          Effect.map(page(filter, wanted, separator), (found) => [
            found.rows === 0 ? Chunk.empty() : Chunk.of(found),
            Option.map(Option.fromNullable(found.next), (after) => ({ limit: STREAM_ROWS, after, part: true })),
          ]),
      )

    const allCalls = (filter: RunFilter) =>
      Stream.paginateChunkEffect<Page["after"], Uint8Array, RunStoreError, never>(undefined, (after) =>
        Effect.map(there("read calls", "calls", { filter, after, limit: CALLS_AT_ONCE }), ({ json, next }) => [
          Chunk.of(json),
          Option.fromNullable(next),
        ]),
      )

    const callsUnder = (filter: RunFilter, under: string): Stream.Stream<Uint8Array, RunStoreError> =>
      Stream.unwrap(
        Effect.map(there("read calls", "callsUnder", { filter, under }), (ids) =>
          Stream.paginateChunkEffect<number, Uint8Array, RunStoreError, never>(0, (from) =>
            Effect.map(
              there("read calls", "callsAt", { ids: ids.slice(from, from + CALLS_AT_ONCE) }),
              ({ json, looked }) => [Chunk.of(json), Option.liftPredicate(from + looked, (next) => next < ids.length)],
            ),
          ),
        ),
      )

    const json: RunStoreService["json"] = {
      page: (filter, wanted) => page(filter, wanted, ","),
      rows: (filter, { offset = 0, separator = "," } = {}) =>
        pages(filter, offset, separator).pipe(
          Stream.mapAccum(false, (isLater, { json: rows }) => [
            true,
            isLater ? Chunk.make(bytes(separator), rows) : Chunk.of(rows),
          ]),
          Stream.flattenChunks,
        ),
      calls: (filter, under) => (under === undefined ? allCalls(filter) : callsUnder(filter, under)),
      tree: (id) => Effect.map(there("read a run's tree", "tree", { id }), Option.fromNullable),
      stats: (groupBy, filter) => there("sum up runs", "stats", { groupBy, filter }),
    }

    let known: { readonly version: number; readonly metadata: Metadata } | undefined

    const metadata: RunStoreService["metadata"] = Effect.gen(function* () {
      const version = yield* here("list names", Counts.version)
      if (known?.version === version) return { ...known.metadata, cache_hit: true }
      known = yield* there("list names", "metadata", {})
      return known.metadata
    })

    return {
      get: (id) => here("read a run", (db) => Option.fromNullable(Queries.get(db, id))),
      events: (runId, wanted) => here("read a run's events", (db) => Events.events(db, runId, wanted)),
      logHead: (runId) => here("read a run's events", (db) => Events.logHead(db, runId)),
      list: (filter, wanted) => Effect.map(page(filter, { ...wanted, limit: wanted.limit ?? ALL_ROWS }, ","), rowsOf),
      stream: (filter) => Stream.mapConcat(pages(filter, 0, ","), rowsOf),
      count: (filter) => either("count runs", (db) => Counts.atGlance(db, filter), "count", { filter }),
      json,
      stats: (groupBy, filter) =>
        Effect.map(json.stats(groupBy, filter), (text): ReadonlyArray<StatsGroup> => JSON.parse(decoder.decode(text))),
      metadata,
      metrics: (nowMillis) => there("measure itself", "metrics", { info, nowMillis }),
    }
  })
