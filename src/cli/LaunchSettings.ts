import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Capture } from "../domain/Evidence.js"
import type { Provider, RunConfig, RunConfigWire } from "../domain/RunConfig.js"
import * as RunConfigText from "../domain/RunConfigText.js"
import * as WebhookAddress from "../domain/WebhookAddress.js"
import * as WebhookMessage from "../domain/WebhookMessage.js"
import { type CommandError, usage } from "./CommandError.js"
import * as Environment from "./Environment.js"
import * as Fallbacks from "./Fallbacks.js"
import type { WebhookAccess } from "./Wiring.js"

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
  /** The provider's own. */
  readonly apiKey: Option.Option<Redacted.Redacted<string>>
  readonly fallbacks: ReadonlyArray<Fallbacks.FallbackSettings>
  /** Every key of the environment: what is kept must hold none of them. */
  readonly keys: ReadonlyArray<Redacted.Redacted<string>>
  readonly telemetry: TelemetrySettings
  readonly runsDir: string
  readonly capture: Capture
  readonly durability: Environment.Durability
  readonly pricesFile: Option.Option<string>
  /** Who is told of budget alerts. */
  readonly webhook: Option.Option<WebhookAccess>
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

/** What each provider's key and address are in the environment; those of the sandbox and of replay come from elsewhere. */
const accessOf = (provider: Provider, env: Environment.Environment) => {
  switch (provider) {
    case "openai":
      return { apiKey: env.openAiApiKey, baseUrl: env.openAiBaseUrl }
    case "anthropic":
      return { apiKey: env.anthropicApiKey, baseUrl: env.anthropicBaseUrl }
    default:
      return { apiKey: env.anthropicApiKey, baseUrl: Option.none<string>() }
  }
}

interface Wanted {
  readonly provider: Provider
  readonly model: Option.Option<string>
  readonly baseUrl: Option.Option<string>
}

const refuseUnready = (wanted: Wanted, env: Environment.Environment): Effect.Effect<void, CommandError> => {
  const { baseUrl, model, provider } = wanted
  if (provider === "openai" && Option.isNone(env.openAiApiKey) && Option.isNone(baseUrl)) {
    return Effect.fail(
      usage(
        "The provider openai needs a key, or a server that takes none. Set OPENAI_API_KEY, or OPENAI_BASE_URL (such as http://localhost:11434/v1), or use --provider sandbox, which needs neither.",
      ),
    )
  }
  if (provider === "openai" && Option.isNone(model)) {
    return Effect.fail(
      usage("The provider openai has no model of its own here. Name one with --model, or llm.model in the run config."),
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

/** The address is not shown: many receivers' addresses are secrets. */
const webhookFrom = (env: Environment.Environment): Effect.Effect<Option.Option<WebhookAccess>, CommandError> => {
  if (Option.isNone(env.webhookUrl)) return Effect.succeedNone
  const secret = Option.getOrUndefined(env.webhookSecret)
  const wrong = WebhookAddress.problem(Redacted.value(env.webhookUrl.value))
  if (wrong !== null)
    return usage(
      `RUNLEDGER_WEBHOOK_URL cannot be used: ${wrong}. Budget alerts go to https, or to http on this machine.`,
    )
  const flaw = secret === undefined ? null : WebhookMessage.secretProblem(Redacted.value(secret))
  return flaw === null
    ? Effect.succeedSome({ url: env.webhookUrl.value, secret })
    : usage(`RUNLEDGER_WEBHOOK_SECRET cannot be used: ${flaw}. Copy it anew from the receiver, or name another.`)
}

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
    const access = accessOf(provider, env)
    const baseUrl = chosen(access.baseUrl, Option.fromNullable(file.llm?.base_url))
    const model = chosen(flags.model, Option.fromNullable(file.llm?.model))
    yield* refuseUnready({ provider, model, baseUrl }, env)
    const offline = offlineReason(flags, file, env)
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
      apiKey: access.apiKey,
      fallbacks: yield* Fallbacks.resolve(config.llm, { provider, apiKey: access.apiKey, baseUrl }, (other) =>
        accessOf(other, env),
      ),
      keys: [...Option.toArray(env.anthropicApiKey), ...Option.toArray(env.openAiApiKey)],
      telemetry: yield* telemetryFrom(offline, file, env),
      runsDir: Environment.runsDirOf(flags.runsDir, env),
      capture: Option.getOrElse(env.capture, () => "redacted" as const),
      durability: Option.getOrElse(env.durability, () => "process" as const),
      pricesFile: env.prices,
      webhook: yield* webhookFrom(env),
    }
  })
