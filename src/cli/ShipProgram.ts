import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Backlog, type Drained } from "../../services/Backlog.js"
import * as Endpoint from "../domain/Endpoint.js"
import { inert, type Style } from "./Ansi.js"
import { failure, usage } from "./CommandError.js"
import * as Dress from "./Dress.js"
import * as Environment from "./Environment.js"
import * as Figures from "./Figures.js"
import { printJson } from "./Reading.js"
import type { ShipOptions } from "./ShipCommand.js"
import { Wiring } from "./Wiring.js"

interface Target {
  readonly runsDir: string
  /** The name of the only run that is meant. */
  readonly only?: string
}

/** A runs folder, or the folder of one run. */
const targetOf = (named: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = path.resolve(named)
    const isFolder = yield* fs.stat(folder).pipe(
      Effect.map(({ type }) => type === "Directory"),
      Effect.orElseSucceed(() => false),
    )
    if (!isFolder) {
      return yield* usage(
        `There is no folder ${named}. Name a runs folder or a run's folder: runledger ship [RUNS_DIR]; without one it is RUNLEDGER_RUNS_DIR, or runs.`,
      )
    }
    const isRun = yield* Effect.orElseSucceed(fs.exists(path.join(folder, "events.ndjson")), () => false)
    const target: Target = isRun ? { runsDir: path.dirname(folder), only: path.basename(folder) } : { runsDir: folder }
    return target
  })

/** What all runs together come to. Events of runs that stay because they were recorded offline are counted apart. */
interface Totals {
  readonly delivered: number
  readonly undelivered: number
  readonly offline: number
  readonly dead_letters: number
  readonly closed_spans: number
}

const totalsOf = (drained: ReadonlyArray<Drained>): Totals => {
  const sum = (runs: ReadonlyArray<Drained>, count: (run: Drained) => number): number =>
    runs.reduce((total, run) => total + count(run), 0)
  const offline = drained.filter(({ skipped }) => skipped === "offline")
  const others = drained.filter(({ skipped }) => skipped !== "offline")
  return {
    delivered: sum(drained, (run) => run.delivered),
    undelivered: sum(others, (run) => run.undelivered),
    offline: sum(offline, (run) => run.undelivered),
    dead_letters: sum(drained, (run) => run.deadLetters),
    closed_spans: sum(drained, (run) => run.closedSpans),
  }
}

/** What nobody delivers: a live owner delivers its own run, and an offline run was not asked for. */
const hasFailed = ({ skipped, undelivered }: Drained): boolean =>
  skipped === "unusable" || ((skipped === null || skipped === "unknown") && undelivered > 0)

const events = (count: number): string => Figures.plural(count, "event")

const standing = (style: Style, run: Drained): string => {
  switch (run.skipped) {
    case "owned":
      return `${style.dim("left")}  ${events(run.undelivered)}: ${inert(run.lastError ?? "its process still runs")}`
    case "unknown":
      return `${style.yellow("left")}  ${events(run.undelivered)}: ${inert(run.lastError ?? "its owner may be alive")}`
    case "offline":
      return `${style.dim("left")}  ${events(run.undelivered)}: recorded offline`
    case "unusable":
      return `${style.red("left")}  ${inert(run.lastError ?? "its log cannot be used")}`
    case null: {
      if (run.undelivered > 0) {
        const some = run.delivered > 0 ? `${events(run.delivered)} delivered, ` : ""
        return `${style.red("left")}  ${some}${events(run.undelivered)} undelivered: ${inert(run.lastError ?? "the server took nothing")}`
      }
      return `${style.green("done")}  ${run.delivered > 0 ? `${events(run.delivered)} delivered` : "nothing was left to deliver"}`
    }
  }
}

const line = (style: Style, run: Drained): string => {
  const more = [
    ...(run.closedSpans > 0 ? [`${Figures.plural(run.closedSpans, "span")} of a dead process closed`] : []),
    ...(run.deadLetters > 0
      ? [
          style.yellow(
            `${Figures.plural(run.deadLetters, "operation")} refused for good, kept in telemetry.dead-letters.ndjson`,
          ),
        ]
      : []),
  ]
  return [`${style.bold(inert(run.runId))}  ${standing(style, run)}`, ...more].join("; ")
}

const closing = (style: Style, totals: Totals, endpoint: string): string => {
  const offline =
    totals.offline > 0
      ? `\n${events(totals.offline)} of runs recorded offline stay here; --include-offline delivers them.`
      : ""
  if (totals.delivered === 0 && totals.undelivered === 0) return `Nothing to deliver to ${endpoint}.${offline}`
  const left = totals.undelivered > 0 ? style.red(`${events(totals.undelivered)} undelivered`) : "none undelivered"
  return `${events(totals.delivered)} delivered to ${endpoint}, ${left}.${offline}`
}

const wire = (run: Drained) => ({
  run_id: run.runId,
  run_dir: run.directory,
  delivered: run.delivered,
  undelivered: run.undelivered,
  dead_letters: run.deadLetters,
  closed_spans: run.closedSpans,
  skipped: run.skipped,
  last_error: run.lastError,
})

/** `ship`: what became of every run with something to deliver, as it happens, and the totals; exit code 2 when something could not be delivered. */
export const program = (options: ShipOptions) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const env = yield* Environment.load
    const endpoint = Environment.serverOf(env)
    const target = yield* targetOf(Option.getOrElse(options.folder, () => Environment.runsDirOf(Option.none(), env)))
    const setup = {
      ...target,
      endpoint,
      token: env.telemetryToken,
      requestTimeout: Option.getOrUndefined(env.telemetryTimeout),
      durability: Option.getOrUndefined(env.durability),
    }
    const style = yield* Dress.style
    const onDrained = (run: Drained) => (options.json ? Effect.void : Console.log(line(style, run)))
    const drained = yield* Effect.flatMap(Backlog, ({ drain }) =>
      drain({
        includeOffline: options.includeOffline,
        fromStart: options.fromStart,
        force: options.force,
        onDrained,
      }),
    ).pipe(Effect.provide(wiring.backlog(setup)))
    const totals = totalsOf(drained)
    const shown = Endpoint.shown(endpoint)
    yield* options.json
      ? printJson({ endpoint: shown, runs_dir: target.runsDir, runs: drained.map(wire), totals })
      : Console.log(closing(style, totals, shown))
    const failed = drained.filter(hasFailed)
    if (failed.length > 0) {
      return yield* failure(
        `${Figures.plural(failed.length, "run")} could not be delivered whole. Nothing is lost: the events are in the run folders. What keeps them is said above; runledger doctor checks the server and the runs. Then run this again${options.fromStart ? ", with --from-start" : ""}.`,
      )
    }
  })
