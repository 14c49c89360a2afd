import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import { Backlog, type Drained } from "../../services/Backlog.js"
import * as Endpoint from "../domain/Endpoint.js"
import { failure } from "./CommandError.js"
import * as Dress from "./Dress.js"
import * as Environment from "./Environment.js"
import * as Figures from "./Figures.js"
import { printJson } from "./Reading.js"
import type { ShipOptions } from "./ShipCommand.js"
import * as ShipReport from "./ShipReport.js"
import * as ShipTarget from "./ShipTarget.js"
import { Wiring } from "./Wiring.js"

/** The command that delivers the rest. What was set back to its start stays so until it is delivered. */
const again = ({ folder, includeOffline, force }: ShipOptions, isSetBack: boolean, fromStart: boolean): string =>
  [
    "runledger ship",
    ...Option.toArray(folder),
    ...(includeOffline ? ["--include-offline"] : []),
    ...(fromStart && !isSetBack ? ["--from-start"] : []),
    ...(force ? ["--force"] : []),
  ].join(" ")

/** A line before anything is changed. */
const onTakeOver = (runs: ReadonlyArray<{ readonly runId: string; readonly doubt: string }>) =>
  Effect.logWarning(
    `--force takes over ${Figures.plural(runs.length, "run")} of which nobody can see from here whether the owner is alive; one that is alive would write into the same log. ${runs.map(({ runId, doubt }) => `${runId}: ${doubt}`).join("; ")}.`,
  )

/** What is known of a drain while it goes on. */
const makeRecord = Effect.gen(function* () {
  return {
    drained: yield* Ref.make<ReadonlyArray<Drained>>([]),
    left: yield* Ref.make<ReadonlyArray<Drained>>([]),
    isDelivering: yield* Ref.make(false),
  }
})
type Record = Effect.Effect.Success<typeof makeRecord>

const onInterrupt = (options: ShipOptions, record: Record, way: ShipReport.Way) =>
  Effect.gen(function* () {
    const runs = [...(yield* Ref.get(record.drained)), ...(yield* Ref.get(record.left))]
    const isDelivering = yield* Ref.get(record.isDelivering)
    const totals = ShipReport.totalsOf(runs)
    const next = again(options, isDelivering, options.fromStart)
    if (options.json) return yield* printJson({ ...document(way, runs), interrupted: true })
    if (!isDelivering) {
      return yield* Console.log(`Interrupted before anything was delivered to ${way.endpoint}.\nTo go on: ${next}`)
    }
    yield* Console.log(ShipReport.interrupted(yield* Dress.style, totals, way, next))
  })

const document = ({ endpoint, runsDir }: ShipReport.Way, runs: ReadonlyArray<Drained>) => ({
  endpoint,
  runs_dir: runsDir,
  interrupted: false,
  runs: runs.map(ShipReport.wire),
  totals: ShipReport.totalsOf(runs),
})

const delivered = (options: ShipOptions, record: Record) =>
  Effect.gen(function* () {
    const style = yield* Dress.style
    const onDrained = (run: Drained) =>
      Effect.zipRight(
        Ref.update(record.drained, (runs) => [...runs, run]),
        options.json ? Effect.void : Console.log(ShipReport.line(style, run)),
      )
    const { drain } = yield* Backlog
    return yield* drain({
      includeOffline: options.includeOffline,
      fromStart: options.fromStart,
      force: options.force,
      onTakeOver,
      onDelivering: Ref.set(record.isDelivering, true),
      onDrained,
      onInterrupted: (left) => Ref.set(record.left, left),
    })
  })

const explained = (failed: ReadonlyArray<Drained>, drained: ReadonlyArray<Drained>, fromStart: boolean) => {
  const held = drained.filter(({ skipped }) => skipped === "owned" || skipped === "unknown" || skipped === "unusable")
  const flag = fromStart && held.length > 0 ? ", with --from-start for the runs that were left as they are" : ""
  return failure(
    `${Figures.plural(failed.length, "run")} could not be delivered whole. Nothing is lost: the events are in the run folders. What keeps them is said above; runledger doctor checks the server and the runs. Then run this again${flag}.`,
  )
}

/**
 * `ship`: what became of every run with something to deliver, as it happens, and the totals; exit code 2 when something could not be
 * delivered. Interrupted, it says how far it came and how to go on.
 */
export const program = (options: ShipOptions) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const env = yield* Environment.load
    const endpoint = Environment.serverOf(env)
    const target = yield* ShipTarget.of(options.folder, Environment.runsDirOf(Option.none(), env))
    const setup = {
      ...target,
      endpoint,
      token: env.telemetryToken,
      requestTimeout: Option.getOrUndefined(env.telemetryTimeout),
      durability: Option.getOrUndefined(env.durability),
    }
    const way: ShipReport.Way = { runsDir: target.runsDir, endpoint: Endpoint.shown(endpoint) }
    const record = yield* makeRecord
    const drained = yield* delivered(options, record).pipe(
      Effect.provide(wiring.backlog(setup)),
      Effect.onInterrupt(() => onInterrupt(options, record, way)),
    )
    const isEmpty = drained.length === 0 && !(yield* ShipTarget.hasRuns(target))
    yield* options.json
      ? printJson(document(way, drained))
      : Console.log(
          isEmpty ? ShipReport.noRuns(way) : ShipReport.closing(yield* Dress.style, ShipReport.totalsOf(drained), way),
        )
    const failed = drained.filter(ShipReport.hasFailed)
    if (failed.length > 0) return yield* explained(failed, drained, options.fromStart)
  })
