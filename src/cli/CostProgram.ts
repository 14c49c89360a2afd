import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { PriceBook, type PriceBookService } from "../../services/PriceBook.js"
import { RunReader } from "../../services/RunReader.js"
import * as PriceAge from "../domain/PriceAge.js"
import type { RunFilter } from "../domain/Run.js"
import * as Timestamp from "../domain/Timestamp.js"
import { usage } from "./CommandError.js"
import * as CostAs from "./CostAs.js"
import * as CostedCall from "./CostedCall.js"
import * as CostGroup from "./CostGroup.js"
import * as CostRepeats from "./CostRepeats.js"
import * as Dress from "./Dress.js"
import * as Environment from "./Environment.js"
import * as Moment from "./Moment.js"
import * as NothingFound from "./NothingFound.js"
import * as PriceBadge from "./PriceBadge.js"
import type { CostOptions } from "./ReadCommands.js"
import { printJson, readFailed, sourceInWords, withReader } from "./Reading.js"
import * as RenderCost from "./RenderCost.js"
import { Wiring } from "./Wiring.js"

/** Which calls a question is about. */
export interface Scope {
  readonly filter: RunFilter
  readonly under: string | undefined
}

const calls = ({ filter, under }: Scope, book: PriceBookService) =>
  Stream.unwrap(Effect.map(RunReader, (reader) => reader.calls(filter, under))).pipe(
    Stream.map((call) => CostedCall.of(call, book.unsafePriceOf)),
  )

/** Uses each call as it comes. */
const each = (scope: Scope, book: PriceBookService, use: (call: CostedCall.CostedCall) => void) =>
  Stream.runForEachChunk(calls(scope, book), (some) =>
    Effect.sync(() => {
      for (const call of some) use(call)
    }),
  ).pipe(Effect.mapError(readFailed))

const say = (lines: ReadonlyArray<string>) => Console.log(lines.join("\n"))

const keyOf = ({ by }: CostOptions): CostGroup.Key => Option.getOrElse(by, () => "model")

/** How old the rates are that savings and other models' prices are told by. */
const age = ({ readOn }: PriceBookService) =>
  Effect.gen(function* () {
    const env = yield* Environment.load
    return PriceAge.of(readOn, yield* Clock.currentTimeMillis, env.pricesOldAfterDays)
  })

type UnpricedCalls = Map<string, RenderCost.Unpriced>

const countUnpriced = (
  found: UnpricedCalls,
  { answeredBy: model, costStatus, provider, totals }: CostedCall.CostedCall,
): void => {
  if (costStatus !== "unpriced") return
  const key = JSON.stringify([provider, model])
  const known = found.get(key)
  found.set(key, {
    model,
    provider,
    calls: (known?.calls ?? 0) + 1,
    input_tokens: (known?.input_tokens ?? 0) + totals.input_tokens,
    output_tokens: (known?.output_tokens ?? 0) + totals.output_tokens,
  })
}

const grouped = (options: CostOptions, scope: Scope, book: PriceBookService) =>
  Effect.gen(function* () {
    const by = keyOf(options)
    const found: UnpricedCalls = new Map()
    const sums = CostGroup.none()
    const step = CostGroup.step(by)
    yield* each(scope, book, (call) => {
      step(sums, call)
      countUnpriced(found, call)
    })
    const groups = CostGroup.sorted(sums, by)
    const total = CostGroup.total(sums)
    const unpriced = [...found.values()].sort((left, right) => right.calls - left.calls)
    const prices = yield* age(book)
    if (groups.length === 0) yield* NothingFound.known(options)
    if (options.json) return yield* printJson({ by, groups, total, unpriced, prices })
    if (groups.length === 0) return yield* NothingFound.said("No calls", options)
    const style = yield* Dress.style
    yield* say([
      RenderCost.costs(style, by, groups, total),
      ...RenderCost.unpriced(style, unpriced),
      ...RenderCost.unknownSavings(total),
      ...RenderCost.aged(style, prices),
    ])
  })

const unknownModel = (name: string, { nearest, onPurpose }: { nearest: ReadonlyArray<string>; onPurpose: boolean }) => {
  const what = onPurpose ? `${name} is unpriced: its rates are not confirmed` : `No price is known for ${name}`
  const near =
    nearest.length === 0
      ? '"runledger prices list" says which names are known.'
      : `Near it: ${nearest.join(", ")}; "runledger prices list" has all names.`
  return usage(
    `${what}. ${near} Name one of them (or provider/name), or put its rates into the file that RUNLEDGER_PRICES names.`,
  )
}

const CAVEAT =
  "The same token counts are priced; another model's tokenizer splits the same text differently, and its answers differ in length."

const priced = (options: CostOptions, scope: Scope, book: PriceBookService, name: string) =>
  Effect.gen(function* () {
    const by = keyOf(options)
    const now = yield* Clock.currentTimeMillis
    const asked = CostAs.target(book, name, now)
    if (!("found" in asked)) return yield* unknownModel(name, asked)
    const sums = CostAs.none()
    const step = CostAs.step(by, asked.found)
    yield* each(scope, book, (call) => step(sums, call))
    const groups = CostAs.sorted(sums, by)
    const total = CostAs.total(sums)
    const { priceId, effectiveFrom } = asked.found.price
    const prices = yield* age(book)
    if (groups.length === 0) yield* NothingFound.known(options)
    if (options.json) {
      const as = { model: name, price_id: priceId, price_effective_from: effectiveFrom, at: Timestamp.fromMillis(now) }
      return yield* printJson({ by, as, groups, total, caveat: CAVEAT, prices })
    }
    if (groups.length === 0) return yield* NothingFound.said("No calls", options)
    const style = yield* Dress.style
    yield* say([
      ...RenderCost.as(style, by, name, groups, total),
      "",
      style.dim(`At today's price ${priceId}. ${CAVEAT}`),
      ...RenderCost.aged(style, prices),
    ])
  })

const repeated = (options: CostOptions, scope: Scope) =>
  Effect.gen(function* () {
    const reader = yield* RunReader
    const { duplicates, total } = yield* Effect.mapError(
      CostRepeats.find(() => reader.calls(scope.filter, scope.under), options.limit),
      readFailed,
    )
    if (total.prompts === 0) yield* NothingFound.known(options)
    if (options.json) return yield* printJson({ duplicates, total })
    if (total.prompts === 0) {
      return yield* Console.log(`No question was paid for more than once in ${yield* sourceInWords}.`)
    }
    const style = yield* Dress.style
    yield* say(RenderCost.repeats(style, duplicates, total))
    if (total.prompts > duplicates.length) {
      yield* Effect.logInfo(`The dearest ${duplicates.length} of ${total.prompts} are shown; --limit shows more.`)
    }
  })

/** `cost`. */
export const program = (options: CostOptions) =>
  Effect.gen(function* () {
    if (options.duplicates && Option.isSome(options.as)) {
      return yield* usage("--as and --duplicates are two questions: ask one of them.")
    }
    if (options.duplicates && Option.isSome(options.by)) {
      return yield* usage("--duplicates lists questions and has no groups: leave --by out, or leave --duplicates out.")
    }
    const since = yield* Effect.transposeMapOption(options.since, (text) => Moment.parse("--since", text))
    const scope: Scope = {
      filter: { start_time_from: Option.getOrUndefined(Option.map(since, Timestamp.fromMillis)) },
      under: Option.getOrUndefined(options.run),
    }
    if (options.duplicates) return yield* withReader(options, repeated(options, scope))
    const env = yield* Environment.load
    const wiring = yield* Wiring
    const asked = Effect.flatMap(PriceBook, (book) =>
      Option.match(options.as, {
        onNone: () => grouped(options, scope, book),
        onSome: (name) => priced(options, scope, book, name),
      }).pipe(Effect.zipLeft(PriceBadge.said(book))),
    )
    yield* withReader(options, asked).pipe(Effect.provide(wiring.prices(env.prices)))
  })
