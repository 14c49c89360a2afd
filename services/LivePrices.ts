import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { OLD_AFTER_DAYS } from "../src/domain/PriceAge.js"
import type { PriceBookService } from "./PriceBook.js"

/** The prices could not be read anew. `message` names the file and says what to do; what was in force before stays so. */
export class PricesUnusable extends Data.TaggedError("PricesUnusable")<{
  readonly message: string
  readonly cause?: unknown
}> {}

export interface LivePricesService {
  /** The prices in force now. Synchronous. */
  readonly unsafeCurrent: () => PriceBookService
  /** Reads the user's file anew and puts it in force, for everybody who asks from then on. */
  readonly reload: Effect.Effect<PriceBookService, PricesUnusable>
  /** After so many days a table is called old. */
  readonly oldAfterDays: number
}

/** No price is known. */
export const UNKNOWN: PriceBookService = { unsafePriceOf: () => Option.none(), listed: [], unpriced: [], readOn: "" }

/** The prices of a process that lives longer than its price file stays the same: a server. */
export class LivePrices extends Context.Tag("runledger/services/LivePrices")<LivePrices, LivePricesService>() {}

const NONE: LivePricesService = {
  unsafeCurrent: () => UNKNOWN,
  reload: Effect.succeed(UNKNOWN),
  oldAfterDays: OLD_AFTER_DAYS,
}

/** The prices of this process; none that it knows where nobody gave it any. */
export const livePrices: Effect.Effect<LivePricesService> = Effect.map(
  Effect.serviceOption(LivePrices),
  Option.getOrElse(() => NONE),
)
