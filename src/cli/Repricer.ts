import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { PriceBook } from "../../services/PriceBook.js"
import type { RunStoreService } from "../../services/RunStore.js"
import type { RepriceOptions as StepOptions } from "../../services/StoreRepricing.js"
import { tablesOf } from "../domain/PriceTableNames.js"
import {
  RepricedCall,
  type RepriceFilter,
  type RepricePlace,
  RepriceStep,
  Repricing,
  UndoStep,
} from "../domain/Repricing.js"
import { type CommandError, failure, usage } from "./CommandError.js"
import * as Environment from "./Environment.js"
import * as OwnStore from "./OwnStore.js"
import { isThere } from "./PruneServer.js"
import { DEFAULT_DB_PATH } from "./ServeProgram.js"
import * as ServerCall from "./ServerCall.js"
import * as ServerProbe from "./ServerProbe.js"
import { type Platform, Wiring } from "./Wiring.js"

const failed = (error: { readonly message: string }) => failure(error.message, error)

/** Calls of a repricing that are read at a time. */
export const CALLS_AT_ONCE = 1000

const WORDS: ServerCall.Words = {
  brokeOff: "What is changed by now is changed whole, and kept with what it was before; run this again.",
  refused: "Nothing but whole steps is done; mend that and run this again.",
}

/** The server does it: it alone writes to its database, at the prices that it knows. */
const ofServer = (env: Environment.Environment, database: string) => {
  const ask = ServerCall.asking(env, WORDS)
  const known = <A>(answer: Option.Option<A>) =>
    Option.match(answer, {
      onSome: Effect.succeed,
      onNone: () =>
        failure("The server cannot reprice: it is of an older version. Use the same Runledger on both sides."),
    })
  return {
    database,
    reprice: (filter: RepriceFilter, dryRun: boolean, place: RepricePlace | undefined) =>
      Effect.flatMap(
        ask(RepriceStep, "/api/v1/maintenance/reprice", { ...filter, dry_run: dryRun, ...(place && { place }) }),
        known,
      ),
    undo: (id: number, dryRun: boolean, after: string | undefined) =>
      ask(UndoStep, `/api/v1/maintenance/repricings/${id}/undo`, {
        dry_run: dryRun,
        ...(after === undefined ? {} : { after }),
      }),
    history: Effect.flatMap(ask(Schema.Array(Repricing), "/api/v1/maintenance/repricings"), known),
    calls: (id: number, after: string) =>
      ask(
        Schema.Array(RepricedCall),
        `/api/v1/maintenance/repricings/${id}/calls?limit=${CALLS_AT_ONCE}&after=${encodeURIComponent(after)}`,
      ),
  }
}

/** This process does it, at the prices of its own settings, which are read once. */
const ofStore = (
  { repricing }: RunStoreService,
  priced: Effect.Effect<Pick<StepOptions, "priceOf" | "priceTables">, CommandError>,
  database: string,
) => ({
  database,
  reprice: (filter: RepriceFilter, dryRun: boolean, place: RepricePlace | undefined) =>
    Effect.flatMap(priced, (prices) =>
      Effect.mapError(repricing.reprice({ ...prices, filter, dryRun, place }), failed),
    ),
  undo: (id: number, dryRun: boolean, after: string | undefined) =>
    Effect.mapError(repricing.undo({ repricingId: id, dryRun, after }), failed),
  history: Effect.mapError(repricing.history, failed),
  calls: (id: number, after: string) => Effect.mapError(repricing.calls(id, { limit: CALLS_AT_ONCE, after }), failed),
})

/** Whoever may write to the database that is meant: the server that has it, else this process. */
export const make = (db: Option.Option<string>) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const env = yield* Environment.load
    const probe = yield* ServerProbe.probe(Environment.serverOf(env))
    const named = Option.map(db, (file) => path.resolve(file))
    if (probe.kind === "runledger" && Option.getOrElse(named, () => probe.dbPath) === probe.dbPath) {
      return ofServer(env, probe.dbPath)
    }
    const file = Option.getOrElse(named, () => path.resolve(Option.getOrElse(env.dbPath, () => DEFAULT_DB_PATH)))
    if (!(yield* isThere(file))) return yield* usage(`There is no database ${file}. Name one with --db.`)
    const store = yield* OwnStore.open(file)
    const { prices } = yield* Wiring
    const context = yield* Effect.context<Platform>()
    const priced = yield* Effect.cached(
      Effect.map(PriceBook, (book) => ({ priceOf: book.unsafePriceOf, priceTables: tablesOf(book) })).pipe(
        Effect.provide(prices(env.prices)),
        Effect.provide(context),
      ),
    )
    return ofStore(store, priced, file)
  })

export type Repricer = Effect.Effect.Success<ReturnType<typeof make>>
