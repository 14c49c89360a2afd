import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { RunReader } from "../../services/RunReader.js"
import type { RunTreeNode } from "../domain/RunTree.js"
import { ServerError } from "../server/ServerError.js"
import type { CommandError } from "./CommandError.js"
import * as Dress from "./Dress.js"
import * as Environment from "./Environment.js"
import * as Launch from "./Launch.js"
import { judged } from "./LaunchProgram.js"
import * as LaunchResult from "./LaunchResult.js"
import * as LaunchSettings from "./LaunchSettings.js"
import * as RenderTree from "./RenderTree.js"
import * as ServeProgram from "./ServeProgram.js"
import * as ServerProbe from "./ServerProbe.js"
import type { StartOptions } from "./StartCommand.js"
import { type Platform, Wiring } from "./Wiring.js"

interface Served {
  readonly url: string
  /** False when another process's server is used. */
  readonly ours: boolean
}

type Needs = Wiring | Platform | Scope.Scope

const TRIES = 20

const addressOf = (host: string, port: number): string => {
  const reached = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host
  return `http://${reached.includes(":") ? `[${reached}]` : reached}:${port}`
}

/** The server at the wanted port: one that is there already, ours, or ours on the next free port. */
const served = (options: StartOptions) =>
  Effect.gen(function* () {
    const none = { host: Option.none(), db: Option.none() }
    const { settings, dbPath } = yield* ServeProgram.settingsOf({ ...none, port: options.port })
    if (settings.port === 0) {
      const { url } = yield* ServeProgram.start(settings, dbPath)
      return { url, ours: true } satisfies Served
    }
    const next = (port: number, tries: number) =>
      Effect.zipRight(
        Effect.logInfo(`Port ${port} is held by something else; trying ${port + 1}.`),
        Effect.suspend(() => onPort(port + 1, tries - 1)),
      )
    const onPort = (port: number, tries: number): Effect.Effect<Served, CommandError, Needs> =>
      Effect.gen(function* () {
        const address = addressOf(settings.host, port)
        const probe = yield* ServerProbe.probe(address)
        if (probe.kind === "runledger") {
          yield* Effect.logInfo(`A Runledger server answers at ${address} already; it is used.`)
          return { url: address, ours: false }
        }
        if (probe.kind === "other" && tries > 1) return yield* next(port, tries)
        return yield* ServeProgram.start({ ...settings, port }, dbPath).pipe(
          Effect.map(({ url }): Served => ({ url, ours: true })),
          Effect.catchIf(
            (error) => tries > 1 && error.cause instanceof ServerError && error.cause.reason === "PortTaken",
            () => next(port, tries),
          ),
        )
      })
    return yield* onPort(settings.port, TRIES)
  })

const launched = (options: StartOptions, url: string) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const env = yield* Environment.load
    const flags: LaunchSettings.LaunchFlags = {
      input: Option.some(Option.getOrElse(options.folder, () => wiring.packageFolder)),
      ref: Option.none(),
      provider: Option.some(Option.getOrElse(options.provider, () => "sandbox" as const)),
      model: options.model,
      offline: false,
      runsDir: Option.none(),
    }
    const settings = yield* LaunchSettings.resolve(
      flags,
      {},
      { ...env, telemetryUrl: Option.some(url), telemetryOffline: Option.none() },
    )
    const naming = { runId: Option.none(), resume: Option.none() }
    return yield* Launch.run(settings, naming, () => Effect.void)
  })

/** The tree as the server has it, so that what is shown is what was delivered; the log's own when it cannot be had. */
const treeAt = (url: string, local: Launch.Launched) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const { telemetryToken: token } = yield* Environment.load
    return yield* Effect.flatMap(RunReader, (reader) => reader.tree(local.result.run_id)).pipe(
      Effect.provide(wiring.serverReader({ endpoint: url, token })),
      Effect.catchAll((error) => Effect.as(Effect.logWarning(error.message), Option.none<RunTreeNode>())),
      Effect.map(Option.getOrElse(() => local.tree)),
    )
  })

const toTry = (url: string, runId: string): string =>
  [
    "Ask it yourself:",
    `  curl -s '${url}/api/v1/runs?parent_run_id=${runId}&job_type=llm_call' | jq .`,
    `  curl -s '${url}/api/v1/runs?parent_run_id=${runId}&job_type=llm_call' | jq '[.[] | .metrics_json.total_tokens] | add'`,
    `  curl -s '${url}/api/v1/runs?parent_run_id=${runId}&job_type=llm_call' | jq '[.[] | .metrics_json.api_cost_usd] | add'`,
    `  curl -s '${url}/api/v1/runs?job_type=llm_call&status=failure' | jq .`,
  ].join("\n")

/** `start`: the server, one launch, its tree, the page's address and what to type next; then serves until Ctrl-C. */
export const program = (options: StartOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { url, ours } = yield* served(options)
      yield* Effect.logInfo(`Server at ${url}`)
      const launch = yield* launched(options, url)
      const style = yield* Dress.style
      const tree = yield* treeAt(url, launch)
      yield* Console.log(
        [
          "",
          RenderTree.render(style, tree),
          "",
          LaunchResult.render(style, launch.result, launch.tree),
          `  page     ${style.cyan(`${url}/`)}`,
          "",
          toTry(url, launch.result.run_id),
        ].join("\n"),
      )
      yield* judged(launch, {
        ...{ allowPartial: false, config: Option.none(), input: options.folder, ref: Option.none() },
        ...{ provider: options.provider, model: options.model, runsDir: Option.none() },
      })
      if (options.exit && ours)
        yield* Console.log(`\nThe server has ended with this command. Start it again with: npx runledger serve`)
      if (options.exit || !ours) return
      yield* Console.log(`\nServing at ${url} until Ctrl-C.`)
      return yield* Effect.never
    }),
  )
