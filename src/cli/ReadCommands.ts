import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { RunReader } from "../../services/RunReader.js"
import type { RunFilter, RunRecord } from "../domain/Run.js"
import { Status } from "../domain/Status.js"
import * as Timestamp from "../domain/Timestamp.js"
import * as CallRow from "./CallRow.js"
import { usage } from "./CommandError.js"
import * as CostGroup from "./CostGroup.js"
import * as Dress from "./Dress.js"
import { json, local, printJson, readFailed, runsDir, sourceInWords, withReader } from "./Reading.js"
import * as RenderRows from "./RenderRows.js"
import * as RenderTree from "./RenderTree.js"

const limit = (standard: number) =>
  Options.integer("limit").pipe(
    Options.withPseudoName("N"),
    Options.withDescription(`At most so many rows (${standard})`),
    Options.withDefault(standard),
    Options.filterMap((rows) => (rows >= 1 ? Option.some(rows) : Option.none()), "--limit must be 1 or more"),
  )

const run = Options.text("run").pipe(
  Options.withPseudoName("RUN_ID"),
  Options.withDescription("Only calls of this run"),
  Options.optional,
)

const since = Options.text("since").pipe(
  Options.withPseudoName("WHEN"),
  Options.withDescription("Only what started then or later: 2026-01-31 or 2026-01-31T12:00:00Z"),
  Options.filterMap(
    (text) =>
      Option.map(
        Option.fromNullable(Timestamp.parseMillis(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text)),
        Timestamp.fromMillis,
      ),
    "--since wants a day such as 2026-01-31 (UTC) or an instant with its zone such as 2026-01-31T12:00:00Z",
  ),
  Options.optional,
)

const rows = (filter: RunFilter, most?: number) =>
  Stream.unwrap(Effect.map(RunReader, (reader) => reader.stream(filter, most)))

const callsOf = (runId: string) => ({ parent_run_id: runId, job_type: "llm_call" })

const totalOf = (filter: RunFilter) =>
  rows(filter).pipe(
    Stream.map(CallRow.fromRun),
    Stream.runFold(new Map<string, CostGroup.CostGroup>(), CostGroup.step("model")),
    Effect.map((groups) => CostGroup.total(groups.values())),
  )

const withTotals = (record: RunRecord) =>
  Effect.map(totalOf(callsOf(record.run_id)), (totals): RenderRows.RunLine => ({ run: record, totals }))

const collected = <A, E, R>(stream: Stream.Stream<A, E, R>) => Effect.map(Stream.runCollect(stream), (all) => [...all])

/** Launches, newest first. */
export const runs = Command.make(
  "runs",
  {
    json,
    local,
    runsDir,
    limit: limit(20),
    status: Options.choice("status", Status.literals).pipe(
      Options.withDescription("Only runs that stand so"),
      Options.optional,
    ),
  },
  (options) =>
    withReader(
      options,
      Effect.gen(function* () {
        const filter = { job_type: "launch", status: Option.getOrUndefined(options.status) }
        const found = yield* collected(rows(filter, options.limit)).pipe(
          Effect.flatMap(Effect.forEach(withTotals, { concurrency: 4 })),
          Effect.mapError(readFailed),
        )
        if (options.json) return yield* printJson(found.map((line) => ({ ...line.run, totals: line.totals })))
        if (found.length === 0) {
          return yield* Console.log(`No runs in ${yield* sourceInWords}. Make one: runledger launch <folder>`)
        }
        yield* Console.log(RenderRows.runs(yield* Dress.style, found))
      }),
    ),
)

const newest = rows({ job_type: "launch" }, 1).pipe(
  Stream.runHead,
  Effect.mapError(readFailed),
  Effect.flatMap(
    Option.match({
      onSome: (record) => Effect.succeed(record.run_id),
      onNone: () =>
        Effect.flatMap(sourceInWords, (source) => usage(`No runs in ${source}. Make one: runledger launch <folder>`)),
    }),
  ),
)

/** One run's tree. */
export const show = Command.make(
  "show",
  {
    runId: Args.text({ name: "RUN_ID" }).pipe(Args.withDescription("The newest launch when absent"), Args.optional),
    json,
    local,
    runsDir,
  },
  (options) =>
    withReader(
      options,
      Effect.gen(function* () {
        const reader = yield* RunReader
        const runId = yield* Option.match(options.runId, { onNone: () => newest, onSome: Effect.succeed })
        const tree = yield* Effect.mapError(reader.tree(runId), readFailed)
        if (Option.isNone(tree)) {
          return yield* usage(`No run ${runId} in ${yield* sourceInWords}. List them with: runledger runs`)
        }
        if (options.json) return yield* printJson(tree.value)
        yield* Console.log(RenderTree.render(yield* Dress.style, tree.value))
      }),
    ),
)

const failed: ReadonlySet<string> = new Set(["failure", "timeout", "cancelled"])

/** LLM calls, newest first. */
export const calls = Command.make(
  "calls",
  {
    json,
    local,
    runsDir,
    run,
    limit: limit(100),
    failed: Options.boolean("failed").pipe(Options.withDescription("Only failed, timed-out and cancelled calls")),
  },
  (options) =>
    withReader(
      options,
      Effect.gen(function* () {
        const filter: RunFilter = { job_type: "llm_call", parent_run_id: Option.getOrUndefined(options.run) }
        const records = yield* rows(filter, options.failed ? undefined : options.limit).pipe(
          Stream.filter((record) => !options.failed || failed.has(record.status)),
          Stream.take(options.limit),
          collected,
          Effect.mapError(readFailed),
        )
        if (options.json) return yield* printJson(records)
        if (records.length === 0) return yield* Console.log(`No such calls in ${yield* sourceInWords}.`)
        yield* Console.log(RenderRows.calls(yield* Dress.style, records.map(CallRow.fromRun)))
        if (records.length === options.limit) {
          yield* Effect.logInfo(`The newest ${options.limit} are shown; --limit shows more.`)
        }
      }),
    ),
)

/** What calls cost, grouped. */
export const cost = Command.make(
  "cost",
  {
    json,
    local,
    runsDir,
    run,
    since,
    by: Options.choice("by", CostGroup.KEYS).pipe(
      Options.withDescription("What to group by (model); days are UTC"),
      Options.withDefault("model" as const),
    ),
  },
  (options) =>
    withReader(
      options,
      Effect.gen(function* () {
        const filter: RunFilter = {
          job_type: "llm_call",
          parent_run_id: Option.getOrUndefined(options.run),
          start_time_from: Option.getOrUndefined(options.since),
        }
        const groups = yield* rows(filter).pipe(
          Stream.map(CallRow.fromRun),
          Stream.runFold(new Map<string, CostGroup.CostGroup>(), CostGroup.step(options.by)),
          Effect.map((found) => CostGroup.sorted(found, options.by)),
          Effect.mapError(readFailed),
        )
        const total = CostGroup.total(groups)
        if (options.json) return yield* printJson({ by: options.by, groups, total })
        if (groups.length === 0) return yield* Console.log(`No calls in ${yield* sourceInWords}.`)
        yield* Console.log(RenderRows.costs(yield* Dress.style, options.by, groups, total))
      }),
    ),
)
