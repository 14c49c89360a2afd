import * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { LivePrices, PricesUnusable } from "../services/LivePrices.js"
import { PriceBook, type PriceBookService } from "../services/PriceBook.js"
import { OLD_AFTER_DAYS } from "../src/domain/PriceAge.js"
import * as PriceBookFound from "./PriceBookFound.js"

/** How often it is looked whether the file is another one. */
const EVERY = Duration.seconds(5)

const unusable = (error: { readonly message: string }): PricesUnusable =>
  new PricesUnusable({ message: error.message, cause: error })

const oldAfterDays = Config.integer("RUNLEDGER_PRICES_OLD_AFTER_DAYS").pipe(Config.withDefault(OLD_AFTER_DAYS))

/** Which file it is and when it was written; the same text for as long as nobody touches it. */
const standing = (named: Option.Option<string>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = yield* PriceBookFound.find(named)
    if (Option.isNone(file)) return ""
    const stat = yield* fs.stat(file.value)
    return JSON.stringify([file.value, Option.map(stat.mtime, (mtime) => mtime.getTime()), String(stat.size), stat.ino])
  }).pipe(Effect.orElseSucceed(() => ""))

const make = Effect.fn("LivePricesTable.make")(function* (named: Option.Option<string>) {
  const fs = yield* FileSystem.FileSystem
  const read: Effect.Effect<PriceBookService, PricesUnusable> = Effect.scoped(
    Effect.flatMap(Layer.build(PriceBookFound.layer(named)), (context) => Effect.provide(PriceBook, context)),
  ).pipe(Effect.provideService(FileSystem.FileSystem, fs), Effect.mapError(unusable))
  let known = yield* standing(named)
  let current = yield* read
  const reload = Effect.tap(read, (book) =>
    Effect.sync(() => {
      current = book
    }),
  )

  const look = Effect.gen(function* () {
    const now = yield* standing(named)
    if (now === known) return
    known = now
    yield* Effect.zipRight(reload, Effect.logInfo("The price file changed: its prices are in force from now on."))
  }).pipe(Effect.catchAll(({ message }) => Effect.logWarning(`${message} Until then prices stay as they were.`)))

  yield* Effect.repeat(look, Schedule.spaced(EVERY)).pipe(Effect.delay(EVERY), Effect.forkScoped)
  return { unsafeCurrent: () => current, reload, oldAfterDays: yield* Effect.mapError(oldAfterDays, unusable) }
})

/**
 * The prices of `PriceBookTable`, read when the layer is built, again whenever that is asked for, and a few seconds after their
 * file changed: the file that is named, else the one beside the database when there is one by then. A bad file fails the start;
 * later it is a warning, and what was in force stays. Reads `RUNLEDGER_PRICES_OLD_AFTER_DAYS` (60).
 */
export const layer = (named: Option.Option<string>): Layer.Layer<LivePrices, PricesUnusable, FileSystem.FileSystem> =>
  Layer.scoped(LivePrices, make(named))
