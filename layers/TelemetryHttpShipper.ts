import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { Delivery, TelemetryService } from "../services/Telemetry.js"
import * as ErrorText from "../src/domain/ErrorText.js"
import * as Occurrences from "../src/domain/Occurrences.js"
import type { OperationResult } from "../src/domain/Operation.js"
import * as Batch from "./TelemetryHttpBatch.js"
import type { Reply } from "./TelemetryHttpPost.js"
import type { Source, Unencodable, Window } from "./TelemetryHttpSource.js"

export interface ShipperOptions {
  readonly endpoint: string
  readonly runId: string
  readonly source: Source
  readonly post: (body: string) => Effect.Effect<Reply>
}

export interface Shipper extends TelemetryService {
  /** Ships for as long as it runs; never fails and never ends by itself. */
  readonly run: Effect.Effect<never>
  /** What is left of a deadline for the last flush, when earlier ones have waited in vain for the same server. */
  readonly remaining: (deadline: Duration.DurationInput) => Duration.Duration
  /** Says in one line how delivery ended, and what was warned of more than once. */
  readonly report: Effect.Effect<void>
}

const LINGER = Duration.millis(200)
/** So many events are worth a request at once. */
const FULL = 400
const BACKOFF_BASE_MILLIS = 200
const BACKOFF_CAP_MILLIS = 30_000
/** The cap while somebody waits for a flush. */
const FLUSH_BACKOFF_CAP_MILLIS = 1000
/** A flush gives up when so many attempts in a row have found no server. */
const FLUSH_ATTEMPTS = 3
/** A server that asks for more than this is not waited for by a flush. */
const LONG_PAUSE_MILLIS = 3000

const quietly = (effect: Effect.Effect<void>): Effect.Effect<void> => Effect.catchAllDefect(effect, () => Effect.void)

/** The one background shipper of a launch: mutable state that only its own fiber changes, apart from the two latches. */
export const make = ({ endpoint, runId, source, post }: ShipperOptions): Shipper => {
  const occurrences = Occurrences.make()
  const something = Effect.unsafeMakeLatch(false)
  const urgent = Effect.unsafeMakeLatch(false)
  const waiters = new Map<Deferred.Deferred<void>, number>()
  let sinceAwake = 0
  let delivered = 0
  let dropped = 0
  let rejected = 0
  let failures = 0
  let flushFailures = 0
  let wastedMillis = 0
  let pausedUntil = 0
  let lastError: string | null = null
  let window:
    | { readonly of: Window; readonly left: Array<ReadonlyArray<Batch.Encoded>>; readonly refused: Set<number> }
    | undefined

  const warn = (cause: string, message: string): Effect.Effect<void> =>
    Effect.suspend(() => (occurrences.note(cause) ? quietly(Effect.logWarning(`Telemetry: ${message}`)) : Effect.void))

  const where = source.durable
    ? "events wait in the run's event log and are sent when it answers"
    : "events wait in memory, in bounded number"

  const settle = (isDone: (target: number) => boolean): void => {
    for (const [waiter, target] of waiters) if (isDone(target)) Deferred.unsafeDone(waiter, Effect.void)
  }

  /** What the server asks for is waited out; what the back-off adds to it ends when somebody flushes. */
  const pause = (askedMillis: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      const cap = waiters.size > 0 ? FLUSH_BACKOFF_CAP_MILLIS : BACKOFF_CAP_MILLIS
      const limit = Math.min(cap, BACKOFF_BASE_MILLIS * 2 ** Math.min(failures - 1, 16))
      const ownMillis = (yield* Random.next) * limit
      if (askedMillis >= LONG_PAUSE_MILLIS || flushFailures >= FLUSH_ATTEMPTS) settle(() => true)
      urgent.unsafeClose()
      pausedUntil = (yield* Clock.currentTimeMillis) + askedMillis
      yield* Effect.sleep(askedMillis)
      if (ownMillis > askedMillis) yield* Effect.raceFirst(Effect.sleep(ownMillis - askedMillis), urgent.await)
    })

  const reject = (operation: Batch.Encoded, refused: Set<number>, why: string): Effect.Effect<void> => {
    refused.add(operation.event)
    return warn(
      `a ${operation.op} refused: ${why}`,
      `the server refused the ${operation.op} of event ${operation.eventId} for good (${why}); it is set aside, the others go on.`,
    )
  }

  const setAside = ({ what, why }: Unencodable): Effect.Effect<void> =>
    warn(
      `an event is no JSON: ${why}`,
      `${what} cannot be written as JSON (${why}); it is set aside, the others go on.`,
    )

  const accepted = (
    batch: ReadonlyArray<Batch.Encoded>,
    results: ReadonlyArray<OperationResult>,
    refused: Set<number>,
  ) =>
    Effect.suspend(() => {
      const recovered = lastError !== null
      lastError = null
      failures = 0
      flushFailures = 0
      wastedMillis = 0
      const bad = batch.flatMap((operation, index) => {
        const result = results[index]
        return result?.status === "error" ? [{ operation, why: result.detail ?? "no reason given" }] : []
      })
      const told = Effect.forEach(bad, ({ operation, why }) => reject(operation, refused, why), { discard: true })
      return recovered ? Effect.zipRight(quietly(Effect.logInfo(`Telemetry: ${endpoint} answers.`)), told) : told
    })

  const postponed = (reply: Extract<Reply, { _tag: "Later" }>): Effect.Effect<void> =>
    Effect.suspend(() => {
      lastError = `${endpoint} ${reply.reason}`
      failures += 1
      if (reply.unreachable) flushFailures += 1
      return Effect.zipRight(
        warn(reply.unreachable ? "unreachable" : lastError, `${lastError}; the program goes on, ${where}.`),
        pause(reply.retryAfterMillis ?? 0),
      )
    })

  /** Sends the first of what is left of the window; what is refused is halved until the culprit stands alone. */
  const sendNext = ({ of, left, refused }: NonNullable<typeof window>): Effect.Effect<void> =>
    Effect.gen(function* () {
      const [first = [], ...others] = left
      const count = Batch.fitting(first)
      const batch = first.slice(0, count)
      const rest = count < first.length ? [first.slice(count)] : []
      const backlog = Math.max(0, (yield* source.recorded) - source.resolved() - of.events)
      const client = { backlog, dropped, dead_letters: rejected, log_head: yield* source.head, run_id: runId }
      const reply = yield* post(Batch.body(batch, client))
      if (reply._tag === "Later") return yield* postponed(reply)
      if (reply._tag === "Accepted") {
        if (reply.results.length !== batch.length) {
          const reason = `answered for ${reply.results.length} of ${batch.length} operations`
          return yield* postponed({ _tag: "Later", reason, retryAfterMillis: undefined, unreachable: false })
        }
        left.splice(0, left.length, ...rest, ...others)
        return yield* accepted(batch, reply.results, refused)
      }
      const half = Math.ceil(batch.length / 2)
      const [culprit] = batch
      if (batch.length > 1) left.splice(0, left.length, batch.slice(0, half), batch.slice(half), ...rest, ...others)
      else {
        left.splice(0, left.length, ...rest, ...others)
        if (culprit !== undefined) yield* reject(culprit, refused, `${reply.status}: ${reply.detail}`)
      }
    })

  const finish = (done: NonNullable<typeof window>): Effect.Effect<void> =>
    Effect.suspend(() => {
      window = undefined
      rejected += done.refused.size
      delivered += done.of.events - done.refused.size
      return done.of.acknowledge.pipe(
        Effect.catchAll((error) =>
          warn(
            "cursor",
            `how far the server has acknowledged could not be written; it will be sent again. ${ErrorText.line(error)}`,
          ),
        ),
        Effect.ensuring(Effect.sync(() => settle((target) => source.resolved() >= target))),
      )
    }).pipe(Effect.uninterruptible)

  const idle: Effect.Effect<void> = Effect.suspend(() => {
    settle((target) => source.resolved() >= target)
    return Effect.zipRight(something.await, Effect.raceFirst(Effect.sleep(LINGER), urgent.await))
  })

  const fetchNext = Effect.suspend(() => {
    something.unsafeClose()
    urgent.unsafeClose()
    sinceAwake = 0
    return Effect.flatMap(
      source.next,
      Option.match({
        onNone: () => idle,
        onSome: (of) =>
          Effect.suspend(() => {
            const refused = new Set(of.unencodable.map(({ event }) => event))
            window = { of, left: of.operations.length === 0 ? [] : [of.operations], refused }
            return Effect.forEach(of.unencodable, setAside, { discard: true })
          }),
      }),
    )
  })

  const broken = (what: string, detail: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      failures += 1
      flushFailures += 1
      lastError = `${what}: ${detail}`
      return Effect.zipRight(warn(lastError, `${lastError}; the program goes on.`), pause(0))
    })

  const step: Effect.Effect<void> = Effect.suspend(() => {
    if (window === undefined) return fetchNext
    return window.left.length === 0 ? finish(window) : sendNext(window)
  }).pipe(
    Effect.catchAll((error) => broken("the event log cannot be read", ErrorText.line(error))),
    Effect.catchAllCause((cause) =>
      Cause.isInterruptedOnly(cause)
        ? Effect.failCause(cause)
        : broken("events cannot be sent, by a defect", ErrorText.ofCause(cause).summary),
    ),
  )

  const delivery: Effect.Effect<Delivery> = Effect.map(source.recorded, (recorded) => ({
    endpoint,
    delivered,
    undelivered: Math.max(0, recorded - source.resolved()),
    dropped,
    rejected,
    lastError,
  }))

  const awaitDelivery = (target: number, millis: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      const waiter = yield* Deferred.make<void>()
      const before = source.resolved()
      failures = 0
      flushFailures = 0
      waiters.set(waiter, target)
      urgent.unsafeOpen()
      something.unsafeOpen()
      const answered = yield* Deferred.await(waiter).pipe(
        Effect.interruptible,
        Effect.timeoutOption(millis),
        Effect.ensuring(Effect.sync(() => waiters.delete(waiter))),
      )
      if (Option.isSome(answered) || source.resolved() > before) return
      wastedMillis += millis
      lastError ??= `${endpoint} did not answer within ${Duration.format(millis)}`
    })

  return {
    run: Effect.forever(step),
    record: (event) =>
      Effect.suspend(() => {
        const full = ++sinceAwake >= FULL
        if (!source.offer(event)) {
          dropped += 1
          return warn(
            "full",
            `the queue in memory is full; new events are dropped and counted until ${endpoint} answers.`,
          )
        }
        something.unsafeOpen()
        if (full && failures === 0) urgent.unsafeOpen()
        return Effect.void
      }),
    flush: (deadline) =>
      Effect.gen(function* () {
        const millis = Duration.toMillis(deadline)
        const target = yield* source.recorded
        const now = yield* Clock.currentTimeMillis
        if (target > source.resolved()) {
          if (millis > 0 && pausedUntil <= now + millis) yield* awaitDelivery(target, millis)
          else if (failures === 0) {
            urgent.unsafeOpen()
            something.unsafeOpen()
          }
        }
        return yield* delivery
      }),
    delivery,
    remaining: (deadline) => Duration.millis(Math.max(0, Duration.toMillis(deadline) - wastedMillis)),
    report: Effect.gen(function* () {
      const { undelivered } = yield* delivery
      const counts = `${delivered} events delivered to ${endpoint}, ${undelivered} undelivered, ${dropped} dropped, ${rejected} refused`
      const lost = dropped > 0 || (undelivered > 0 && !source.durable)
      const kept = undelivered > 0 && source.durable ? "; what is undelivered is kept in the run's event log" : ""
      const line = `Telemetry: ${counts}${kept}.`
      if (lost) yield* Effect.logWarning(line)
      else if (undelivered > 0 || rejected > 0) yield* Effect.logInfo(line)
      else yield* Effect.logDebug(line)
      for (const { cause, times } of occurrences.takeRepeats())
        yield* Effect.logInfo(`Telemetry: ${times} times more: ${cause}`)
    }).pipe(quietly),
  }
}
