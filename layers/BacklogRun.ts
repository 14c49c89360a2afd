import * as fs from "node:fs"
import * as nodePath from "node:path"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Drained } from "../services/Backlog.js"
import { CurrentRun } from "../services/CurrentRun.js"
import { EventLog, type EventLogError, type EventLogService } from "../services/EventLog.js"
import type { IdGenerator } from "../services/IdGenerator.js"
import { type Delivery, Telemetry, type TelemetryService } from "../services/Telemetry.js"
import * as Endpoint from "../src/domain/Endpoint.js"
import * as ErrorText from "../src/domain/ErrorText.js"
import * as BacklogSurvey from "./BacklogSurvey.js"
import * as EventLogNdjson from "./EventLogNdjson.js"
import * as LeftOpen from "./LeftOpen.js"
import * as LogCursor from "./LogCursor.js"
import * as LogReader from "./LogReader.js"
import * as LogScan from "./LogScan.js"
import { nextTurn } from "./NextTurn.js"
import * as RunLock from "./RunLock.js"
import * as TelemetryHttp from "./TelemetryHttp.js"

type Found = BacklogSurvey.Found

export interface Options {
  readonly server: Pick<TelemetryHttp.Options, "endpoint" | "token" | "requestTimeout">
  readonly durability: EventLogNdjson.Durability
  /** See `DrainOptions`. */
  readonly force: boolean
}

const LEAST_PATIENCE = Duration.seconds(10)
/** A slow server must be able to answer, and once more where a stretch of the log takes several requests. */
const PATIENT_REQUESTS = 2

/** A server that has taken nothing for so long is not waited for any longer. */
export const patience = ({ server }: Pick<Options, "server">): Duration.Duration =>
  Duration.max(
    LEAST_PATIENCE,
    Duration.times(server.requestTimeout ?? TelemetryHttp.DEFAULT_REQUEST_TIMEOUT, PATIENT_REQUESTS),
  )

/** Told how far a run came whose delivery is interrupted. */
export type OnInterrupted = (drained: Drained) => Effect.Effect<void>

/** What became of one run, and whether the server is to blame for what is left of it. */
export interface Outcome {
  readonly drained: Drained
  readonly isServerAtFault: boolean
}

const untouched = ({ runId, directory, undelivered }: Found): Drained => ({
  runId,
  directory,
  delivered: 0,
  undelivered: undelivered ?? 0,
  deadLetters: 0,
  closedSpans: 0,
  skipped: null,
  lastError: null,
})

/** A run that is left as it is, and why. */
export const skipped = (found: Found, why: Drained["skipped"], lastError: string | null): Drained => ({
  ...untouched(found),
  skipped: why,
  lastError,
})

/** A run that nobody tried to deliver, because others could not be delivered. */
export const notTried = (found: Found, lastError: string): Drained => ({
  ...untouched(found),
  lastError: `not tried: ${lastError}`,
})

const leftTo = (found: Found, taken: RunLock.Taken): Drained =>
  taken._tag === "Owned"
    ? skipped(found, "owned", `process ${taken.owner.pid} owns it and delivers it`)
    : skipped(found, "unknown", BacklogSurvey.doubtOf(found.directory, taken))

const owning = (
  directory: string,
  options: RunLock.Options,
): Effect.Effect<Either.Either<RunLock.Held, RunLock.Taken>, EventLogError, Scope.Scope> => {
  const failed = LogReader.failure("open", directory, "lock the run in")
  return Effect.acquireRelease(
    Effect.tryPromise({ try: () => RunLock.acquire(directory, options), catch: failed }),
    Either.match({
      onLeft: () => Effect.void,
      onRight: (held) =>
        Effect.tryPromise({ try: () => RunLock.release(directory, held), catch: failed }).pipe(
          Effect.catchAll((error) => Effect.logWarning(error.message)),
        ),
    }),
  )
}

/** The run as far as its log and its delivery go; nothing is recorded in it. */
const currentRun = ({ runId, directory }: Found): Layer.Layer<CurrentRun> =>
  Layer.succeed(CurrentRun, {
    runId,
    parentRunId: Option.none(),
    directory: Option.some(directory),
    trace: Option.none(),
    resumed: true,
    uniqueCallId: Effect.succeed,
    nextAttempt: () => Effect.succeed(1),
  })

/** What is open in the log now that it is this process's own. */
const remains = (held: RunLock.Held, directory: string): Effect.Effect<LeftOpen.Remains, EventLogError> =>
  Effect.map(LogScan.scanFile(`${directory}/${EventLogNdjson.FILE}`), ({ open, isRunOpen, lastSign }) =>
    LeftOpen.isOfTheDead(held.before !== undefined, isRunOpen)
      ? { spans: open, lastSign, pid: held.before?.owner?.pid }
      : LeftOpen.NOTHING,
  )

/** Reading the log back must not keep a program that goes on beside it from its own work. */
const unhurried = (log: EventLogService): EventLogService => ({
  ...log,
  read: (from, maxBytes) => Effect.zipRight(nextTurn, log.read(from, maxBytes)),
})

/** What a shipper says on its way is said once, by whoever asked for the delivery; all of it at log level debug. */
const quietly = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(FiberRef.get(FiberRef.currentMinimumLogLevel), (level) =>
    LogLevel.lessThanEqual(level, LogLevel.Debug) ? effect : Logger.withMinimumLogLevel(effect, LogLevel.None),
  )

const taken = ({ delivered, rejected }: Delivery): number => delivered + rejected

/** Until all is delivered, or the server takes nothing any more. */
const flushed = (telemetry: TelemetryService, patient: Duration.Duration, before: number): Effect.Effect<Delivery> =>
  Effect.flatMap(telemetry.flush(patient), (delivery) => {
    const isDone = delivery.undelivered === 0 || delivery.circuit !== "closed" || taken(delivery) <= before
    return isDone ? Effect.succeed(delivery) : flushed(telemetry, patient, taken(delivery))
  })

const shipped = (run: Layer.Layer<CurrentRun>, log: EventLogService, options: Options) =>
  Effect.flatMap(Telemetry, (telemetry) => flushed(telemetry, patience(options), 0)).pipe(
    Effect.provide(
      TelemetryHttp.layer({ ...options.server, flushDeadline: Duration.zero }).pipe(
        Layer.provide([run, Layer.succeed(EventLog, unhurried(log))]),
      ),
    ),
    quietly,
  )

const behind = (log: EventLogService): Effect.Effect<number, EventLogError> =>
  Effect.zipWith(log.head, log.acknowledged, (head, { lines }) => head.lines - lines)

const why = ({ endpoint, lastError }: Delivery, options: Options): string =>
  endpoint === null
    ? `${Endpoint.shown(options.server.endpoint)} cannot be used as an address, ${Endpoint.problem(options.server.endpoint) ?? "it holds credentials"}; set TELEMETRY_API_URL to something like ${Endpoint.EXAMPLE}`
    : (lastError ?? `${endpoint} took nothing for ${Duration.format(patience(options))}`)

/** What on this side keeps a delivery from being finished; undefined when nothing does. */
const hindrance = (directory: string, { undelivered, endpoint }: Delivery): string | undefined => {
  const log = nodePath.join(directory, EventLogNdjson.FILE)
  if (!fs.existsSync(log)) return `${log} is gone: the run's folder was removed while it was delivered`
  if (endpoint === null || undelivered > 0) return undefined
  const cursor = nodePath.join(directory, LogCursor.FILE)
  return `the server has them all, but ${cursor} cannot be written: move away what stands in its place, make room or give permission; until then they are sent again, which does no harm`
}

/** Opens the log of a run that is this process's own by now, and closes what a dead owner left open in it. */
const opened = (found: Found, held: RunLock.Held, { durability }: Pick<Options, "durability">) =>
  Effect.gen(function* () {
    const run = currentRun(found)
    const context = yield* Layer.build(Layer.provide(EventLogNdjson.layer({ durability }), run))
    const closedSpans = yield* Effect.flatMap(remains(held, found.directory), LeftOpen.close).pipe(
      Effect.provide(context),
    )
    return { run, log: Context.get(context, EventLog), closedSpans }
  })

const INTERRUPTED = "interrupted"

/** How far an interrupted delivery came, as the cursor tells. */
const stopped = (before: Drained, log: EventLogService): Effect.Effect<Drained> =>
  Effect.map(
    Effect.orElseSucceed(behind(log), () => before.undelivered),
    (undelivered) => ({ ...before, delivered: before.undelivered - undelivered, undelivered, lastError: INTERRUPTED }),
  )

const owned = (found: Found, held: RunLock.Held, options: Options, onInterrupted: OnInterrupted) =>
  Effect.gen(function* () {
    const { run, log, closedSpans } = yield* opened(found, held, options)
    const waiting = yield* behind(log)
    const before: Drained = { ...untouched(found), undelivered: waiting, closedSpans }
    if (waiting === 0) return { drained: before, isServerAtFault: false }
    const delivery = yield* Effect.onInterrupt(shipped(run, log, options), () =>
      Effect.flatMap(stopped(before, log), onInterrupted),
    )
    const undelivered = yield* behind(log)
    const hindered = undelivered === 0 ? undefined : hindrance(found.directory, delivery)
    const drained: Drained = {
      ...before,
      delivered: delivery.delivered,
      undelivered,
      deadLetters: delivery.rejected,
      lastError: undelivered === 0 ? null : (hindered ?? why(delivery, options)),
    }
    return { drained, isServerAtFault: undelivered > 0 && hindered === undefined }
  })

/** What cannot be read or written is the run's own trouble. */
const unusable = (found: Found, error: EventLogError): Drained => skipped(found, "unusable", ErrorText.line(error))

/**
 * Takes a run over from its dead owner, closes what that one left open, delivers what the server lacks, and gives the run free
 * again. A run that somebody else owns by now is left alone.
 */
export const deliver = (
  found: Found,
  options: Options,
  onInterrupted: OnInterrupted,
): Effect.Effect<Outcome, never, HttpClient.HttpClient | IdGenerator> =>
  Effect.flatMap(
    owning(found.directory, options),
    Either.match({
      onLeft: (taken) => Effect.succeed({ drained: leftTo(found, taken), isServerAtFault: false }),
      onRight: (held) => owned(found, held, options, onInterrupted),
    }),
  ).pipe(
    Effect.scoped,
    Effect.catchAll((error) => Effect.succeed({ drained: unusable(found, error), isServerAtFault: false })),
  )

/** A run as it stands once it is set back, and how many spans of a dead owner were closed in it. */
export interface SetBack {
  readonly found: Found
  readonly closedSpans: number
}

const backAtStart = (found: Found, held: RunLock.Held, options: Pick<Options, "durability">) =>
  Effect.gen(function* () {
    const { log, closedSpans } = yield* opened(found, held, options)
    yield* log.acknowledge(LogReader.START)
    return { found: { ...found, undelivered: yield* behind(log), openSpans: 0 }, closedSpans } satisfies SetBack
  })

/**
 * Sets a run's cursor back to its log's start, durably, so that whoever delivers the run next sends all of it. Takes it over and gives
 * it free again like {@link deliver}; left is why that could not be.
 */
export const setBack = (
  found: Found,
  options: Pick<Options, "durability" | "force">,
): Effect.Effect<Either.Either<SetBack, Drained>, never, IdGenerator> =>
  owning(found.directory, options).pipe(
    Effect.flatMap((owner) => Either.mapLeft(owner, (taken) => leftTo(found, taken))),
    Effect.flatMap((held) => backAtStart(found, held, options)),
    Effect.scoped,
    Effect.mapError((problem) => ("_tag" in problem ? unusable(found, problem) : problem)),
    Effect.either,
  )
