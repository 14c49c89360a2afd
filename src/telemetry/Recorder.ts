import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { CurrentRun } from "../../services/CurrentRun.js"
import { EventLog, EventLogError } from "../../services/EventLog.js"
import { IdGenerator } from "../../services/IdGenerator.js"
import { Telemetry } from "../../services/Telemetry.js"
import { type Event, EventBody, type SpanContext } from "../domain/Event.js"
import * as Timestamp from "../domain/Timestamp.js"
import * as GapReport from "./GapReport.js"
import * as SpanIds from "./SpanIds.js"
import * as SteadyTime from "./SteadyTime.js"
import * as Warnings from "./Warnings.js"

export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

export interface RecorderService {
  /**
   * Records that something happened in the current run: stamped with id and time, appended to the event log when there is
   * one, then handed to telemetry when there is one. Without `span` the event belongs to the current parent span of Effect's
   * tracer, native or external, or else to the run itself. `eventId` is for who must know the id beforehand. Times never go
   * backwards, whatever the clock does. Never fails: what goes wrong on the way becomes a log warning, once per cause.
   */
  readonly record: (body: EventBody, span?: SpanContext, eventId?: string) => Effect.Effect<void>
  /**
   * The same at once, on behalf of a fiber: does all that needs no waiting and returns what is left to be run, mostly nothing.
   * Never throws. Absent where every event has to wait for something.
   */
  readonly unsafeRecord?: (
    fiber: AnyFiber,
    body: EventBody,
    span?: SpanContext,
    eventId?: string,
  ) => Effect.Effect<void>
}

/** The one way by which anything becomes an event of the current run. */
export class Recorder extends Context.Tag("runledger/telemetry/Recorder")<Recorder, RecorderService>() {
  /**
   * Captures the event log and telemetry of its build context, both optional. A failure and a defect of either is logged as
   * a warning the first time it occurs; the same one again is only counted, and the counts are logged at level info, one line
   * a cause, when the layer's scope closes. An event that the log refuses is lost: it is counted, and a `TELEMETRY_GAP` with the count
   * goes before the next event that can be written, at the latest when the scope closes. Interruption passes through.
   */
  static get layer(): Layer.Layer<Recorder, never, CurrentRun | IdGenerator> {
    return layer
  }
}

/** A reader of the log would leave it out, so it is not written. */
class MisfitEvent extends Data.TaggedError("MisfitEvent")<{ readonly message: string }> {}

const fits = Schema.is(EventBody)

/** Events of calls are made here and fit; checking them would cost a call more than all the rest. */
const isSound = (body: EventBody): boolean => body.type.startsWith("LLM_CALL_") || fits(body)

const misfit = (event: Event): MisfitEvent =>
  new MisfitEvent({ message: `${event.type} does not fit its schema (an empty name, a negative count?)` })

const UNRECORDED = "An event could not be recorded"
const UNSENT = "An event could not be handed on"

const clockOf = (fiber: AnyFiber): Clock.Clock => Context.get(fiber.currentDefaultServices, Clock.Clock)

/** What was thrown by a log's synchronous step: its own error, or a defect. */
const causeOf = (thrown: unknown): Cause.Cause<EventLogError> =>
  thrown instanceof EventLogError ? Cause.fail(thrown) : Cause.die(thrown)

const make = Effect.gen(function* () {
  const run = yield* CurrentRun
  const ids = yield* IdGenerator
  const log = Option.getOrUndefined(yield* Effect.serviceOption(EventLog))
  const telemetry = Option.getOrUndefined(yield* Effect.serviceOption(Telemetry))
  const warnings = yield* Warnings.make
  const ofRun = SpanIds.ofRun(run)
  const time = SteadyTime.make()

  const stamp = (nowMillis: number, body: EventBody, span: SpanContext, eventId?: string): Event => ({
    event_id: eventId ?? ids.unsafeEventId(nowMillis),
    run_id: run.runId,
    ts: Timestamp.fromMillis(nowMillis),
    ...span,
    ...body,
  })
  const stampGap = (dropped: number, reason: string) =>
    Effect.map(Effect.clock, (clock) =>
      stamp(time.unsafeMillis(clock), { type: "TELEMETRY_GAP", payload: { dropped, reason } }, ofRun),
    )

  const hand = (event: Event): Effect.Effect<void> => {
    if (telemetry === undefined) return Effect.void
    return warnings.step(UNSENT, () => {
      const { unsafeRecord } = telemetry
      if (unsafeRecord === undefined) return warnings.guard(UNSENT, telemetry.record(event))
      unsafeRecord(event)
      return Effect.void
    })
  }

  const journal = log === undefined ? undefined : GapReport.make(log, stampGap)
  if (journal !== undefined)
    yield* Effect.addFinalizer(() => warnings.guard("A gap could not be recorded", journal.close))

  const lose = (cause: Cause.Cause<EventLogError | MisfitEvent>): Effect.Effect<void> => {
    if (!Cause.isInterruptedOnly(cause)) journal?.lose(cause)
    return warnings.guard(UNRECORDED, Effect.failCause(cause))
  }

  const appendWaiting = (event: Event, journal: GapReport.GapReport): Effect.Effect<void> =>
    warnings.step(UNRECORDED, () =>
      Effect.matchCauseEffect(journal.append(event), { onSuccess: () => hand(event), onFailure: lose }),
    )

  const append = (event: Event): Effect.Effect<void> => {
    if (journal === undefined) return hand(event)
    if (journal.unsafeAppend === undefined || journal.isBehind()) return appendWaiting(event, journal)
    try {
      journal.unsafeAppend(event)
    } catch (thrown) {
      return lose(causeOf(thrown))
    }
    return hand(event)
  }

  const unsafeRecord: NonNullable<RecorderService["unsafeRecord"]> = (fiber, body, span, eventId) =>
    warnings.step(UNRECORDED, () => {
      const now = time.unsafeMillis(clockOf(fiber))
      const event = stamp(now, body, span ?? SpanIds.ofSpan(fiber.currentSpan) ?? ofRun, eventId)
      if (isSound(event)) return append(event)
      return lose(Cause.fail(misfit(event)))
    })

  return Recorder.of({
    unsafeRecord,
    record: (body, span, eventId) => Effect.withFiberRuntime<void>((fiber) => unsafeRecord(fiber, body, span, eventId)),
  })
})

/** {@link Recorder.layer} */
export const layer: Layer.Layer<Recorder, never, CurrentRun | IdGenerator> = Layer.scoped(Recorder, make)
