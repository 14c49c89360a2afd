import * as Context from "effect/Context"
import type * as Option from "effect/Option"
import type { Price } from "../src/domain/Cost.js"

export interface PriceBookService {
  /**
   * The price of a model at an instant (epoch ms), from rates compiled when the layer was built: a synchronous look-up, no
   * I/O. None means unpriced; a sibling's price is never given. Matches the exact id, a known alias, or the id with a date
   * suffix.
   */
  readonly unsafePriceOf: (provider: string, model: string, atMillis: number) => Option.Option<Price>
}

/** What tokens cost, and where each rate was read. */
export class PriceBook extends Context.Tag("runledger/services/PriceBook")<PriceBook, PriceBookService>() {}
