import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { PriceBook } from "../../services/PriceBook.js"
import * as PriceAge from "../domain/PriceAge.js"
import * as PriceDifference from "../domain/PriceDifference.js"
import { besideDatabase } from "../domain/PriceFilePlace.js"
import * as PriceView from "../domain/PriceView.js"
import { failure, usage } from "./CommandError.js"
import * as Dress from "./Dress.js"
import * as Environment from "./Environment.js"
import * as Moment from "./Moment.js"
import type { PricesOptions } from "./PricesCommand.js"
import { printJson } from "./Reading.js"
import * as RenderPrices from "./RenderPrices.js"
import { DEFAULT_DB_PATH } from "./ServeProgram.js"
import { Wiring } from "./Wiring.js"

const book = (file: Option.Option<string>) =>
  Effect.flatMap(Wiring, (wiring) => Effect.provide(PriceBook, wiring.prices(file)))

/** The price in force at an instant is one row of a model; the rows of others that it hides are not. */
const inForce = (prices: PriceDifference.Prices, at: number) => (row: PriceDifference.Prices["listed"][number]) =>
  Option.match(prices.unsafePriceOf(row.provider, row.model, at), {
    onNone: () => false,
    onSome: ({ priceId }) => priceId === row.price.priceId,
  })

const list = (options: PricesOptions) =>
  Effect.gen(function* () {
    if (Option.isSome(options.file))
      return yield* usage("prices list takes no file; prices diff FILE compares with one.")
    const env = yield* Environment.load
    const now = yield* Clock.currentTimeMillis
    const at = yield* Effect.transposeMapOption(options.at, (text) => Moment.parse("--at", text))
    const table = yield* book(env.prices)
    const isWanted = ({ provider, model }: { readonly provider: string; readonly model: string }) =>
      Option.getOrElse(options.provider, () => provider) === provider &&
      model.includes(Option.getOrElse(options.model, () => ""))
    const holds = inForce(
      table,
      Option.getOrElse(at, () => now),
    )
    const rows = table.listed
      .filter((row) => isWanted(row) && (Option.isNone(at) || holds(row)))
      .map((row) => ({ ...PriceView.of(row), in_force: holds(row) }))
    const unpriced = table.unpriced.filter(isWanted)
    const age = PriceAge.of(table.readOn, now, env.pricesOldAfterDays)
    if (options.json) return yield* printJson({ prices: rows, unpriced, age })
    yield* Console.log(RenderPrices.table(yield* Dress.style, rows, unpriced, age))
  })

/** The file that was named, which must be there and be a price file. */
const compared = (options: PricesOptions) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const env = yield* Environment.load
    if (Option.isNone(options.file))
      return yield* usage(`prices ${options.action} wants a file: prices ${options.action} FILE.`)
    const file = path.resolve(options.file.value)
    if (!(yield* Effect.orElseSucceed(fs.exists(file), () => false))) return yield* usage(`There is no file ${file}.`)
    const place = path.resolve(
      Option.getOrElse(env.prices, () => besideDatabase(Option.getOrElse(env.dbPath, () => DEFAULT_DB_PATH))),
    )
    const isThere = yield* Effect.orElseSucceed(fs.exists(place), () => false)
    const after = yield* book(Option.some(file))
    const before = yield* book(isThere ? Option.some(place) : Option.none())
    return {
      file,
      place,
      rows: after.listed.filter(({ origin }) => origin === "user"),
      differences: PriceDifference.between(before, after),
    }
  })

const diff = (options: PricesOptions) =>
  Effect.gen(function* () {
    const { file, place, rows, differences } = yield* compared(options)
    if (options.json) return yield* printJson({ file, price_file: place, differences })
    yield* Console.log(RenderPrices.differences(yield* Dress.style, differences, `${file} changes nothing.`))
    yield* Effect.forEach(RenderPrices.whose(rows), (line) => Console.log(line), { discard: true })
  })

const update = (options: PricesOptions) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const { file, place, rows, differences } = yield* compared(options)
    if (file === place) return yield* usage(`${file} is your price file already. Edit it, or name another one.`)
    const isDry = options.dryRun || !options.yes
    const installed = isDry
      ? null
      : yield* Effect.mapError(wiring.installPrices(file, place), (error) => failure(error.message, error))
    const report = { file, price_file: place, prices: rows.length, dry_run: isDry, backup: installed?.backup ?? null }
    if (options.json) return yield* printJson({ ...report, differences })
    yield* Console.log(RenderPrices.differences(yield* Dress.style, differences, "No price changes."))
    yield* Effect.forEach(RenderPrices.whose(rows), (line) => Console.log(line), { discard: true })
    yield* Console.log(RenderPrices.updated(report))
  })

const ACTIONS = { list, diff, update }

/** `prices`: what tokens cost and where each rate was read; what another price file would change; that file as the user's own. */
export const program = (options: PricesOptions) => ACTIONS[options.action](options)
