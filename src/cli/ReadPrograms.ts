import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { RunReader } from "../../services/RunReader.js"
import { CALL_JOB_TYPE, measure } from "../domain/CallMeasure.js"
import type { RunFilter, RunRecord } from "../domain/Run.js"
import { newestFirst } from "../domain/RunMatch.js"
import { add, NOTHING, ofCall } from "../domain/RunTotals.js"
import * as CallRow from "./CallRow.js"
import { usage } from "./CommandError.js"
import * as CostGroup from "./CostGroup.js"
import * as Dress from "./Dress.js"
import type { CallsOptions, RunsOptions, ShowOptions } from "./ReadCommands.js"
import { printJson, readFailed, sourceInWords, withReader } from "./Reading.js"
import * as RenderRows from "./RenderRows.js"
import * as RenderTree from "./RenderTree.js"

const rows = (filter: RunFilter, most?: number) =>
  Stream.unwrap(Effect.map(RunReader, (reader) => reader.stream(filter, most)))

/** A run with what its tree adds up to. */
const withTotals = (run: RunRecord) =>
  Stream.unwrap(Effect.map(RunReader, (reader) => reader.calls({}, run.run_id))).pipe(
    Stream.runFold(NOTHING, (sums, call) => add(sums, ofCall(measure(call.metrics_json), call.status))),
    Effect.map((sums): RenderRows.RunLine => ({ run, totals: CostGroup.totals("total", sums) })),
  )

const collected = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.map(Stream.runCollect(stream), (all) => Array.from(all))

/** What runs are made of; every other row is a run. */
const PARTS: ReadonlySet<string> = new Set([CALL_JOB_TYPE, "worker", "orchestrator_node", "gate", "commit_service"])

/** Launches and the runs of other programs, newest first. */
const wholeRuns = (filter: RunFilter, most: number) =>
  Effect.gen(function* () {
    const reader = yield* RunReader
    const types = (yield* reader.jobTypes).filter((type) => !PARTS.has(type))
    const found = yield* Effect.forEach(types, (job_type) => collected(reader.stream({ ...filter, job_type }, most)))
    return found.flat().sort(newestFirst).slice(0, most)
  })

const noRuns = Effect.map(sourceInWords, (source) => `No runs in ${source}. Make one: runledger launch <folder>`)

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
          status === undefined ? yield* noRuns : `No ${status} runs in ${yield* sourceInWords}.`,
        )
      }
      yield* Console.log(RenderRows.runs(yield* Dress.style, found))
    }),
  )

const newest = wholeRuns({}, 1).pipe(
  Effect.map(Option.fromIterable),
  Effect.mapError(readFailed),
  Effect.flatMap(
    Option.match({
      onSome: (run) => Effect.succeed(run.run_id),
      onNone: () => Effect.flatMap(noRuns, usage),
    }),
  ),
)

/** `show`. */
export const show = (options: ShowOptions) =>
  withReader(
    options,
    Effect.gen(function* () {
      const reader = yield* RunReader
      const runId = yield* Option.match(options.runId, { onNone: () => newest, onSome: Effect.succeed })
      const tree = yield* Effect.mapError(reader.tree(runId), readFailed)
      if (Option.isNone(tree)) {
        return yield* usage(
          `No run ${runId} in ${yield* sourceInWords}. List them with "runledger runs"; --local reads the run folders.`,
        )
      }
      if (options.json) return yield* printJson(tree.value)
      yield* Console.log(RenderTree.render(yield* Dress.style, tree.value))
    }),
  )

const failed: ReadonlySet<string> = new Set(["failure", "timeout", "cancelled"])

/** `calls`. */
export const calls = (options: CallsOptions) =>
  withReader(
    options,
    Effect.gen(function* () {
      const filter = { job_type: CALL_JOB_TYPE, parent_run_id: Option.getOrUndefined(options.run) }
      const isWanted = (run: RunRecord): boolean =>
        (!options.failed || failed.has(run.status)) &&
        (!options.unpriced || measure(run.metrics_json).cost_status === "unpriced")
      const isPart = options.failed || options.unpriced
      const found = yield* rows(filter, isPart ? undefined : options.limit).pipe(
        Stream.filter(isWanted),
        Stream.take(options.limit),
        collected,
        Effect.mapError(readFailed),
      )
      if (options.json) return yield* printJson(found)
      if (found.length === 0) return yield* Console.log(`No such calls in ${yield* sourceInWords}.`)
      yield* Console.log(RenderRows.calls(yield* Dress.style, found.map(CallRow.fromRun)))
      if (found.length === options.limit) {
        yield* Effect.logInfo(`The newest ${options.limit} are shown; --limit shows more.`)
      }
      if (options.unpriced) yield* Effect.logInfo(RenderRows.PRICE_THEM)
    }),
  )
