import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Backlog, type Drained } from "../services/Backlog.js"
import { Telemetry, type TelemetryService } from "../services/Telemetry.js"
import * as ErrorText from "../src/domain/ErrorText.js"

/** Longest that closing the scope waits for a server that has taken all of the program's own run. */
const FINISH_DEADLINE = Duration.seconds(3)
/** Longest that closing the scope waits for a request to be given up and a run to be given free. */
const STOP_DEADLINE = Duration.seconds(1)
/** Longest that closing the scope waits to see whether there is anything to deliver. */
const LOOK_DEADLINE = Duration.millis(300)

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

const report = (drained: ReadonlyArray<Drained>): Effect.Effect<void> => {
  const runs = drained.filter(({ delivered }) => delivered > 0)
  const events = runs.reduce((sum, { delivered }) => sum + delivered, 0)
  return runs.length === 0
    ? Effect.void
    : Effect.logInfo(`Telemetry: ${counted(events, "event")} of ${counted(runs.length, "earlier run")} delivered.`)
}

const drained = (onDelivering: Effect.Effect<void>): Effect.Effect<void, never, Backlog> =>
  Effect.gen(function* () {
    const backlog = yield* Backlog
    const done: Array<Drained> = []
    const onDrained = (one: Drained) => Effect.sync(() => void done.push(one))
    yield* Effect.ensuring(
      backlog.drain({ includeOffline: false, inPassing: true, onDelivering, onDrained }),
      Effect.suspend(() => report(done)),
    )
  }).pipe(
    Effect.catchAllCause((cause) =>
      Cause.isInterruptedOnly(cause)
        ? Effect.void
        : Effect.logWarning(`What earlier runs left behind is not delivered now. ${ErrorText.ofCause(cause).summary}`),
    ),
  )

/** True as soon as something is being delivered, false when there is nothing to deliver or the look at the runs takes its time. */
const isDelivering = (fiber: Fiber.RuntimeFiber<void>, begun: Effect.Latch): Effect.Effect<boolean> =>
  Effect.raceFirst(Effect.as(begun.await, true), Effect.as(Fiber.await(fiber), false)).pipe(
    Effect.interruptible,
    Effect.timeoutTo({ duration: LOOK_DEADLINE, onSuccess: (begins) => begins, onTimeout: () => false }),
  )

/**
 * A short program is over before much could be delivered beside it. When its own run is delivered the server is there, and the rest
 * gets a moment too; a server that is away or hangs is not waited for a second time.
 */
const finish = (
  telemetry: TelemetryService,
  fiber: Fiber.RuntimeFiber<void>,
  begun: Effect.Latch,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (Option.isNone(yield* Fiber.poll(fiber))) {
      const { undelivered, circuit } = yield* telemetry.flush(FINISH_DEADLINE)
      if (undelivered === 0 && circuit === "closed" && (yield* isDelivering(fiber, begun))) {
        yield* Fiber.await(fiber).pipe(Effect.interruptible, Effect.timeoutOption(FINISH_DEADLINE))
      }
    }
    yield* Fiber.interrupt(fiber).pipe(Effect.disconnect, Effect.timeoutOption(STOP_DEADLINE))
  })

/**
 * Delivers what earlier runs left behind, beside a program and without its noticing: it starts at once, never fails, and says one
 * line when something was delivered. When the scope closes while a run is delivered and the program's own run has been, it is given
 * three seconds more; otherwise it ends at once. What is left then stays for the next start or `runledger ship`, as do runs recorded offline.
 */
export const draining: Layer.Layer<never, never, Backlog | Telemetry> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const telemetry = yield* Telemetry
    const begun = yield* Effect.makeLatch(false)
    yield* Effect.acquireRelease(Effect.forkDaemon(Effect.interruptible(drained(Effect.asVoid(begun.open)))), (fiber) =>
      finish(telemetry, fiber, begun),
    )
  }),
)
