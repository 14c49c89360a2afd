import type { StoreInfo } from "../services/RunStore.js"
import type { RunFilter } from "../src/domain/Run.js"
import type { GroupBy, Metadata, Metrics } from "../src/domain/Stats.js"
import * as Calls from "./RunStoreSqlCalls.js"
import * as Counts from "./RunStoreSqlCounts.js"
import type { Database } from "./RunStoreSqlDatabase.js"
import { type Bytes, bytes } from "./RunStoreSqlPageBytes.js"
import * as Queries from "./RunStoreSqlQueries.js"
import * as Stats from "./RunStoreSqlStats.js"
import * as Sums from "./RunStoreSqlSums.js"
import * as Tree from "./RunStoreSqlTree.js"
import { isAnswered, newestFirst } from "./RunStoreSqlWhere.js"

interface PageAsked {
  readonly filter: RunFilter
  readonly page: Queries.BoundedPage
  readonly separator: string
}

/** A read that may take long, as it is put to the thread that reads; with the answer that it gets. */
export interface Reads {
  readonly page: { readonly asks: PageAsked; readonly gets: Queries.RowsBytes }
  /** The same page when its rows are small; without an answer when they are not. */
  readonly briefPage: { readonly asks: PageAsked; readonly gets: Queries.RowsBytes | undefined }
  readonly calls: { readonly asks: Calls.Asked; readonly gets: Queries.RowsBytes }
  /** The places of a run's calls, and calls at such places. */
  readonly callsUnder: { readonly asks: Calls.AskedUnder; readonly gets: Float64Array<ArrayBuffer> }
  readonly callsAt: { readonly asks: Calls.AskedAt; readonly gets: Calls.LinesBytes }
  readonly count: { readonly asks: { readonly filter: RunFilter }; readonly gets: number }
  readonly tree: { readonly asks: { readonly id: string }; readonly gets: Bytes | undefined }
  readonly stats: { readonly asks: { readonly groupBy: GroupBy; readonly filter: RunFilter }; readonly gets: Bytes }
  readonly metadata: {
    readonly asks: { readonly [none: string]: never }
    readonly gets: { readonly version: number; readonly metadata: Metadata }
  }
  readonly metrics: { readonly asks: { readonly info: StoreInfo; readonly nowMillis: number }; readonly gets: Metrics }
}
export type Kind = keyof Reads

export type Read = { [K in Kind]: { readonly kind: K; readonly asks: Reads[K]["asks"] } }[Kind]

/** Rows that a page of a brief read may pass over or give. */
const FEW_ROWS = 1000

/** Whether a page meets few rows: what remains to be told is how large they are. */
export const isShortWalk = ({ filter, page }: PageAsked): boolean =>
  page.limit + (page.offset ?? 0) <= FEW_ROWS && isAnswered(filter, newestFirst(filter))

/** Whether a read ends within some tens of milliseconds whatever the store holds: no other kind may keep it waiting. */
export const isBrief = ({ kind, asks }: Read): boolean => {
  switch (kind) {
    case "metadata":
    case "metrics":
      return true
    case "count":
      return Sums.areKept(asks.filter)
    case "stats":
      return Sums.areKeptBy(asks.filter, asks.groupBy)
    case "briefPage":
      return true
    case "page":
    case "calls":
    case "callsUnder":
    case "callsAt":
    case "tree":
      return false
  }
}

const answers: { readonly [K in Kind]: (db: Database, asks: Reads[K]["asks"]) => Reads[K]["gets"] } = {
  page: (db, { filter, page, separator }) => Queries.page(db, filter, page, separator),
  briefPage: (db, { filter, page, separator }) => Queries.briefPage(db, filter, page, separator),
  calls: (db, asked) => Calls.page(db, asked),
  callsUnder: (db, asked) => Calls.idsUnder(db, asked),
  callsAt: (db, asked) => Calls.at(db, asked),
  count: (db, { filter }) => Counts.count(db, filter),
  tree: (db, { id }) => Tree.tree(db, id),
  stats: (db, { groupBy, filter }) => bytes(JSON.stringify(Stats.stats(db, groupBy, filter))),
  metadata: (db) => Counts.metadata(db),
  metrics: (db, { info, nowMillis }) => Counts.metrics(db, info, nowMillis),
}

/** Answers a read; throws what the driver throws. */
export const answer = <K extends Kind>(db: Database, kind: K, asks: Reads[K]["asks"]): Reads[K]["gets"] =>
  answers[kind](db, asks)

/** The memory of an answer that goes over to who asked. */
export const transferred = (got: Reads[Kind]["gets"]): ReadonlyArray<ArrayBuffer> => {
  if (got instanceof Uint8Array || got instanceof Float64Array) return [got.buffer]
  return typeof got === "object" && "json" in got ? [got.json.buffer] : []
}
