import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { Capture } from "../domain/Evidence.js"
import { OLD_AFTER_DAYS } from "../domain/PriceAge.js"
import { type CommandError, usage } from "./CommandError.js"

/** A setting that is absent or empty is not set. */
const optionalText = (name: string): Config.Config<Option.Option<string>> =>
  Config.string(name).pipe(
    Config.option,
    Config.map((value) =>
      Option.filter(
        Option.map(value, (text) => text.trim()),
        (text) => text !== "",
      ),
    ),
  )

const wrong = (name: string, expected: string, found: string) =>
  ConfigError.InvalidData([name], `${name}: expected ${expected}, found ${JSON.stringify(found)}`)

const parsed = <A>(
  name: string,
  expected: string,
  parse: (text: string) => Option.Option<A>,
): Config.Config<Option.Option<A>> =>
  optionalText(name).pipe(
    Config.mapOrFail(
      Option.match({
        onNone: () => Either.right(Option.none<A>()),
        onSome: (text) => {
          const value = parse(text)
          return Option.isSome(value) ? Either.right(value) : Either.left(wrong(name, expected, text))
        },
      }),
    ),
  )

const YES: ReadonlySet<string> = new Set(["true", "yes", "on", "1"])
const NO: ReadonlySet<string> = new Set(["false", "no", "off", "0"])

const flag = (text: string): Option.Option<boolean> => {
  const word = text.toLowerCase()
  if (YES.has(word)) return Option.some(true)
  return NO.has(word) ? Option.some(false) : Option.none()
}

const days = (text: string): Option.Option<number> =>
  /^\d{1,5}$/.test(text) ? Option.some(Number(text)) : Option.none()

/** A bare number means seconds. */
const seconds = (text: string): Option.Option<Duration.Duration> => {
  const bare = /^\d+(\.\d+)?$/.test(text)
  if (bare) return Option.some(Duration.seconds(Number(text)))
  const match = /^(\d+(?:\.\d+)?)\s*(ms|millis|milliseconds|s|sec|secs|seconds?|m|min|minutes?)$/i.exec(text)
  if (match === null) return Option.none()
  const amount = Number(match[1])
  const unit = (match[2] ?? "").toLowerCase()
  if (unit === "ms" || unit.startsWith("milli")) return Option.some(Duration.millis(amount))
  return Option.some(unit.startsWith("s") ? Duration.seconds(amount) : Duration.minutes(amount))
}

const oneOf =
  <A extends string>(words: ReadonlyArray<A>) =>
  (text: string): Option.Option<A> =>
    Option.fromNullable(words.find((word) => word === text.toLowerCase()))

/** How durable an event is when `append` returns. */
export const DURABILITIES = ["process", "power"] as const
export type Durability = (typeof DURABILITIES)[number]

/** The settings that commands read from the environment. Absent ones are none. */
export interface Environment {
  readonly telemetryUrl: Option.Option<string>
  readonly telemetryToken: Option.Option<Redacted.Redacted<string>>
  readonly telemetryTimeout: Option.Option<Duration.Duration>
  readonly telemetryOffline: Option.Option<boolean>
  readonly anthropicApiKey: Option.Option<Redacted.Redacted<string>>
  readonly anthropicBaseUrl: Option.Option<string>
  readonly openAiApiKey: Option.Option<Redacted.Redacted<string>>
  readonly openAiBaseUrl: Option.Option<string>
  readonly prices: Option.Option<string>
  /** After so many days a table of prices is called old. */
  readonly pricesOldAfterDays: number
  readonly capture: Option.Option<Capture>
  readonly durability: Option.Option<Durability>
  readonly runsDir: Option.Option<string>
  readonly dbPath: Option.Option<string>
  readonly webhookUrl: Option.Option<Redacted.Redacted<string>>
  readonly webhookSecret: Option.Option<Redacted.Redacted<string>>
}

const secret = (name: string) =>
  optionalText(name).pipe(
    Config.map(Option.isSome),
    Config.zip(Config.option(Config.redacted(name))),
    Config.map(([given, value]) => (given ? value : Option.none())),
  )

const config: Config.Config<Environment> = Config.all({
  telemetryUrl: optionalText("TELEMETRY_API_URL"),
  telemetryToken: secret("TELEMETRY_API_TOKEN"),
  telemetryTimeout: parsed("TELEMETRY_TIMEOUT", "a time such as 5 or 500 ms", seconds),
  telemetryOffline: parsed("TELEMETRY_OFFLINE", "true or false", flag),
  anthropicApiKey: secret("ANTHROPIC_API_KEY"),
  anthropicBaseUrl: optionalText("ANTHROPIC_BASE_URL"),
  openAiApiKey: secret("OPENAI_API_KEY"),
  openAiBaseUrl: optionalText("OPENAI_BASE_URL"),
  prices: optionalText("RUNLEDGER_PRICES"),
  pricesOldAfterDays: parsed("RUNLEDGER_PRICES_OLD_AFTER_DAYS", "a number of days such as 60", days).pipe(
    Config.map(Option.getOrElse(() => OLD_AFTER_DAYS)),
  ),
  capture: parsed("RUNLEDGER_CAPTURE", `one of ${Capture.literals.join(", ")}`, oneOf(Capture.literals)),
  durability: parsed("RUNLEDGER_DURABILITY", `one of ${DURABILITIES.join(", ")}`, oneOf(DURABILITIES)),
  runsDir: optionalText("RUNLEDGER_RUNS_DIR"),
  dbPath: optionalText("TELEMETRY_DB_PATH"),
  webhookUrl: secret("RUNLEDGER_WEBHOOK_URL"),
  webhookSecret: secret("RUNLEDGER_WEBHOOK_SECRET"),
})

const messageOf = (error: ConfigError.ConfigError): string =>
  ConfigError.reduceWithContext<undefined, string>(error, undefined, {
    andCase: (_context, left, right) => `${left}\n${right}`,
    orCase: (_context, left, right) => `${left}\n${right}`,
    invalidDataCase: (_context, path, message) => {
      const name = path.join(".")
      return message.includes(name) ? message : `${name}: ${message}`
    },
    missingDataCase: (_context, path) => `${path.join(".")} is missing`,
    sourceUnavailableCase: (_context, path, message) => `${path.join(".")}: ${message}`,
    unsupportedCase: (_context, path, message) => `${path.join(".")}: ${message}`,
  })

/** A setting that cannot be understood, as a usage error that names it. */
export const settingError = (error: ConfigError.ConfigError): CommandError =>
  usage(`${messageOf(error)}\nMend the environment variable, or unset it.`, error)

/** Reads the environment; a value that cannot be understood is a usage error that names it. */
export const load: Effect.Effect<Environment, CommandError> = Effect.mapError(config, settingError)

/** Text of a variable named at run time, such as `telemetry.token_env`. */
export const tokenFrom = (name: string): Effect.Effect<Option.Option<Redacted.Redacted<string>>, CommandError> =>
  Effect.mapError(secret(name), settingError)

export const DEFAULT_RUNS_DIR = "runs"
export const DEFAULT_API_URL = "http://localhost:8765"

/** Where runs are written: the flag, else the environment, else `runs`. */
export const runsDirOf = (flag: Option.Option<string>, env: Environment): string =>
  Option.getOrElse(flag, () => Option.getOrElse(env.runsDir, () => DEFAULT_RUNS_DIR))

/** The server to read from: the environment's, else the default one. */
export const serverOf = (env: Environment): string => Option.getOrElse(env.telemetryUrl, () => DEFAULT_API_URL)
