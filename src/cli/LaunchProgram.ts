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

/** Fails as the exit code wants it: a failed launch always, a partial one unless it is allowed. */
export const judged = ({ result, failure: why }: Launch.Launched, allowPartial: boolean) => {
  if (result.status === "success" || (result.status === "partial" && allowPartial)) return Effect.void
  const next = `Everything written so far is in ${result.run_dir}; look at it with: runledger show ${result.run_id}`
  return result.status === "partial"
    ? failure(
        `The launch is partial: some of it fell back to templates or heuristics. --allow-partial accepts that.\n${next}`,
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
    yield* judged(launched, options.allowPartial)
  })
