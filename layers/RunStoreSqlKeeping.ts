import type * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RunStoreError } from "../services/RunStore.js"
import type { StoreKeeping } from "../services/StoreKeeping.js"
import * as Ballast from "./RunStoreSqlBallast.js"
import * as Database from "./RunStoreSqlDatabase.js"
import type * as Health from "./RunStoreSqlHealth.js"
import * as Retention from "./RunStoreSqlRetention.js"
import * as Space from "./RunStoreSqlSpace.js"

/** How the house of a store that is served is kept; a store that is only used for a moment goes without. */
export interface House {
  /** How much is put by for a full disk; 0 for nothing. */
  readonly ballastBytes: number
}

export interface Options {
  readonly path: string
  readonly sql: SqlClient.SqlClient
  readonly writes: Retention.Desk["writes"]
  readonly watch: Health.Watch
  readonly house: House | undefined
  /** A turn in the writers' queue, in a transaction or without one; what fails is translated. */
  readonly transact: Retention.Desk["transact"]
  readonly alone: Retention.Desk["alone"]
  readonly translated: (operation: string) => (cause: unknown) => RunStoreError
}

/** What the store needs of its house: the gate before every write, and what the service offers. */
export interface Keeping {
  readonly ballast: Ballast.Ballast
  readonly service: StoreKeeping
}

const PAGE_CACHE_KIB = 8192

const connected = (path: string): Effect.Effect<Database.Database, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => Database.open(path, PAGE_CACHE_KIB)),
    (database) => Effect.sync(() => database.close()),
  )

/** Keeps the house of one store until the scope closes. */
export const make = (options: Options): Effect.Effect<Keeping, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { path, sql, house, watch, transact, alone, translated } = options
    const space = Space.make(sql, path)
    const relief = alone("fold its log", space.fold)
    const ballast = yield* Ballast.make({
      path,
      bytes: house?.ballastBytes ?? 0,
      relief,
      isWatched: house !== undefined,
    })
    const database = yield* connected(path)

    const look = <A>(question: () => A): Effect.Effect<A, RunStoreError> =>
      Effect.try({ try: question, catch: translated("look for old runs") })

    const prune = Retention.make({
      sql,
      database,
      writes: options.writes,
      space,
      transact: (operation, work) => ballast.helped(transact(operation, work)),
      alone,
      isFull: ballast.isFull,
      look,
    })
    return {
      ballast,
      service: {
        prune,
        vacuum: alone("write itself anew", space.rewrite),
        condition: Effect.map(alone("measure itself", space.size), (size) => ({
          ...watch.health(),
          disk_full: ballast.isFull(),
          ballast_bytes: ballast.bytes(),
          size,
        })),
        integrity: Effect.sync(watch.integrity),
      },
    }
  })
