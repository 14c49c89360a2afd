import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import {
  add,
  NOTHING,
  type RepricedCall,
  type RepriceFilter,
  type RepricePlace,
  type UndoStep,
} from "../domain/Repricing.js"
import { fromMillis } from "../domain/Timestamp.js"
import { usage } from "./CommandError.js"
import * as Dress from "./Dress.js"
import * as Moment from "./Moment.js"
import { printJson } from "./Reading.js"
import * as RenderRepricing from "./RenderRepricing.js"
import type { RepriceOptions } from "./RepriceCommand.js"
import * as Repricer from "./Repricer.js"

const filterOf = (options: RepriceOptions) =>
  Effect.gen(function* () {
    const from = yield* Effect.transposeMapOption(options.from, (text) => Moment.parse("--from", text))
    const to = yield* Effect.transposeMapOption(options.to, (text) => Moment.parse("--to", text, true))
    const filter: RepriceFilter = {
      scope: options.all ? "all" : "unpriced",
      prices: options.atToday ? "of_today" : "of_the_call",
      ...(Option.isNone(options.model) ? {} : { model: options.model.value }),
      ...(Option.isNone(options.provider) ? {} : { provider: options.provider.value }),
      ...(Option.isNone(options.run) ? {} : { run_id: options.run.value }),
      ...(Option.isNone(from) ? {} : { start_time_from: fromMillis(from.value) }),
      ...(Option.isNone(to) ? {} : { start_time_to: fromMillis(to.value) }),
    }
    return filter
  })

const repriced = (options: RepriceOptions, repricer: Repricer.Repricer) =>
  Effect.gen(function* () {
    const filter = yield* filterOf(options)
    const dryRun = options.dryRun || !options.yes
    let sum = NOTHING
    let id: number | null = null
    let place: RepricePlace | null | undefined
    do {
      const step: Effect.Effect.Success<ReturnType<Repricer.Repricer["reprice"]>> = yield* repricer.reprice(
        filter,
        dryRun,
        place ?? undefined,
      )
      sum = add(sum, step.repriced)
      id = step.repricing_id
      place = step.next
    } while (place !== null)
    const report = { database: repricer.database, dry_run: dryRun, filter, repricing_id: id, repriced: sum }
    yield* options.json ? printJson(report) : Console.log(RenderRepricing.repriced(yield* Dress.style, report))
  })

const unknown = (id: number, { database }: Repricer.Repricer) =>
  usage(`There is no repricing ${id} in ${database}. List them with: runledger reprice --history`)

const undone = (options: RepriceOptions, repricer: Repricer.Repricer, id: number) =>
  Effect.gen(function* () {
    const dryRun = options.dryRun || !options.yes
    const sum = { restored: 0, changed_since: 0 }
    let after: string | null | undefined
    do {
      const step: Option.Option<UndoStep> = yield* repricer.undo(id, dryRun, after ?? undefined)
      if (Option.isNone(step)) return yield* unknown(id, repricer)
      sum.restored += step.value.restored
      sum.changed_since += step.value.changed_since
      after = step.value.next
    } while (after !== null)
    const report = { database: repricer.database, dry_run: dryRun, repricing_id: id, ...sum }
    yield* options.json ? printJson(report) : Console.log(RenderRepricing.undone(report))
  })

const shown = (options: RepriceOptions, repricer: Repricer.Repricer, id: number) =>
  Effect.gen(function* () {
    const all: Array<RepricedCall> = []
    let page: ReadonlyArray<RepricedCall>
    do {
      const found: Option.Option<ReadonlyArray<RepricedCall>> = yield* repricer.calls(id, all.at(-1)?.event_id ?? "")
      if (Option.isNone(found)) return yield* unknown(id, repricer)
      page = found.value
      all.push(...page)
    } while (page.length === Repricer.CALLS_AT_ONCE)
    yield* options.json ? printJson(all) : Console.log(RenderRepricing.calls(yield* Dress.style, all))
  })

const history = (options: RepriceOptions, repricer: Repricer.Repricer) =>
  Effect.gen(function* () {
    const all = yield* repricer.history
    yield* options.json ? printJson(all) : Console.log(RenderRepricing.history(yield* Dress.style, all))
  })

/** `reprice`: what calls cost, changed on purpose, or what would change; what was changed so before; and that taken back. */
export const program = (options: RepriceOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const asked = [Option.isSome(options.undo), Option.isSome(options.show), options.history].filter((is) => is)
      if (asked.length > 1) return yield* usage("Give one of --history, --show and --undo at a time.")
      const repricer = yield* Repricer.make(options.db)
      if (options.history) return yield* history(options, repricer)
      if (Option.isSome(options.show)) return yield* shown(options, repricer, options.show.value)
      if (Option.isSome(options.undo)) return yield* undone(options, repricer, options.undo.value)
      return yield* repriced(options, repricer)
    }),
  )
