import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { isOrigin } from "./Cors.js"
import * as RetentionSettings from "./RetentionSettings.js"

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
  /** Origins of pages elsewhere that may ask this server, each to the letter. */
  readonly corsOrigins: ReadonlyArray<string>
  readonly rateLimit: Option.Option<{ readonly perMinute: number }>
  /** Running rows without a sign of life for so long are ended as `timeout`; none leaves them alone. */
  readonly staleAfter: Option.Option<Duration.Duration>
  /** What is kept, and for how long. */
  readonly retention: RetentionSettings.RetentionSettings
  /** Bytes put by beside the database for a full disk; 0 for none. */
  readonly ballastBytes: number
  /** Streams of changes that may be open at a time. */
  readonly maxStreams: number
  /** One log line a request; when nobody says, only where other machines can reach the server. */
  readonly accessLog: Option.Option<boolean>
}

export const DEFAULT_HOST = "127.0.0.1"
export const DEFAULT_PORT = 8765
export const DEFAULT_MAX_STREAMS = 64
export const DEFAULT_STALE_AFTER = Duration.hours(24)

/** Loopback, the default port, no token, no other site, no limit, a day of silence, no access log. */
export const defaults: ServerSettings = {
  host: DEFAULT_HOST,
  port: DEFAULT_PORT,
  token: Option.none(),
  allowedHosts: [],
  corsOrigins: [],
  rateLimit: Option.none(),
  staleAfter: Option.some(DEFAULT_STALE_AFTER),
  retention: RetentionSettings.KEEP_ALL,
  ballastBytes: RetentionSettings.DEFAULT_BALLAST_BYTES,
  maxStreams: DEFAULT_MAX_STREAMS,
  accessLog: Option.none(),
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

const listed = (name: string): Config.Config<ReadonlyArray<string>> =>
  Config.string(name).pipe(
    Config.withDefault(""),
    Config.map((text) =>
      text
        .split(",")
        .map((word) => word.trim())
        .filter((word) => word !== ""),
    ),
  )

const allowedHosts = listed("TELEMETRY_ALLOWED_HOSTS")

const corsOrigins = listed("TELEMETRY_CORS_ORIGINS").pipe(
  Config.validate({
    message:
      'TELEMETRY_CORS_ORIGINS must be origins such as "https://dash.example" (scheme, host and port, no path, no *), comma-separated',
    validation: (origins) => origins.every(isOrigin),
  }),
)

const maxStreams = Config.integer("TELEMETRY_MAX_STREAMS").pipe(
  Config.validate({ message: "TELEMETRY_MAX_STREAMS must be at least 0", validation: (value) => value >= 0 }),
  Config.withDefault(DEFAULT_MAX_STREAMS),
)

const accessLog = Config.option(Config.boolean("TELEMETRY_ACCESS_LOG"))

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
 * `TELEMETRY_API_AUTH_TOKEN`, `TELEMETRY_ALLOWED_HOSTS` and `TELEMETRY_CORS_ORIGINS` (comma-separated),
 * `TELEMETRY_RATE_LIMIT_ENABLED` with `TELEMETRY_RATE_LIMIT_RPM` (60), `TELEMETRY_STALE_AFTER` (24 hours; `0` and `off` switch it
 * off), `TELEMETRY_RETENTION_DAYS` and `TELEMETRY_RETENTION_BYTES` (off), `TELEMETRY_BALLAST_BYTES` (8 MiB), `TELEMETRY_MAX_STREAMS` (64), `TELEMETRY_ACCESS_LOG` (where other machines can reach it).
 */
export const config: Config.Config<ServerSettings> = Config.all({
  host,
  port,
  token,
  allowedHosts,
  corsOrigins,
  rateLimit,
  staleAfter,
  retention: RetentionSettings.config,
  ballastBytes: RetentionSettings.ballastBytes,
  maxStreams,
  accessLog,
})
