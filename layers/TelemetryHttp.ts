import * as HttpClient from "@effect/platform/HttpClient"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { CurrentRun } from "../services/CurrentRun.js"
import { EventLog, type EventLogService } from "../services/EventLog.js"
import { Telemetry, type TelemetryService } from "../services/Telemetry.js"
import * as Endpoint from "../src/domain/Endpoint.js"
import * as ErrorText from "../src/domain/ErrorText.js"
import * as Post from "./TelemetryHttpPost.js"
import * as Report from "./TelemetryHttpReport.js"
import * as Shipper from "./TelemetryHttpShipper.js"
import * as Source from "./TelemetryHttpSource.js"
import * as TelemetryOffline from "./TelemetryOffline.js"

export interface Options {
  /** Where the server is, such as `http://localhost:8765`; a path prefix is kept. */
  readonly endpoint: string
  /** Sent as a bearer token. */
  readonly token: Option.Option<Redacted.Redacted<string>>
  /** One request, answer included. */
  readonly requestTimeout?: Duration.DurationInput
  /** How long closing the scope may wait for the server. */
  readonly flushDeadline?: Duration.DurationInput
  /** Most events that wait in memory when the program has no event log. */
  readonly memoryLimit?: number
}

export const DEFAULT_ENDPOINT = "http://localhost:8765"
export const DEFAULT_REQUEST_TIMEOUT = Duration.seconds(5)
export const DEFAULT_FLUSH_DEADLINE = Duration.seconds(3)
export const DEFAULT_MEMORY_LIMIT = 10_000

const STOP_DEADLINE = Duration.millis(500)

interface Target {
  /** For people: no trailing slash. */
  readonly endpoint: string
  /** For requests. */
  readonly operations: string
}

const target = (endpoint: string): Either.Either<Target, string> => {
  if (!URL.canParse(endpoint)) return Either.left("it is not a URL")
  const url = new URL(endpoint)
  if (url.protocol !== "http:" && url.protocol !== "https:") return Either.left("it is not an http or https URL")
  if (url.username !== "" || url.password !== "")
    return Either.left("it holds credentials, which belong into TELEMETRY_API_TOKEN")
  const base = `${url.origin}${url.pathname.replace(/\/+$/, "")}`
  return Either.right({ endpoint: base, operations: `${base}/api/v1/ops` })
}

const START_AGAIN = "Telemetry: the run is sent again from its start, which does no harm."
const NOT_MARKED =
  "Telemetry: that the log is meant for the server could not be written beside it; should this process die before anything is delivered, ask for the run with runledger ship --include-offline."

/** Where the server stands, written down before anything is recorded: from then on the log is meant for it. */
const source = (log: EventLogService | undefined, memoryLimit: number): Effect.Effect<Source.Source> => {
  if (log === undefined) return Effect.succeed(Source.fromMemory(memoryLimit))
  return log.acknowledged.pipe(
    Effect.catchAll((error) => Effect.as(Effect.logWarning(`${START_AGAIN} ${ErrorText.line(error)}`), Source.START)),
    Effect.tap((position) =>
      Effect.catchAll(log.acknowledge(position), (error) =>
        Effect.logWarning(`${NOT_MARKED} ${ErrorText.line(error)}`),
      ),
    ),
    Effect.map((acknowledged) => Source.fromLog(log, acknowledged)),
  )
}

/** Nothing of the inside may reach the caller but an interruption. */
const guarded = <A>(effect: Effect.Effect<A>, otherwise: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.catchAllCause(effect, (cause) =>
    Cause.isInterruptedOnly(cause)
      ? Effect.failCause(cause)
      : Effect.zipRight(Effect.logWarning(`Telemetry: a defect. ${ErrorText.ofCause(cause).summary}`), otherwise),
  )

const connected = (
  { endpoint, operations }: Target,
  options: Options,
): Effect.Effect<TelemetryService, never, HttpClient.HttpClient | CurrentRun | Scope.Scope> =>
  Effect.gen(function* () {
    const http = yield* HttpClient.HttpClient
    const run = yield* CurrentRun
    const log = Option.getOrUndefined(yield* Effect.serviceOption(EventLog))
    const outbox = yield* source(log, options.memoryLimit ?? DEFAULT_MEMORY_LIMIT)
    const shipper = Shipper.make({
      endpoint,
      runId: run.runId,
      source: outbox,
      post: Post.make(http, {
        url: operations,
        token: options.token,
        timeout: options.requestTimeout ?? DEFAULT_REQUEST_TIMEOUT,
      }),
    })
    const fiber = yield* Effect.forkDaemon(Effect.interruptible(shipper.run))
    const nowhere: TelemetryService["delivery"] = Effect.succeed({
      ...TelemetryOffline.nowhere,
      endpoint,
      lastError: "telemetry itself is broken",
    })
    const left = Effect.flatMap(shipper.delivery, (delivery) =>
      Effect.flatMap(outbox.deadLetters, (deadLetters) =>
        Report.leave({
          directory: run.directory,
          runId: run.runId,
          delivery,
          deadLetters,
          isLogged: log !== undefined,
          token: options.token,
        }),
      ),
    )
    yield* Effect.addFinalizer(() =>
      guarded(shipper.close(options.flushDeadline ?? DEFAULT_FLUSH_DEADLINE), nowhere).pipe(
        Effect.zipRight(Fiber.interrupt(fiber).pipe(Effect.disconnect, Effect.timeoutOption(STOP_DEADLINE))),
        Effect.zipRight(shipper.report),
        Effect.zipRight(guarded(left, Effect.void)),
      ),
    )
    return {
      record: (event) => Effect.sync(() => shipper.unsafeRecord(event)),
      unsafeRecord: shipper.unsafeRecord,
      flush: (deadline) => guarded(shipper.flush(deadline), nowhere),
      delivery: guarded(shipper.delivery, nowhere),
    }
  })

const make = (options: Options) =>
  Either.match(target(options.endpoint), {
    onLeft: (problem) =>
      Effect.serviceOption(EventLog).pipe(
        Effect.flatMap((log) => source(Option.getOrUndefined(log), 0)),
        Effect.zipRight(
          Effect.logWarning(
            `Telemetry is off: the endpoint "${Endpoint.shown(options.endpoint)}" cannot be used, ${problem}. Set TELEMETRY_API_URL to something like ${DEFAULT_ENDPOINT}; the program goes on, and what it records can be delivered later with runledger ship.`,
          ),
        ),
        Effect.as(TelemetryOffline.service),
      ),
    onRight: (found) => connected(found, options),
  })

/**
 * Sends the events of the current run to a Runledger server, in batches of at most 1000 operations and 4 MiB, from one
 * background fiber that `record` wakes: at once when a batch is full or an event ends a worker, a run or a call badly or changes
 * the run's state, otherwise after 200 ms. One request is under way at a time, in the order of the events; the next batch is
 * prepared meanwhile. A row that is opened and closed in one batch goes as one create; when the server knows it already, its
 * updates follow. The server is asked to answer only with what was not plainly done; one that answers in full is understood too.
 *
 * With an `EventLog` in the build context events are read back from it, from the acknowledged place on, at most 768 KiB at a
 * time: an outage costs no memory, and what an earlier process left behind is sent too. That place is written down when
 * the layer is built, which marks the log as meant for a server. Without a log events wait in a queue of
 * `memoryLimit`; when it is full new ones are dropped and counted.
 *
 * On failure: no server, no answer within `requestTimeout`, 401, 403, 404, 405, 407, 408, 421, 425, 429 and 5xx are tried again
 * for as long as the scope is open, after an exponential back-off with full jitter (200 ms to 30 s) and no sooner than
 * `Retry-After` says; so are a redirect, which is never followed, and an answer of more than 4 MiB. Three failures in a row open the circuit: until one attempt succeeds nobody's `flush` waits, and a
 * recorded event costs a counter and a latch. Another 4xx halves the batch until the refused operation stands alone; that one,
 * an operation that gets an `error` of its own, one too large for any request, and one that cannot be written as JSON are set
 * aside as dead letters through the log before it is acknowledged, and their neighbours go on without a pause. Operations that
 * make the server answer 500 three times in a row are halved too; the culprit is set aside when it has failed alone as many
 * times while others were accepted. Each kind of failure is logged as a warning once; repeats are counted and logged in one
 * line when the scope closes.
 *
 * With nothing to send it tells the server every five minutes that the run is alive.
 *
 * At shutdown it flushes for `flushDeadline` at most, an open circuit notwithstanding; less when an earlier flush has already
 * waited in vain or when three attempts find no server. It logs one line with the counts, and what is still undelivered then
 * stands in the run folder's `reports/telemetry_unavailable.md`, with what to do; a layer that leaves nothing undelivered
 * removes that file.
 *
 * An endpoint that is no usable URL is a warning, after which this behaves as `TelemetryOffline`, but for the log, which stays meant
 * for a server.
 */
export const layer = (options: Options): Layer.Layer<Telemetry, never, HttpClient.HttpClient | CurrentRun> =>
  Layer.scoped(Telemetry, make(options))

const SECONDS = /^\d+(\.\d+)?$/

const timeout: Config.Config<Duration.Duration> = Config.nonEmptyString("TELEMETRY_TIMEOUT").pipe(
  Config.mapOrFail((text) => {
    const words = SECONDS.test(text) ? Option.some(Duration.seconds(Number(text))) : Duration.decodeUnknown(text)
    return Option.match(Option.filter(words, Duration.greaterThan(Duration.zero)), {
      onNone: () => Either.left(ConfigError.InvalidData([], `"${text}" is no number of seconds and no duration`)),
      onSome: Either.right,
    })
  }),
)

/** Where to send and how, as the environment says it. Fails when it cannot be read; a bad time-out is a warning. */
export const settings = Effect.all({
  endpoint: Config.nonEmptyString("TELEMETRY_API_URL").pipe(Config.withDefault(DEFAULT_ENDPOINT)),
  token: Config.option(Config.redacted(Config.nonEmptyString("TELEMETRY_API_TOKEN"))),
  requestTimeout: timeout.pipe(
    Config.withDefault(DEFAULT_REQUEST_TIMEOUT),
    Effect.catchAll((error) =>
      Effect.as(
        Effect.logWarning(`TELEMETRY_TIMEOUT cannot be used, 5 seconds it is. ${String(error)}`),
        DEFAULT_REQUEST_TIMEOUT,
      ),
    ),
  ),
})

/**
 * {@link layer} by `TELEMETRY_API_URL` (`http://localhost:8765`), `TELEMETRY_API_TOKEN` (none) and `TELEMETRY_TIMEOUT` (5;
 * seconds, or a duration such as `500 millis`). Settings that cannot be read are a warning, after which telemetry is off.
 */
export const layerConfig: Layer.Layer<Telemetry, never, HttpClient.HttpClient | CurrentRun> = Layer.unwrapEffect(
  settings.pipe(
    Effect.map(layer),
    Effect.catchAll((error) =>
      Effect.as(
        Effect.logWarning(`Telemetry is off: its settings cannot be read. ${String(error)}`),
        TelemetryOffline.layer,
      ),
    ),
  ),
)
