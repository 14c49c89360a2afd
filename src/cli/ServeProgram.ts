import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { LivePrices } from "../../services/LivePrices.js"
import type { PriceOf } from "../domain/CallPricing.js"
import * as Server from "../server/Server.js"
import * as ServerSettings from "../server/ServerSettings.js"
import { usage } from "./CommandError.js"
import * as Environment from "./Environment.js"
import type { ServeOptions } from "./ServeCommand.js"
import { Wiring } from "./Wiring.js"

export const DEFAULT_DB_PATH = ".runledger/telemetry.sqlite"

/** The server's settings after flag and environment, and its database file. */
export const settingsOf = (options: ServeOptions) =>
  Effect.gen(function* () {
    const env = yield* Environment.load
    const settings = yield* Effect.mapError(ServerSettings.config, Environment.settingError)
    return {
      dbPath: Option.getOrElse(options.db, () => Option.getOrElse(env.dbPath, () => DEFAULT_DB_PATH)),
      settings: {
        ...settings,
        host: Option.getOrElse(options.host, () => settings.host),
        port: Option.getOrElse(options.port, () => settings.port),
      },
    }
  })

/** What fails leaves nothing held: neither the database nor an address. */
const allOrNothing = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.flatMap(Effect.scope, (parent) =>
    Effect.flatMap(Scope.fork(parent, parent.strategy), (scope) =>
      Scope.extend(self, scope).pipe(Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))),
    ),
  )

/** A server that answers until the scope closes: the only one of its database. */
export const start = (settings: ServerSettings.ServerSettings, dbPath: string) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const lock = yield* wiring.serverLock(dbPath)
    const { prices: priceFile } = yield* Environment.load
    const prices = yield* Effect.provide(LivePrices, yield* Layer.build(wiring.livePrices(priceFile)))
    const { ballastBytes } = settings
    const priceOf: PriceOf = (...asked) => prices.unsafeCurrent().unsafePriceOf(...asked)
    const store = yield* Layer.build(wiring.store(dbPath, { ballastBytes, priceOf }))
    const listening = yield* Server.serve(settings).pipe(
      Effect.provide(store),
      Effect.provideService(LivePrices, prices),
    )
    yield* lock.announce(listening.url)
    return listening
  }).pipe(
    allOrNothing,
    Effect.mapError((error) => usage(error.message, error)),
  )

/** `serve`: says where it listens, then answers until it is interrupted. */
export const program = (options: ServeOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { settings, dbPath } = yield* settingsOf(options)
      const { url } = yield* start(settings, dbPath)
      yield* Console.log(
        [
          `Runledger listens at ${url}, database ${dbPath}`,
          `  send   TELEMETRY_API_URL=${url} runledger launch <folder>`,
          `  read   curl -s '${url}/api/v1/runs' | jq .`,
          `  API    ${url}/docs`,
          "Ctrl-C ends it.",
        ].join("\n"),
      )
      return yield* Effect.never
    }),
  )
