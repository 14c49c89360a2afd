import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"

/** How the server listens and whom it lets in. */
export interface ServerSettings {
  /** `127.0.0.1` or `localhost` listens on both loopback addresses; any other address needs a token. */
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** The bearer token that every route but `/health` then asks for. */
  readonly token: Option.Option<Redacted.Redacted<string>>
  /** Names under which the server may be reached besides the loopback ones. */
  readonly allowedHosts: ReadonlyArray<string>
  readonly rateLimit: Option.Option<{ readonly perMinute: number }>
  /** Running rows without a sign of life for so long are ended as `timeout`; none leaves them alone. */
  readonly staleAfter: Option.Option<Duration.Duration>
}

export const DEFAULT_HOST = "127.0.0.1"
export const DEFAULT_PORT = 8765
export const DEFAULT_STALE_AFTER = Duration.hours(24)

/** Loopback, the default port, no token, no limit, a day of silence. */
export const defaults: ServerSettings = {
  host: DEFAULT_HOST,
  port: DEFAULT_PORT,
  token: Option.none(),
  allowedHosts: [],
  rateLimit: Option.none(),
  staleAfter: Option.some(DEFAULT_STALE_AFTER),
}

const host = Config.nonEmptyString("TELEMETRY_API_HOST").pipe(Config.withDefault(DEFAULT_HOST))

const port = Config.integer("TELEMETRY_API_PORT").pipe(
  Config.validate({
    message: "TELEMETRY_API_PORT must be a port from 0 (any free one) to 65535",
    validation: (value) => value >= 0 && value <= 65535,
  }),
  Config.withDefault(DEFAULT_PORT),
)

const token = Config.all({
  enabled: Config.boolean("TELEMETRY_API_AUTH_ENABLED").pipe(Config.withDefault(false)),
  given: Config.option(Config.redacted(Config.nonEmptyString("TELEMETRY_API_AUTH_TOKEN"))),
}).pipe(
  Config.mapOrFail(({ enabled, given }): Either.Either<ServerSettings["token"], ConfigError.ConfigError> => {
    if (!enabled) return Either.right(Option.none())
    return Option.isSome(given)
      ? Either.right(given)
      : Either.left(
          ConfigError.MissingData(
            ["TELEMETRY_API_AUTH_TOKEN"],
            "TELEMETRY_API_AUTH_ENABLED is true, so TELEMETRY_API_AUTH_TOKEN must hold the token",
          ),
        )
  }),
)

const allowedHosts = Config.string("TELEMETRY_ALLOWED_HOSTS").pipe(
  Config.withDefault(""),
  Config.map((text) =>
    text
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
  ),
)

const rateLimit = Config.all({
  enabled: Config.boolean("TELEMETRY_RATE_LIMIT_ENABLED").pipe(Config.withDefault(false)),
  perMinute: Config.integer("TELEMETRY_RATE_LIMIT_RPM").pipe(
    Config.validate({ message: "TELEMETRY_RATE_LIMIT_RPM must be at least 1", validation: (value) => value >= 1 }),
    Config.withDefault(60),
  ),
}).pipe(Config.map(({ enabled, perMinute }) => (enabled ? Option.some({ perMinute }) : Option.none())))

const NEVER = /^(?:0|off|0 +[a-z]+)$/i

const DURATION = /^\d+(?:\.\d+)? (?:milli|second|minute|hour|day|week)s?$/

const duration = (text: string): Option.Option<Duration.Duration> =>
  DURATION.test(text)
    ? Option.filter(Duration.decodeUnknown(text), (found) => Duration.isFinite(found) && Duration.toMillis(found) > 0)
    : Option.none()

const staleAfter = Config.string("TELEMETRY_STALE_AFTER").pipe(
  Config.mapOrFail((text): Either.Either<ServerSettings["staleAfter"], ConfigError.ConfigError> => {
    const word = text.trim().toLowerCase().replace(/\s+/g, " ")
    if (NEVER.test(word)) return Either.right(Option.none())
    return Option.match(duration(word), {
      onNone: () =>
        Either.left(
          ConfigError.InvalidData(
            [],
            `TELEMETRY_STALE_AFTER must be a duration such as "24 hours" or "30 minutes", or "off"; it is "${text}"`,
          ),
        ),
      onSome: (found) => Either.right(Option.some(found)),
    })
  }),
  Config.withDefault(defaults.staleAfter),
)

/**
 * The settings from the environment: `TELEMETRY_API_HOST`, `TELEMETRY_API_PORT`, `TELEMETRY_API_AUTH_ENABLED` with
 * `TELEMETRY_API_AUTH_TOKEN`, `TELEMETRY_ALLOWED_HOSTS` (comma-separated), `TELEMETRY_RATE_LIMIT_ENABLED` with
 * `TELEMETRY_RATE_LIMIT_RPM` (60), `TELEMETRY_STALE_AFTER` (24 hours; `0` and `off` switch it off).
 */
export const config: Config.Config<ServerSettings> = Config.all({
  host,
  port,
  token,
  allowedHosts,
  rateLimit,
  staleAfter,
})
