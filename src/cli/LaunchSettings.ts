import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { Capture } from "../domain/Evidence.js"
import type { Provider, RunConfig, RunConfigWire } from "../domain/RunConfig.js"
import * as RunConfigText from "../domain/RunConfigText.js"
import { type CommandError, usage } from "./CommandError.js"
import * as Environment from "./Environment.js"

/** What the command line of a launch says; absent flags are none. */
export interface LaunchFlags {
  readonly input: Option.Option<string>
  readonly ref: Option.Option<string>
  readonly provider: Option.Option<Provider>
  readonly model: Option.Option<string>
  readonly offline: boolean
  readonly runsDir: Option.Option<string>
}

/** Where events go, or why they stay. */
export type TelemetrySettings =
  | {
      readonly on: true
      readonly endpoint: string
      readonly token: Option.Option<Redacted.Redacted<string>>
      readonly requestTimeout: Duration.Duration
    }
  | { readonly on: false; readonly reason: string }

/** A launch's settings after flag, environment, file and default, in this order, have spoken. */
export interface LaunchSettings {
  /** What the run folder keeps as `run_config.json`: the file's own keys with what flags and environment changed. */
  readonly wire: RunConfigWire
  readonly config: RunConfig
  readonly input: string
  readonly provider: Provider
  /** Why this provider, when nobody named one. */
  readonly providerReason: Option.Option<string>
  readonly baseUrl: Option.Option<string>
  readonly apiKey: Option.Option<Redacted.Redacted<string>>
  readonly telemetry: TelemetrySettings
  readonly runsDir: string
  readonly capture: Capture
  readonly durability: Environment.Durability
  readonly pricesFile: Option.Option<string>
}

const chosen = <A>(...candidates: ReadonlyArray<Option.Option<A>>): Option.Option<A> => Option.firstSomeOf(candidates)

const decideProvider = (
  flags: LaunchFlags,
  file: RunConfigWire,
  env: Environment.Environment,
): { readonly provider: Provider; readonly reason: Option.Option<string> } =>
  Option.match(chosen(flags.provider, Option.fromNullable(file.llm?.provider)), {
    onSome: (provider) => ({ provider, reason: Option.none() }),
    onNone: () =>
      Option.isSome(env.anthropicApiKey)
        ? { provider: "anthropic", reason: Option.some("ANTHROPIC_API_KEY is set") }
        : { provider: "sandbox", reason: Option.some("no ANTHROPIC_API_KEY and no --provider") },
  })

const refuseUnready = (provider: Provider, env: Environment.Environment): Effect.Effect<void, CommandError> => {
  if (provider === "openai") {
    return Effect.fail(
      usage("The provider openai comes with a later release. Use --provider anthropic, sandbox or replay."),
    )
  }
  if (provider === "anthropic" && Option.isNone(env.anthropicApiKey)) {
    return Effect.fail(
      usage("The provider anthropic needs a key. Set ANTHROPIC_API_KEY, or use --provider sandbox, which needs none."),
    )
  }
  return Effect.void
}

const offlineReason = (
  flags: LaunchFlags,
  file: RunConfigWire,
  env: Environment.Environment,
): Option.Option<string> => {
  if (flags.offline) return Option.some("--offline")
  if (Option.isSome(env.telemetryOffline)) {
    return env.telemetryOffline.value ? Option.some("TELEMETRY_OFFLINE") : Option.none()
  }
  return file.offline_mode === true ? Option.some("offline_mode in the run config") : Option.none()
}

const telemetryFrom = (
  reason: Option.Option<string>,
  file: RunConfigWire,
  env: Environment.Environment,
): Effect.Effect<TelemetrySettings, CommandError> =>
  Effect.gen(function* () {
    if (Option.isSome(reason)) return { on: false, reason: reason.value }
    const tokenEnv = file.telemetry?.token_env
    const named = tokenEnv === undefined ? Option.none() : yield* Environment.tokenFrom(tokenEnv)
    return {
      on: true,
      endpoint: Option.getOrElse(
        chosen(env.telemetryUrl, Option.fromNullable(file.telemetry?.endpoint_url)),
        () => Environment.DEFAULT_API_URL,
      ),
      token: chosen(env.telemetryToken, named),
      requestTimeout: Option.getOrElse(env.telemetryTimeout, () => Duration.seconds(5)),
    }
  })

/** Merges flags, environment, file and defaults. What cannot work is a usage error that says what to change. */
export const resolve = (
  flags: LaunchFlags,
  file: RunConfigWire,
  env: Environment.Environment,
): Effect.Effect<LaunchSettings, CommandError> =>
  Effect.gen(function* () {
    const input = chosen(flags.input, Option.fromNullable(file.repo))
    if (Option.isNone(input)) {
      return yield* usage(
        "What should be launched? Name a folder or a git URL: runledger launch <folder|git url>, or set repo in the run config.",
      )
    }
    const { provider, reason } = decideProvider(flags, file, env)
    yield* refuseUnready(provider, env)
    const offline = offlineReason(flags, file, env)
    const baseUrl = chosen(
      provider === "anthropic" ? env.anthropicBaseUrl : Option.none(),
      Option.fromNullable(file.llm?.base_url),
    )
    const wire: RunConfigWire = {
      ...file,
      repo: input.value,
      ...Option.match(flags.ref, { onNone: () => ({}), onSome: (ref) => ({ ref }) }),
      offline_mode: Option.isSome(offline),
      llm: {
        ...file.llm,
        provider,
        ...Option.match(flags.model, { onNone: () => ({}), onSome: (model) => ({ model }) }),
      },
    }
    const config = yield* Either.mapLeft(RunConfigText.withDefaults(wire), (error) => usage(error.message, error))
    return {
      wire,
      config,
      input: input.value,
      provider,
      providerReason: reason,
      baseUrl,
      apiKey: env.anthropicApiKey,
      telemetry: yield* telemetryFrom(offline, file, env),
      runsDir: Environment.runsDirOf(flags.runsDir, env),
      capture: Option.getOrElse(env.capture, () => "redacted" as const),
      durability: Option.getOrElse(env.durability, () => "process" as const),
      pricesFile: env.prices,
    }
  })
