import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import { PriceBook, type PriceBookService } from "../../services/PriceBook.js"
import * as PriceAge from "../domain/PriceAge.js"
import * as Environment from "./Environment.js"
import { Wiring } from "./Wiring.js"

/** Says in one line on stderr that a table of prices is old, when it is. */
export const said = ({ readOn }: PriceBookService) =>
  Effect.gen(function* () {
    const env = yield* Environment.load
    const now = yield* Clock.currentTimeMillis
    const badge = PriceAge.badge(PriceAge.of(readOn, now, env.pricesOldAfterDays))
    if (badge !== null) yield* Effect.logWarning(badge)
  })

/** The same of the table that a launch works with. */
export const saidOf = (pricesFile: Option.Option<string>) =>
  Effect.flatMap(Wiring, (wiring) => Effect.provide(Effect.flatMap(PriceBook, said), wiring.prices(pricesFile)))
