import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { RunReader } from "../../services/RunReader.js"
import { CALL_JOB_TYPE } from "../domain/CallMeasure.js"
import type { RunRecord } from "../domain/Run.js"
import type { RunTreeNode } from "../domain/RunTree.js"
import * as CallRow from "./CallRow.js"
import { usage } from "./CommandError.js"
import * as Dress from "./Dress.js"
import * as Environment from "./Environment.js"
import * as NothingFound from "./NothingFound.js"
import type { ShowOptions } from "./ReadCommands.js"
import { printJson, readFailed, withReader } from "./Reading.js"
import { noRuns } from "./ReadPrograms.js"
import * as RenderCall from "./RenderCall.js"
import * as RenderTree from "./RenderTree.js"
import { wholeRuns } from "./WholeRuns.js"
import { Wiring } from "./Wiring.js"

/** Calls among which a call id is looked for, the newest first. */
const CALLS_LOOKED_AT = 10_000

type Found =
  | { readonly kind: "tree"; readonly tree: RunTreeNode }
  | { readonly kind: "call"; readonly run: RunRecord; readonly tree: Option.Option<RunTreeNode> }

const newestRun = (options: ShowOptions) =>
  Effect.flatMap(Effect.mapError(wholeRuns({}, 1), readFailed), ([run]) =>
    run === undefined ? Effect.flatMap(noRuns(options), usage) : Effect.succeed(run.run_id),
  )

const isCall = (run: RunRecord): boolean => run.job_type === CALL_JOB_TYPE

/** The newest call that has this id, of a run where one is named. */
const byCallId = (callId: string, under: string | undefined) =>
  Effect.gen(function* () {
    const reader = yield* RunReader
    const call = yield* reader.calls({}, under).pipe(
      Stream.take(CALLS_LOOKED_AT),
      Stream.filter(({ context_json }) => context_json?.["call_id"] === callId),
      Stream.runHead,
    )
    return Option.isNone(call) ? Option.none<RunRecord>() : yield* reader.get(call.value.event_id)
  })

/** A run, or a call that has nothing below it. */
const ofTree = (tree: RunTreeNode): Found =>
  isCall(tree.run) && tree.children.length === 0
    ? { kind: "call", run: tree.run, tree: Option.some(tree) }
    : { kind: "tree", tree }

const callAlone = (run: RunRecord): Found => ({ kind: "call", run, tree: Option.none() })

/** What an id names: the row of that event id, else a run, else the newest call of that call id. */
const find = (id: string) =>
  Effect.gen(function* () {
    const reader = yield* RunReader
    const row = yield* reader.get(id)
    if (Option.isNone(row)) return Option.map(yield* byCallId(id, undefined), callAlone)
    const { run_id } = row.value
    return isCall(row.value) && run_id !== id
      ? Option.some(callAlone(row.value))
      : Option.map(yield* reader.tree(run_id), ofTree)
  }).pipe(Effect.mapError(readFailed))

const findIn = (run: string, id: string) =>
  Effect.map(Effect.mapError(byCallId(id, run), readFailed), Option.map(callAlone))

/** What the run's folder has of a call. That it has nothing, or something damaged, is said and is no failure. */
const withEvidence = (run: RunRecord, options: ShowOptions) =>
  Effect.gen(function* () {
    const { evidence } = yield* Wiring
    const folder = Environment.runsDirOf(options.runsDir, yield* Environment.load)
    const call = CallRow.fromRun(run)
    const launch = CallRow.launchOf(call)
    const path = run.context_json?.["evidence_path"]
    const nowhere =
      typeof path === "string"
        ? `not in ${folder}: it is ${path} of the run's folder; --runs-dir names another runs folder`
        : "none was kept of this call"
    return yield* evidence(folder, launch, call.callId).pipe(
      Effect.map(Option.filter((kept) => kept.evidence.event_id === run.event_id)),
      Effect.map((kept): RenderCall.ShownCall => ({ run, kept, missing: nowhere })),
      Effect.catchAll(({ message }) =>
        Effect.succeed<RenderCall.ShownCall>({ run, kept: Option.none(), missing: message }),
      ),
    )
  })

const printed = (found: Found, options: ShowOptions) =>
  Effect.gen(function* () {
    const style = yield* Dress.style
    if (found.kind === "tree") {
      return yield* options.json ? printJson(found.tree) : Console.log(RenderTree.render(style, found.tree))
    }
    const shown = yield* withEvidence(found.run, options)
    if (!options.json) return yield* Console.log(RenderCall.render(style, shown, options.full))
    const { evidence, file } = Option.getOrElse(shown.kept, () => ({ evidence: null, file: null }))
    return yield* printJson({
      ...Option.getOrElse(found.tree, () => ({ run: found.run })),
      evidence_file: file,
      evidence,
    })
  })

/** `show`. */
export const program = (options: ShowOptions) =>
  withReader(
    options,
    Effect.gen(function* () {
      if (Option.isNone(options.run)) {
        const id = yield* Option.match(options.runId, { onNone: () => newestRun(options), onSome: Effect.succeed })
        const found = yield* find(id)
        return yield* Option.isNone(found) ? NothingFound.noSuch("run or call", id) : printed(found.value, options)
      }
      if (Option.isNone(options.runId)) {
        return yield* usage(
          `--run says of which run a call is: name the call too, as in "runledger calls --run ${options.run.value}", or the run alone.`,
        )
      }
      const found = yield* findIn(options.run.value, options.runId.value)
      if (Option.isSome(found)) return yield* printed(found.value, options)
      yield* NothingFound.known(options)
      return yield* usage(
        `Run ${options.run.value} has no call ${options.runId.value}. List its calls: runledger calls --run ${options.run.value}`,
      )
    }),
  )
