import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type { EventLogError } from "../services/EventLog.js"
import type { Delivery } from "../services/Telemetry.js"
import * as ErrorText from "../src/domain/ErrorText.js"
import type { Event } from "../src/domain/Event.js"
import * as Occurrences from "../src/domain/Occurrences.js"
import * as Timestamp from "../src/domain/Timestamp.js"
import { nextTurn } from "./NextTurn.js"
import * as QuietSleep from "./QuietSleep.js"
import * as Batch from "./TelemetryHttpBatch.js"
import * as Circuit from "./TelemetryHttpCircuit.js"
import * as InHand from "./TelemetryHttpInHand.js"
import * as Outgoing from "./TelemetryHttpOutgoing.js"
import * as Pace from "./TelemetryHttpPace.js"
import type { Reply } from "./TelemetryHttpPost.js"
import * as Report from "./TelemetryHttpReport.js"
import type { Source, Window } from "./TelemetryHttpSource.js"
import * as Waiters from "./TelemetryHttpWaiters.js"

export interface ShipperOptions {
  readonly endpoint: string
  readonly runId: string
  readonly source: Source
  readonly post: (body: Uint8Array) => Effect.Effect<Reply>
}

export interface Shipper {
  /** Ships for as long as it runs; never fails and never ends by itself. */
  readonly run: Effect.Effect<never>
  /** A counter and a latch. */
  readonly unsafeRecord: (event: Event) => void
  readonly flush: (deadline: Duration.DurationInput) => Effect.Effect<Delivery>
  /** The last flush: asks a server that was given up on once more, for less time when others waited for it in vain. */
  readonly close: (deadline: Duration.DurationInput) => Effect.Effect<Delivery>
  readonly delivery: Effect.Effect<Delivery>
  /** Says in one line how delivery ended, and what was warned of more than once. */
  readonly report: Effect.Effect<void>
}

/** The one background shipper of a launch: mutable state that only its own fiber changes, apart from the latches. */
export const make = ({ endpoint, runId, source, post }: ShipperOptions): Shipper => {
  const occurrences = Occurrences.make()
  const circuit = Circuit.make()
  const waiters = Waiters.make()
  const outgoing = Outgoing.make()
  const something = Effect.unsafeMakeLatch(false)
  const urgent = Effect.unsafeMakeLatch(false)
  const overflow = Effect.unsafeMakeLatch(false)
  let sinceAwake = 0
  let delivered = 0
  let dropped = 0
  let flushFailures = 0
  let wastedMillis = 0
  let lastError: string | null = null
  let prepared: Window | undefined
  let writing: Fiber.Fiber<void> = Fiber.void
  const inHand = InHand.make(runId, source)

  /** Waiting for a server keeps no process alive whose events are safe in its log. */
  const sleep = source.durable ? QuietSleep.sleep : Effect.sleep

  const warn = (cause: string, message: string): Effect.Effect<void> =>
    Effect.suspend(() =>
      occurrences.note(cause) ? Report.quietly(Effect.logWarning(`Telemetry: ${message}`)) : Effect.void,
    )

  /** What the server asks for is waited out; what the back-off adds to it ends when somebody flushes. */
  const pause = (retryAfterMillis: number | undefined): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { askedMillis, ownMillis } = circuit.fail({
        nowMillis: yield* Pace.steadyMillis,
        random: yield* Random.next,
        retryAfterMillis,
        capMillis: waiters.any() ? Pace.FLUSH_BACKOFF_CAP_MILLIS : Circuit.PAUSE_CAP_MILLIS,
      })
      if (askedMillis >= Pace.LONG_PAUSE_MILLIS || flushFailures >= Pace.FLUSH_ATTEMPTS) waiters.dismiss()
      urgent.unsafeClose()
      yield* sleep(askedMillis)
      if (ownMillis > askedMillis) yield* Effect.raceFirst(sleep(ownMillis - askedMillis), urgent.await)
    })

  const answers: Effect.Effect<void> = Effect.gen(function* () {
    const recovered = lastError !== null
    circuit.succeed(yield* Clock.currentTimeMillis)
    lastError = null
    flushFailures = 0
    wastedMillis = 0
    if (recovered) yield* Report.quietly(Effect.logInfo(`Telemetry: ${endpoint} answers.`))
  })

  const postponed = (reply: Extract<Reply, { _tag: "Later" }>): Effect.Effect<void> =>
    Effect.suspend(() => {
      lastError = `${endpoint} ${reply.reason}`
      if (reply.unreachable) flushFailures += 1
      return Effect.zipRight(
        warn(
          reply.unreachable ? "unreachable" : lastError,
          `${lastError}; the program goes on, ${Report.waiting(source.durable)}.`,
        ),
        pause(reply.retryAfterMillis),
      )
    })

  const refuse = (refusals: ReadonlyArray<Outgoing.Refusal>): Effect.Effect<void> =>
    Effect.gen(function* () {
      if (refusals.length === 0) return
      const at = Timestamp.fromMillis(yield* Clock.currentTimeMillis)
      for (const refusal of refusals) {
        const { op, eventId, status, reason } = refusal
        inHand.refuse(refusal, at)
        const why = status === null ? reason : `${status}: ${reason}`
        yield* warn(
          `a ${op} refused: ${why}`,
          `the ${op} of event ${eventId} is not taken (${why}); it is set aside, the others go on.`,
        )
      }
    })

  const take = (window: Window): Effect.Effect<void> =>
    Effect.suspend(() => {
      inHand.take(window)
      return refuse([...window.unencodable.map(Outgoing.unencodable), ...outgoing.add(window.operations)])
    })

  const nextWindow = Effect.suspend(() => {
    const ready = prepared
    prepared = undefined
    return ready === undefined ? source.next : Effect.succeedSome(ready)
  })

  /** Reads a whole window ahead, once the request just begun has got to the socket. Trouble is left to who needs the window. */
  const prepare: Effect.Effect<void> = Effect.gen(function* () {
    if (prepared !== undefined || (yield* source.unread) < Pace.FULL) return
    yield* nextTurn
    prepared = Option.getOrUndefined(yield* Effect.uninterruptible(source.next))
  }).pipe(Effect.catchAllCause(() => Effect.void))

  const request = (operations: ReadonlyArray<Batch.Encoded>): Effect.Effect<Reply> =>
    Effect.gen(function* () {
      const backlog = Math.max(0, (yield* source.recorded) - source.resolved() - inHand.events())
      const dead_letters = (yield* source.deadLetters) + inHand.letters()
      const client = { backlog, dropped, dead_letters, log_head: yield* source.head, run_id: runId }
      circuit.attempt()
      const [reply] = yield* Effect.all([post(Batch.body(operations, client)), prepare], { concurrency: 2 })
      if (reply._tag !== "Accepted" || reply.results.length === operations.length) return reply
      const reason = `answered for ${reply.results.length} of ${operations.length} operations`
      return { _tag: "Later", reason, retryAfterMillis: undefined, unreachable: false, status: 200 }
    })

  const send = (operations: ReadonlyArray<Batch.Encoded>): Effect.Effect<void> =>
    Effect.gen(function* () {
      const reply = yield* request(operations)
      if (reply._tag === "Accepted") {
        yield* answers
        return yield* refuse(outgoing.accepted(reply.results))
      }
      if (reply._tag === "Refused") return yield* refuse(outgoing.refused(reply.status, reply.detail))
      if (reply.status !== 500) return yield* postponed(reply)
      const verdict = outgoing.serverError(reply.reason)
      yield* refuse(verdict.refusals)
      if (verdict.pause) yield* postponed(reply)
    })

  /** Writes the cursor while the next request is under way; one after the other, so that it never goes back. */
  const writeDown = (acknowledge: Effect.Effect<void, EventLogError>): Effect.Effect<void> =>
    acknowledge.pipe(
      Effect.catchAll((error) => warn("cursor", `${Report.NOT_WRITTEN_DOWN} ${ErrorText.line(error)}`)),
      Effect.ensuring(Effect.sync(() => waiters.release(source.resolved()))),
    )

  /** What was refused is safe beside the log before the cursor passes it. */
  const finish: Effect.Effect<void, EventLogError> = Effect.gen(function* () {
    yield* inHand.setAside
    yield* Fiber.await(writing)
    const released = inHand.release()
    delivered += released.delivered
    writing = yield* Effect.fork(writeDown(released.acknowledge))
  }).pipe(Effect.uninterruptible)

  const showLife: Effect.Effect<void> = Effect.suspend(() =>
    source.resolved() === 0
      ? Effect.void
      : Effect.flatMap(request([]), (reply) => {
          if (reply._tag === "Accepted") return answers
          if (reply._tag === "Later") return postponed(reply)
          return warn("sign of life", `a sign of life was refused (${reply.status}: ${reply.detail}).`)
        }),
  )

  const idle: Effect.Effect<void> = Effect.suspend(() => {
    waiters.release(source.resolved())
    const alone = Effect.as(QuietSleep.sleep(Pace.SIGN_OF_LIFE), showLife)
    return Effect.flatten(Effect.raceFirst(Effect.as(something.await, Effect.void), alone))
  })

  /** A few events wait for others to go with them, unless somebody waits for these. */
  const fetchNext: Effect.Effect<void, EventLogError> = Effect.gen(function* () {
    const unread = yield* source.unread
    const isFew = prepared === undefined && unread > 0 && unread < Pace.FULL
    if (isFew && !waiters.any()) yield* Effect.raceFirst(Effect.sleep(Pace.LINGER), urgent.await)
    something.unsafeClose()
    urgent.unsafeClose()
    sinceAwake = 0
    yield* Effect.flatMap(nextWindow, Option.match({ onNone: () => idle, onSome: take }))
  })

  const broken = (what: string, detail: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      lastError = `${what}: ${detail}`
      flushFailures += 1
      return Effect.zipRight(warn(lastError, `${lastError}; the program goes on.`), pause(undefined))
    })

  const step: Effect.Effect<void> = Effect.suspend((): Effect.Effect<void, EventLogError> => {
    if (inHand.isEmpty()) return fetchNext
    const batch = outgoing.batch()
    if (batch.length === 0) return finish
    if (!outgoing.needsNeighbours()) return send(batch)
    return Effect.flatMap(nextWindow, Option.match({ onNone: () => send(batch), onSome: take }))
  }).pipe(
    Effect.catchAll((error) => broken("events cannot be sent now", ErrorText.line(error))),
    Effect.catchAllCause((cause) =>
      Cause.isInterruptedOnly(cause)
        ? Effect.failCause(cause)
        : broken("events cannot be sent, by a defect", ErrorText.ofCause(cause).summary),
    ),
  )

  const delivery: Effect.Effect<Delivery> = Effect.gen(function* () {
    return {
      endpoint,
      delivered,
      undelivered: Math.max(0, (yield* source.recorded) - source.resolved()),
      dropped,
      rejected: inHand.rejected(),
      ...circuit.standing(),
      oldestUndeliveredAt: yield* source.oldest,
      lastError,
    }
  })

  const hasten = (): void => {
    urgent.unsafeOpen()
    something.unsafeOpen()
  }

  const awaitDelivery = (target: number, millis: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      const before = source.resolved()
      circuit.hurry()
      flushFailures = 0
      hasten()
      const answered = yield* waiters.wait(target, millis)
      if (answered || source.resolved() > before) return
      wastedMillis += millis
      lastError ??= `${endpoint} did not answer within ${Duration.format(millis)}`
    })

  const flushWithin = (millis: number, insist: boolean): Effect.Effect<Delivery> =>
    Effect.gen(function* () {
      const target = yield* source.recorded
      const isWorthAsking = insist || circuit.state() === "closed"
      if (target > source.resolved() && isWorthAsking) {
        const endsMillis = (yield* Pace.steadyMillis) + millis
        if (millis > 0 && circuit.askedUntilMillis() <= endsMillis) yield* awaitDelivery(target, millis)
        else if (circuit.failures() === 0) hasten()
      }
      return yield* delivery
    })

  return {
    run: Effect.zipRight(
      Effect.fork(Effect.zipRight(overflow.await, warn("full", Report.overflow(endpoint)))),
      Effect.forever(step),
    ),
    unsafeRecord: (event) => {
      sinceAwake += 1
      if (!source.offer(event)) {
        dropped += 1
        overflow.unsafeOpen()
        return
      }
      something.unsafeOpen()
      if (circuit.failures() === 0 && (sinceAwake >= Pace.FULL || Pace.isUrgent(event.type))) urgent.unsafeOpen()
    },
    flush: (deadline) => flushWithin(Duration.toMillis(deadline), false),
    close: (deadline) =>
      Effect.suspend(() => flushWithin(Math.max(0, Duration.toMillis(deadline) - wastedMillis), true)),
    delivery,
    report: Report.quietly(
      Effect.flatMap(delivery, (now) => Report.summary(now, source.durable, occurrences.takeRepeats())),
    ),
  }
}
