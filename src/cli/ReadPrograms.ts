import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { RunReader } from "../../services/RunReader.js"
import { measure } from "../domain/CallMeasure.js"
import type { RunRecord } from "../domain/Run.js"
import { add, NOTHING, ofCall } from "../domain/RunTotals.js"
import * as CostGroup from "./CostGroup.js"
import * as Dress from "./Dress.js"
import * as NothingFound from "./NothingFound.js"
import type { RunsOptions } from "./ReadCommands.js"
import { printJson, readFailed, type Source, sourceInWords, withReader } from "./Reading.js"
import * as RenderRows from "./RenderRows.js"
import { wholeRuns } from "./WholeRuns.js"

/** A run with what its tree adds up to. */
const withTotals = (run: RunRecord) =>
  Stream.unwrap(Effect.map(RunReader, (reader) => reader.calls({}, run.run_id))).pipe(
    Stream.runFold(NOTHING, (sums, call) => add(sums, ofCall(measure(call.metrics_json), call.status))),
    Effect.map((sums): RenderRows.RunLine => ({ run, totals: CostGroup.totals("total", sums) })),
  )

/** That there is no run, and how to have one here. */
export const noRuns = (source: Source) =>
  Effect.gen(function* () {
    const hint = Option.getOrElse(yield* NothingFound.elsewhere(source), () => "Make one: runledger launch <folder>")
    return `No runs in ${yield* sourceInWords}. ${hint}`
  })

/** `runs`. */
export const runs = (options: RunsOptions) =>
  withReader(
    options,
    Effect.gen(function* () {
      const status = Option.getOrUndefined(options.status)
      const found = yield* wholeRuns({ status }, options.limit).pipe(
        Effect.flatMap(Effect.forEach(withTotals, { concurrency: 4 })),
        Effect.mapError(readFailed),
      )
      if (options.json) return yield* printJson(found.map(({ run, totals }) => ({ ...run, totals })))
      if (found.length === 0) {
        return yield* Console.log(
          status === undefined ? yield* noRuns(options) : `No ${status} runs in ${yield* sourceInWords}.`,
        )
      }
      yield* Console.log(RenderRows.runs(yield* Dress.style, found))
    }),
  )
