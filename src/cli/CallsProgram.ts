import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { RunReader } from "../../services/RunReader.js"
import { CALL_JOB_TYPE, measure } from "../domain/CallMeasure.js"
import type { CallRecord } from "../domain/CallRecord.js"
import type { RunFilter, RunRecord } from "../domain/Run.js"
import { newestFirst } from "../domain/RunMatch.js"
import * as CallRow from "./CallRow.js"
import * as Dress from "./Dress.js"
import * as NothingFound from "./NothingFound.js"
import type { CallsOptions } from "./ReadCommands.js"
import { printJson, readFailed, withReader } from "./Reading.js"
import * as RenderRows from "./RenderRows.js"

const FAILED: ReadonlySet<string> = new Set(["failure", "timeout", "cancelled"])

type Wanted = (call: Pick<CallRecord, "status" | "metrics_json">) => boolean

const wantedBy =
  ({ failed, unpriced }: CallsOptions): Wanted =>
  (call) =>
    (!failed || FAILED.has(call.status)) && (!unpriced || measure(call.metrics_json).cost_status === "unpriced")

/** The newest rows of calls that match and are wanted, each whole. */
const newest = (filter: RunFilter, isWanted: Wanted, { failed, limit, unpriced }: CallsOptions) =>
  Stream.unwrap(
    Effect.map(RunReader, (reader) =>
      reader.stream({ ...filter, job_type: CALL_JOB_TYPE }, failed || unpriced ? undefined : limit),
    ),
  ).pipe(
    Stream.filter(isWanted),
    Stream.take(limit),
    Stream.runCollect,
    Effect.map((rows) => Array.from(rows)),
  )

/**
 * The newest calls of a run and of all that it started: those that its costs are summed over, and calls beside them that only
 * made calls. Who made them is told by the reader's own calls, which are not whole rows.
 */
const newestUnder = (run: string, isWanted: Wanted, options: CallsOptions) =>
  Effect.gen(function* () {
    const reader = yield* RunReader
    const parents = new Set([run])
    yield* reader.calls({}, run).pipe(
      Stream.filter(isWanted),
      Stream.take(options.limit),
      Stream.runForEach(({ parent_run_id }) =>
        Effect.sync(() => {
          if (parent_run_id !== null) parents.add(parent_run_id)
        }),
      ),
    )
    const filters: ReadonlyArray<RunFilter> = [
      { run_id: run },
      ...Array.from(parents, (parent_run_id) => ({ parent_run_id })),
    ]
    const found = yield* Effect.forEach(filters, (filter) => newest(filter, isWanted, options), { concurrency: 4 })
    const once = new Map(found.flat().map((row): readonly [string, RunRecord] => [row.event_id, row]))
    return [...once.values()].sort(newestFirst).slice(0, options.limit)
  })

/** `calls`. */
export const program = (options: CallsOptions) =>
  withReader(
    options,
    Effect.gen(function* () {
      const isWanted = wantedBy(options)
      const found = yield* Option.match(options.run, {
        onNone: () => newest({}, isWanted, options),
        onSome: (run) => newestUnder(run, isWanted, options),
      }).pipe(Effect.mapError(readFailed))
      if (found.length === 0) yield* NothingFound.known(options)
      if (options.json) return yield* printJson(found)
      if (found.length === 0) {
        return yield* NothingFound.said(options.failed || options.unpriced ? "No such calls" : "No calls", options)
      }
      yield* Console.log(RenderRows.calls(yield* Dress.style, found.map(CallRow.fromRun)))
      if (found.length === options.limit) {
        yield* Effect.logInfo(`The newest ${options.limit} are shown; --limit shows more.`)
      }
      if (options.unpriced) yield* Effect.logInfo(RenderRows.PRICE_THEM)
    }),
  )
