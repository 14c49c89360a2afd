import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { livePrices } from "../../services/LivePrices.js"
import type { RunStoreService } from "../../services/RunStore.js"
import * as CanonicalJson from "../domain/CanonicalJson.js"
import { tablesOf } from "../domain/PriceTableNames.js"
import { add, type RepriceFilter, type UndoStep } from "../domain/Repricing.js"
import { fromMillis, parseMillis } from "../domain/Timestamp.js"
import { Refused } from "./ApiErrors.js"
import { decoder, one } from "./Decoding.js"
import { type RepricedQuery, RepriceRequest, UndoRequest } from "./MaintenanceApi.js"
import * as RequestBody from "./RequestBody.js"

const MAX_BODY_BYTES = 64 * 1024
/** How long one request works: far below what clients wait for. */
const WORK_MILLIS = 3000
const MOST_CALLS = 1000
const CALLS = 100

const UNUSABLE = {
  status: 503,
  detail: "The server's price file cannot be used. Its log says why; mend the file and try again.",
} as const

const decodeReprice = decoder(RepriceRequest)
const decodeUndo = decoder(UndoRequest)

const instant = (name: string, text: string | undefined) => {
  if (text === undefined) return Effect.succeed({})
  const millis = parseMillis(text)
  return millis === undefined
    ? new Refused({ status: 400, detail: `${name} must be an ISO-8601 timestamp with a zone` })
    : Effect.succeed({ [name]: fromMillis(millis) })
}

const filterOf = (request: RepriceRequest) =>
  Effect.gen(function* () {
    const { dry_run: _dryRun, place: _place, start_time_from, start_time_to, ...filter } = request
    return {
      ...filter,
      ...(yield* instant("start_time_from", start_time_from)),
      ...(yield* instant("start_time_to", start_time_to)),
    } satisfies RepriceFilter
  })

/** Only the first request of a repricing reads the price file anew; that the others go on at its prices is checked. */
const pricesFor = ({ place }: RepriceRequest) =>
  Effect.flatMap(livePrices, ({ reload, unsafeCurrent }) =>
    place === undefined
      ? Effect.catchAll(reload, ({ message }) => Effect.zipRight(Effect.logError(message), new Refused(UNUSABLE)))
      : Effect.sync(unsafeCurrent),
  )

/** Whoever goes on does so under the number of an unfinished repricing of the same calls at the same prices, or not at all. */
const checkPlace = (
  { repricing }: RunStoreService,
  { dry_run, place }: RepriceRequest,
  filter: RepriceFilter,
  priceTables: string,
) => {
  const id = place?.repricing_id ?? null
  if (dry_run || id === null) return Effect.void
  return Effect.flatMap(repricing.history, (all) => {
    const begun = all.find((one) => one.id === id)
    const isSame =
      begun?.finished_at === null &&
      begun.price_tables === priceTables &&
      CanonicalJson.stringify(begun.filter) === CanonicalJson.stringify(filter)
    return isSame
      ? Effect.void
      : new Refused({
          status: 400,
          detail: `There is no unfinished repricing ${id} of these calls at the prices that are in force now. What it changed by now stands; ask again without a place.`,
        })
  })
}

/** Prices calls anew as the current request's body asks for, for some seconds. */
export const reprice = (store: RunStoreService) =>
  Effect.gen(function* () {
    const request = yield* decodeReprice(yield* RequestBody.json(MAX_BODY_BYTES))
    const filter = yield* filterOf(request)
    const book = yield* pricesFor(request)
    const priceTables = tablesOf(book)
    yield* checkPlace(store, request, filter, priceTables)
    const until = (yield* Clock.currentTimeMillis) + WORK_MILLIS
    const step = (place: RepriceRequest["place"]) =>
      store.repricing.reprice({
        filter,
        priceOf: book.unsafePriceOf,
        priceTables,
        dryRun: request.dry_run,
        place,
      })
    let done = yield* step(request.place)
    while (done.next !== null && (yield* Clock.currentTimeMillis) < until) {
      const more = yield* step(done.next)
      done = { ...more, repriced: add(done.repriced, more.repriced) }
    }
    return HttpServerResponse.unsafeJson(done)
  })

export const history = ({ repricing }: RunStoreService) =>
  Effect.map(repricing.history, (all) => HttpServerResponse.unsafeJson(all))

const unknown = (id: string): Refused => new Refused({ status: 404, detail: `There is no repricing ${id}` })

const idOf = (text: string): Effect.Effect<number, Refused> => {
  const id = /^\d{1,15}$/.test(text) ? Number(text) : 0
  return id > 0 ? Effect.succeed(id) : unknown(text)
}

const limitOf = (text: string | undefined) => {
  if (text === undefined) return Effect.succeed(CALLS)
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0
  return limit >= 1 && limit <= MOST_CALLS
    ? Effect.succeed(limit)
    : one(["query", "limit"], `expected a whole number from 1 to ${MOST_CALLS}`)
}

/** Calls of a repricing, with what they cost before and since. */
export const calls = ({ repricing }: RunStoreService, id: string, query: RepricedQuery) =>
  Effect.gen(function* () {
    const limit = yield* limitOf(query.limit)
    const found = yield* repricing.calls(yield* idOf(id), { limit, after: query.after })
    return Option.isNone(found) ? yield* unknown(id) : HttpServerResponse.unsafeJson(found.value)
  })

/** Undoes a repricing as the current request's body asks for, for some seconds. */
export const undo = ({ repricing }: RunStoreService, id: string) =>
  Effect.gen(function* () {
    const request = yield* decodeUndo(yield* RequestBody.json(MAX_BODY_BYTES))
    const repricingId = yield* idOf(id)
    const until = (yield* Clock.currentTimeMillis) + WORK_MILLIS
    let done: UndoStep = { restored: 0, changed_since: 0, next: request.after ?? "" }
    do {
      const after = done.next ?? undefined
      const step = yield* repricing.undo({ repricingId, dryRun: request.dry_run, after })
      if (Option.isNone(step)) return yield* unknown(id)
      const { restored, changed_since, next } = step.value
      done = { restored: done.restored + restored, changed_since: done.changed_since + changed_since, next }
    } while (done.next !== null && (yield* Clock.currentTimeMillis) < until)
    return HttpServerResponse.unsafeJson(done)
  })
