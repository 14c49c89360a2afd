import type { IncomingMessage, Server, ServerResponse } from "node:http"
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { RunStore } from "../../services/RunStore.js"
import * as AccessLog from "./AccessLog.js"
import { Api } from "./Api.js"
import * as Guard from "./Guard.js"
import * as HotRoutes from "./HotRoutes.js"
import * as HttpListener from "./HttpListener.js"
import * as Intake from "./Intake.js"
import * as LiveStream from "./LiveStream.js"
import * as MaintenanceHandlers from "./MaintenanceHandlers.js"
import * as Problems from "./Problems.js"
import * as Retention from "./Retention.js"
import * as RunsHandlers from "./RunsHandlers.js"
import { fromListen, ServerError } from "./ServerError.js"
import type { ServerSettings } from "./ServerSettings.js"
import * as StaleRuns from "./StaleRuns.js"
import * as SystemHandlers from "./SystemHandlers.js"

/** Where the server can be reached. */
export interface Listening {
  readonly url: string
  readonly port: number
}

/** How long requests in flight may take once the server is told to stop. */
const GRACE = Duration.seconds(10)
const IDLE_POLL = Duration.millis(25)
const FREE_PORT_TRIES = 5
/** An id of 1024 characters, each written as three bytes of three characters. */
const LONGEST_PARAMETER = 10_000

/** What takes every request of a listener. */
type Application = (incoming: IncomingMessage, outgoing: ServerResponse) => void

interface State {
  stopping: boolean
  readonly streams: LiveStream.LiveStreamsService
}

const isBothLoopbacks = (host: string): boolean => host === "127.0.0.1" || host === "localhost"

const isLoopback = (host: string): boolean =>
  isBothLoopbacks(host) || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)

const RETRY_AFTER_SECONDS = "2"

type Headers = Readonly<Record<string, string>>

/** Whoever is told that it cannot be done now is told when to come back, and who is answered by a server that stops is let go. */
const parting =
  (state: State) =>
  (status: number, headers: Headers): Headers => {
    const timed =
      status === 503 && headers["retry-after"] === undefined
        ? { ...headers, "retry-after": RETRY_AFTER_SECONDS }
        : headers
    return state.stopping ? { ...timed, connection: "close" } : timed
  }

const application = (
  settings: ServerSettings,
  state: State,
): Effect.Effect<Application, never, RunStore | Scope.Scope> =>
  Effect.gen(function* () {
    const routes = HttpApiBuilder.api(Api).pipe(
      Layer.provide([SystemHandlers.layer, RunsHandlers.layer, MaintenanceHandlers.layer]),
      Layer.provide(Layer.succeed(LiveStream.LiveStreams, state.streams)),
    )
    const context = yield* Layer.build(
      Layer.mergeAll(routes, HttpApiBuilder.middleware(Problems.translated), HttpServer.layerContext).pipe(
        Layer.provideMerge(Layer.mergeAll(HttpApiBuilder.Router.Live, HttpApiBuilder.Middleware.layer)),
      ),
    )
    const app = yield* HttpApiBuilder.httpApp.pipe(
      HttpRouter.withRouterConfig({ maxParamLength: LONGEST_PARAMETER }),
      Effect.provide(context),
    )
    const isLogged = Option.getOrElse(settings.accessLog, () => !isLoopback(settings.host))
    const log = yield* AccessLog.make(isLogged)
    const judge = Guard.make(settings)
    const intake = Intake.make()
    const partingHeaders = parting(state)
    const guarded = log.middleware(Guard.middleware(judge)(Intake.middleware(intake)(Effect.provide(app, context))))
    const whole = Effect.map(guarded, (response) =>
      HttpServerResponse.setHeaders(response, partingHeaders(response.status, response.headers)),
    )
    const routed = yield* NodeHttpServer.makeHandler(whole).pipe(
      HttpMiddleware.withTracerDisabledWhenEffect(() => true),
    )
    const hot = HotRoutes.make({
      store: yield* RunStore,
      judge,
      intake,
      log,
      clock: yield* Effect.clock,
      runtime: yield* Effect.runtime(),
      parting: partingHeaders,
    })
    return (incoming, outgoing) => {
      if (!hot(incoming, outgoing)) routed(incoming, outgoing)
    }
  })

/** Takes no new connection, ends streams, lets requests in flight finish, and cuts what is still there after {@link GRACE}. */
const drain = (http: Server, state: State): Effect.Effect<void> =>
  Effect.suspend(() => {
    state.stopping = true
    const closed = Effect.async<void>((resume) => {
      http.close(() => resume(Effect.void))
    })
    const letIdleGo = Effect.sync(() => http.closeIdleConnections()).pipe(Effect.repeat(Schedule.spaced(IDLE_POLL)))
    return Effect.raceFirst(Effect.zipRight(Effect.fork(state.streams.close), closed), letIdleGo).pipe(
      Effect.interruptible,
      Effect.timeout(GRACE),
      Effect.catchAll(() => Effect.sync(() => http.closeAllConnections())),
    )
  })

const listen = (app: Application, state: State, host: string, port: number) =>
  Effect.gen(function* () {
    const http = HttpListener.create()
    const server = yield* NodeHttpServer.make(() => http, { host, port }).pipe(
      Effect.mapError((error) => fromListen(host, port, error.cause)),
    )
    http.on("request", app)
    yield* Effect.addFinalizer(() => drain(http, state))
    return server.address._tag === "TcpAddress" ? server.address.port : port
  })

/** The second loopback address. A machine without it does without. */
const listenBeside = (app: Application, state: State, port: number) =>
  listen(app, state, "::1", port).pipe(
    Effect.catchIf(
      (error) => error.reason === "AddressUnavailable",
      (error) => Effect.logDebug(`Listening on 127.0.0.1 only: ${error.message}`),
    ),
  )

const bind = (app: Application, state: State, settings: ServerSettings) => {
  if (!isBothLoopbacks(settings.host)) return listen(app, state, settings.host, settings.port)
  const both = listen(app, state, "127.0.0.1", settings.port).pipe(Effect.tap((port) => listenBeside(app, state, port)))
  const attempt = Effect.flatMap(Effect.scope, (parent) =>
    Effect.flatMap(Scope.fork(parent, parent.strategy), (scope) =>
      Scope.extend(both, scope).pipe(Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))),
    ),
  )
  return attempt.pipe(
    Effect.retry({ times: FREE_PORT_TRIES, while: (error) => settings.port === 0 && error.reason === "PortTaken" }),
  )
}

const refuseUnprotected = (settings: ServerSettings): Effect.Effect<void, ServerError> =>
  isLoopback(settings.host) || Option.isSome(settings.token)
    ? Effect.void
    : new ServerError({
        reason: "Unprotected",
        host: settings.host,
        port: settings.port,
        message: `${settings.host} can be reached from other machines, so a token is needed: set TELEMETRY_API_AUTH_ENABLED=true and TELEMETRY_API_AUTH_TOKEN, or listen on 127.0.0.1.`,
      })

const reachableAt = (host: string): string => {
  if (isBothLoopbacks(host) || host === "0.0.0.0") return "127.0.0.1"
  if (host === "::") return "[::1]"
  return host.includes(":") ? `[${host}]` : host
}

/**
 * Serves the API over the store until the scope closes; then it takes nothing new, finishes what is in flight, and leaves.
 * Fails before anything is served when the port is taken, or when another machine could reach it without a token.
 */
export const serve = (settings: ServerSettings): Effect.Effect<Listening, ServerError, Scope.Scope | RunStore> =>
  Effect.gen(function* () {
    yield* refuseUnprotected(settings)
    const streams = yield* LiveStream.make(yield* RunStore, settings.maxStreams)
    const state: State = { stopping: false, streams }
    const app = yield* application(settings, state)
    const port = yield* bind(app, state, settings)
    yield* StaleRuns.watch(settings)
    yield* Retention.watch(settings.retention)
    return { url: `http://${reachableAt(settings.host)}:${port}`, port }
  })
