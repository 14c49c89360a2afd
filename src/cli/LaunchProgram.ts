import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { failure, usage } from "./CommandError.js"
import * as Dress from "./Dress.js"
import * as Environment from "./Environment.js"
import * as Launch from "./Launch.js"
import type { LaunchOptions } from "./LaunchCommand.js"
import * as LaunchResult from "./LaunchResult.js"
import * as LaunchSettings from "./LaunchSettings.js"
import * as PriceBadge from "./PriceBadge.js"
import { printJson } from "./Reading.js"
import * as RunConfigFile from "./RunConfigFile.js"

const quoted = (word: string): string => (/^[\w./:@~+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/** The command that takes a run up again as these options have it. What the run's own config keeps is not repeated. */
const resuming = (
  runId: string,
  options: Pick<LaunchOptions, "config" | "input" | "model" | "provider" | "ref" | "runsDir">,
) => {
  const flag = (name: string, value: Option.Option<string>) =>
    Option.match(value, { onNone: () => [], onSome: (given) => [name, quoted(given)] })
  const own = Option.isSome(options.config)
    ? [
        ...Option.toArray(Option.map(options.input, quoted)),
        ...flag("--config", options.config),
        ...flag("--ref", options.ref),
        ...flag("--provider", options.provider),
        ...flag("--model", options.model),
      ]
    : []
  return ["runledger launch", ...own, ...flag("--runs-dir", options.runsDir), "--resume", quoted(runId)].join(" ")
}

/** What a launch was asked for, as far as it tells how to go on after it. */
export type Asked = Pick<LaunchOptions, "allowPartial" | "config" | "input" | "model" | "provider" | "ref" | "runsDir">

/** Fails as the exit code wants it: a failed launch always, a partial one unless it is allowed. */
export const judged = ({ result, tree, failure: why }: Launch.Launched, asked: Asked) => {
  if (result.status === "success" || (result.status === "partial" && asked.allowPartial)) return Effect.void
  const next = [
    `Everything written so far is in ${result.run_dir}; look at it with: runledger show ${result.run_id}`,
    `Its run config is ${Option.getOrElse(asked.config, () => `${result.run_dir}/run_config.json`)}. To go on (answers that are there are not paid for again): ${resuming(result.run_id, asked)}`,
  ].join("\n")
  return result.status === "partial"
    ? failure(
        `The launch is partial: ${tree.run.error_summary ?? "some of it fell back to templates."}\nlaunch --allow-partial takes that for a success.\n${next}`,
      )
    : failure(`The launch failed: ${Option.getOrElse(why, () => `it ended as ${result.status}`)}\n${next}`)
}

const show = (json: boolean) => (launched: Launch.Launched) =>
  json
    ? printJson(launched.result)
    : Effect.flatMap(Dress.style, (style) => Console.log(LaunchResult.render(style, launched.result, launched.tree)))

/** `launch`: settings, the run, its result on stdout, its exit code. */
export const program = (options: LaunchOptions) =>
  Effect.gen(function* () {
    if (Option.isSome(options.resume) && Option.isSome(options.runId)) {
      return yield* usage("--resume keeps the run's id: leave --run-id away.")
    }
    const env = yield* Environment.load
    const runsDir = Environment.runsDirOf(options.runsDir, env)
    const file = yield* RunConfigFile.load({ file: options.config, resume: options.resume, runsDir })
    const settings = yield* LaunchSettings.resolve(options, file, env)
    const print = show(options.json)
    const context = yield* Effect.context<Effect.Effect.Context<ReturnType<typeof print>>>()
    const launched = yield* Launch.run(settings, options, (cancelled) => Effect.provide(print(cancelled), context))
    yield* print(launched)
    if (settings.provider === "anthropic" || settings.provider === "openai") {
      yield* PriceBadge.saidOf(settings.pricesFile)
    }
    yield* judged(launched, options)
  })
