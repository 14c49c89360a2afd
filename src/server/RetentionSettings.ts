import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ByteSize from "../domain/ByteSize.js"

/** How much is kept, and for how long; none of both keeps everything. */
export interface RetentionSettings {
  /** Whole runs whose newest row is older are removed. */
  readonly maxAge: Option.Option<Duration.Duration>
  /** What the database may hold: events and texts of the oldest runs go first, then whole runs. */
  readonly maxBytes: Option.Option<number>
}

export const KEEP_ALL: RetentionSettings = { maxAge: Option.none(), maxBytes: Option.none() }

/** What is put by beside the database for a full disk. */
export const DEFAULT_BALLAST_BYTES = 8 * 1024 * 1024

const OFF = /^(?:0|off|none)?$/i

const setting = <A>(
  name: string,
  expected: string,
  parse: (text: string) => Option.Option<A>,
): Config.Config<Option.Option<A>> =>
  Config.string(name).pipe(
    Config.withDefault("off"),
    Config.mapOrFail((text): Either.Either<Option.Option<A>, ConfigError.ConfigError> => {
      if (OFF.test(text.trim())) return Either.right(Option.none())
      const value = parse(text.trim())
      return Option.isSome(value)
        ? Either.right(value)
        : Either.left(ConfigError.InvalidData([], `${name} must be ${expected}, or "off"; it is "${text}"`))
    }),
  )

const days = (text: string): Option.Option<Duration.Duration> =>
  /^\d{1,6}(?:\.\d+)?(?:\s*d(?:ays?)?)?$/i.test(text) && Number.parseFloat(text) > 0
    ? Option.some(Duration.days(Number.parseFloat(text)))
    : Option.none()

/** `TELEMETRY_RETENTION_DAYS` and `TELEMETRY_RETENTION_BYTES`, both off unless set. */
export const config: Config.Config<RetentionSettings> = Config.all({
  maxAge: setting("TELEMETRY_RETENTION_DAYS", 'a number of days such as "30"', days),
  maxBytes: setting("TELEMETRY_RETENTION_BYTES", 'a size such as "500MB" or "2 GiB"', ByteSize.parse),
})

/** `TELEMETRY_BALLAST_BYTES`: 8 MiB; `off` puts nothing by. */
export const ballastBytes: Config.Config<number> = Config.string("TELEMETRY_BALLAST_BYTES").pipe(
  Config.withDefault(String(DEFAULT_BALLAST_BYTES)),
  Config.mapOrFail((text): Either.Either<number, ConfigError.ConfigError> => {
    if (OFF.test(text.trim())) return Either.right(0)
    return Either.fromOption(ByteSize.parse(text), () =>
      ConfigError.InvalidData([], `TELEMETRY_BALLAST_BYTES must be a size such as "8 MiB", or "off"; it is "${text}"`),
    )
  }),
)
