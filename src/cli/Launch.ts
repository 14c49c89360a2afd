import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as Path from "@effect/platform/Path"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import { CurrentRun, type CurrentRunService } from "../../services/CurrentRun.js"
import { RunReader } from "../../services/RunReader.js"
import { Telemetry, type TelemetryService } from "../../services/Telemetry.js"
import * as CanonicalJson from "../domain/CanonicalJson.js"
import { launchRunId } from "../domain/Ids.js"
import type { Provider } from "../domain/RunConfig.js"
import type { RunTreeNode } from "../domain/RunTree.js"
import * as Input from "../pipeline/Input.js"
import * as Orchestrator from "../pipeline/Orchestrator.js"
import * as Sandbox from "../sandbox/Sandbox.js"
import { LlmSpan } from "../telemetry/LlmSpan.js"
import { Recorder } from "../telemetry/Recorder.js"
import { type CommandError, failure, usage } from "./CommandError.js"
import * as Fallbacks from "./Fallbacks.js"
import * as LaunchCost from "./LaunchCost.js"
import * as LaunchResult from "./LaunchResult.js"
import type { LaunchSettings } from "./LaunchSettings.js"
import * as Progress from "./Progress.js"
import { type Answerer, type LaunchSetup, type Platform, Wiring } from "./Wiring.js"

/** Which run a launch is to be. */
export interface RunNaming {
  readonly runId: Option.Option<string>
  readonly resume: Option.Option<string>
}

/** How a launch ended: its result and tree as its own log tells them, and why it failed. */
export interface Launched {
  readonly result: LaunchResult.LaunchResult
  readonly tree: RunTreeNode
  readonly failure: Option.Option<string>
}

type Needs = Wiring | Platform | CommandExecutor.CommandExecutor | Progress.ProgressSink

const inputExit = (error: Input.InputError): CommandError =>
  error.problem === "CannotReach" ? failure(error.message, error) : usage(error.message, error)

const identify = (settings: LaunchSettings) =>
  Input.identify({
    target: settings.input,
    ref: settings.config.ref,
    productName: settings.config.product_name,
  }).pipe(Effect.mapError(inputExit))

const nameOf = (naming: RunNaming, settings: LaunchSettings, identity: Input.InputIdentity) =>
  Effect.map(Clock.currentTimeMillis, (startedAtMillis) =>
    Option.getOrElse(
      Option.firstSomeOf([naming.resume, naming.runId, Option.fromNullable(settings.config._telemetry_run_id)]),
      () =>
        launchRunId({
          startedAtMillis,
          product: identity.product,
          ref: identity.sha,
          configHash: CanonicalJson.hash(settings.config),
        }),
    ),
  )

const sandbox = (baseUrl: Option.Option<string>): Effect.Effect<Answerer, CommandError, Scope.Scope> =>
  Effect.gen(function* () {
    const url = yield* Option.match(baseUrl, {
      onSome: Effect.succeed,
      onNone: () =>
        Effect.map(
          Effect.mapError(Sandbox.serve(), (error) => failure(error.message, error)),
          ({ url }) => url,
        ),
    })
    return { kind: "messages-api", apiKey: Redacted.make("sandbox"), baseUrl: Option.some(url), sandbox: true }
  })

const answererOf = (settings: LaunchSettings): Effect.Effect<Answerer, CommandError, Scope.Scope> => {
  switch (settings.provider) {
    case "sandbox":
      return sandbox(settings.baseUrl)
    case "replay":
      return Effect.succeed({ kind: "replay" })
    case "openai":
      return Effect.succeed({ kind: "chat-completions", apiKey: settings.apiKey, baseUrl: settings.baseUrl })
    case "anthropic":
      return Effect.succeed({
        kind: "messages-api",
        apiKey: Option.getOrElse(settings.apiKey, () => Redacted.make("")),
        baseUrl: settings.baseUrl,
        sandbox: false,
      })
  }
}

const setupOf = (settings: LaunchSettings, naming: RunNaming, runId: string, answerer: Answerer): LaunchSetup => ({
  runsDir: settings.runsDir,
  runId,
  resume: Option.isSome(naming.resume),
  config: settings.config,
  keptConfig: settings.wire,
  answerer,
  alternates: Fallbacks.alternates(settings.fallbacks, answerer),
  telemetry: settings.telemetry,
  capture: settings.capture,
  durability: settings.durability,
  pricesFile: settings.pricesFile,
  webhook: settings.webhook,
  secrets: [
    ...settings.keys,
    ...(settings.telemetry.on ? Option.toArray(settings.telemetry.token) : []),
    ...Option.match(settings.webhook, {
      onNone: () => [],
      onSome: ({ secret, url }) => [url, ...(secret === undefined ? [] : [secret])],
    }),
  ],
})

/** Whether answers come from somebody who may ask money for them. */
const isBought = (provider: Provider): boolean => provider === "anthropic" || provider === "openai"

const announce = (settings: LaunchSettings, identity: Input.InputIdentity) =>
  Effect.gen(function* () {
    const { telemetry } = settings
    const why = Option.match(settings.providerReason, { onNone: () => "", onSome: (reason) => ` (${reason})` })
    yield* Effect.logInfo(
      settings.provider === "sandbox"
        ? `Provider sandbox${why}: answers are made on this machine, cost nothing, and are marked simulated.`
        : `Provider ${settings.provider}${why}, model ${settings.config.llm.model}.`,
    )
    yield* Effect.logInfo(
      telemetry.on
        ? `Telemetry on: events go to ${telemetry.endpoint}.`
        : `Telemetry off (${telemetry.reason}): this run stays in ${settings.runsDir}.`,
    )
    yield* LaunchCost.warnOfCalls(settings)
    if (isBought(settings.provider)) yield* LaunchCost.announce(settings, identity)
  })

interface Opened {
  readonly run: CurrentRunService
  readonly telemetry: TelemetryService
}

/** The launch itself, in the scope of its layers. What was opened is left in `opened` for the report after it. */
const work = (
  settings: LaunchSettings,
  naming: RunNaming,
  identity: Input.InputIdentity,
  opened: Ref.Ref<Option.Option<Opened>>,
) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const runId = yield* nameOf(naming, settings, identity)
    const setup = setupOf(settings, naming, runId, yield* answererOf(settings))
    const recording = LlmSpan.layer.pipe(
      Layer.provideMerge(Recorder.layer),
      Layer.provideMerge(Progress.watched),
      Layer.provideMerge(wiring.launch(setup)),
    )
    return yield* Effect.gen(function* () {
      const run = yield* CurrentRun
      yield* Ref.set(opened, Option.some({ run, telemetry: yield* Telemetry }))
      yield* Effect.logInfo(`Run ${run.runId} in ${Option.getOrElse(run.directory, () => settings.runsDir)}`)
      return yield* Effect.exit(Orchestrator.launch({ identity, config: settings.config, trigger: "cli" }))
    }).pipe(Effect.provide(recording))
  }).pipe(Effect.scoped)

/** How many events the server lacks. What went wrong is telemetry's to say; where the run can be read is said here. */
const undeliveredOf = ({ run, telemetry }: Opened) =>
  Effect.gen(function* () {
    const { endpoint, undelivered } = yield* telemetry.delivery
    if (endpoint === null || undelivered === 0) return 0
    yield* Effect.logInfo(`The run itself is whole; read it with: runledger show ${run.runId} --local`)
    return undelivered
  })

const report = (settings: LaunchSettings, opened: Opened, why: Option.Option<string>) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const path = yield* Path.Path
    const sink = yield* Progress.ProgressSink
    yield* sink.clear
    const directory = Option.getOrElse(opened.run.directory, () => path.join(settings.runsDir, opened.run.runId))
    const tree = yield* Effect.flatMap(RunReader, (reader) => reader.tree(opened.run.runId)).pipe(
      Effect.provide(wiring.folderReader(path.dirname(directory), path.basename(directory))),
      Effect.mapError((error) => failure(error.message, error)),
    )
    const undelivered = yield* undeliveredOf(opened)
    if (Option.isNone(tree)) {
      return yield* failure(
        `The run's event log in ${directory} could not be written. ${Option.getOrElse(why, () => "Check the folder's permissions and the free disk space.")}`,
      )
    }
    const shown = path.relative("", directory)
    const result = LaunchResult.fromTree(tree.value, shown.startsWith("..") ? directory : shown, undelivered)
    return { result, tree: tree.value, failure: why } satisfies Launched
  })

const reasonOf = (exit: Exit.Exit<unknown, { readonly message: string }>): Option.Option<string> =>
  Exit.isSuccess(exit)
    ? Option.none()
    : Option.some(
        Option.match(Cause.failureOption(exit.cause), {
          onSome: (error) => error.message,
          onNone: () => {
            const defect = Cause.squash(exit.cause)
            return `Something unforeseen happened: ${defect instanceof Error ? defect.message : String(defect)}. Run again with --log-level debug and report what it prints.`
          },
        }),
      )

/**
 * One launch from settings to result. A launch that fails is a `Launched` with its reason, for everything written stays;
 * what keeps it from starting is a `CommandError`. Interrupted, it closes its run as cancelled, hands the result to
 * `onCancelled`, and stays interrupted.
 */
export const run = (
  settings: LaunchSettings,
  naming: RunNaming,
  onCancelled: (launched: Launched) => Effect.Effect<void>,
): Effect.Effect<Launched, CommandError, Needs> =>
  Effect.gen(function* () {
    const identity = yield* identify(settings)
    yield* announce(settings, identity)
    const opened = yield* Ref.make(Option.none<Opened>())
    const ended = yield* work(settings, naming, identity, opened).pipe(
      Effect.onInterrupt(() =>
        Effect.flatMap(
          Ref.get(opened),
          Option.match({
            onNone: () => Effect.void,
            onSome: (what) =>
              report(settings, what, Option.some("cancelled")).pipe(Effect.flatMap(onCancelled), Effect.ignoreLogged),
          }),
        ),
      ),
    )
    const what = yield* Ref.get(opened)
    if (Option.isNone(what)) return yield* failure("The launch ended before its run was opened.")
    if (Exit.isFailure(ended)) yield* Effect.logDebug("The launch failed", ended.cause)
    return yield* report(settings, what.value, reasonOf(ended))
  })
