import * as Context from "effect/Context"
import type * as Option from "effect/Option"
import type { Price } from "../src/domain/Cost.js"
import type { ListedPrice } from "../src/domain/PriceTable.js"

export interface PriceBookService {
  /**
   * The price of a model at an instant (epoch ms), from rates compiled when the layer was built: a synchronous look-up, no
   * I/O. None means unpriced; a sibling's price is never given. Matches the exact id, a known alias, or the id with a date
   * suffix.
   */
  readonly unsafePriceOf: (provider: string, model: string, atMillis: number) => Option.Option<Price>
  /** Every price of the table with its provenance, in the order in which they are asked: of the same name the first counts. */
  readonly listed: ReadonlyArray<ListedPrice>
  /** Models that are unpriced on purpose, by whole name. */
  readonly unpriced: ReadonlyArray<{ readonly provider: string; readonly model: string }>
  /** The day (`YYYY-MM-DD`) on which the table's own rates were last read: how old it is. A user's file does not make it younger. */
  readonly readOn: string
}

/** What tokens cost, and where each rate was read. */
export class PriceBook extends Context.Tag("runledger/services/PriceBook")<PriceBook, PriceBookService>() {}
