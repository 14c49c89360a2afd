import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { CurrentRun } from "../../services/CurrentRun.js"
import { EventLog, type EventLogError, type EventLogService } from "../../services/EventLog.js"
import { IdGenerator } from "../../services/IdGenerator.js"
import { Telemetry } from "../../services/Telemetry.js"
import * as ErrorText from "../domain/ErrorText.js"
import { type Event, EventBody, type SpanContext } from "../domain/Event.js"
import * as Timestamp from "../domain/Timestamp.js"
import * as SpanIds from "./SpanIds.js"
import * as Warnings from "./Warnings.js"

export interface RecorderService {
  /**
   * Records that something happened in the current run: stamped with id and time, appended to the event log when there is
   * one, then handed to telemetry when there is one. Without `span` the event belongs to the current parent span of Effect's
   * tracer, native or external, or else to the run itself. `eventId` is for who must know the id beforehand. Never fails:
   * what goes wrong on the way becomes a log warning, once per cause.
   */
  readonly record: (body: EventBody, span?: SpanContext, eventId?: string) => Effect.Effect<void>
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

type Stamp = (nowMillis: number, body: EventBody, span: SpanContext, eventId?: string) => Event

/** Appends, and reports what could not be appended as soon as something can be. */
const gapReporting = (log: EventLogService, stampGap: (dropped: number, reason: string) => Effect.Effect<Event>) => {
  let lost = 0
  let reason = ""

  const reportGap: Effect.Effect<void, EventLogError> = Effect.suspend(() => {
    const dropped = lost
    lost = 0
    return stampGap(dropped, reason).pipe(
      Effect.flatMap(log.append),
      Effect.zipRight(Effect.logWarning(`The event log can be written again; ${dropped} events before this are lost.`)),
      Effect.onError(() => Effect.sync(() => (lost += dropped))),
    )
  })

  return {
    append: (event: Event): Effect.Effect<unknown, EventLogError> =>
      lost === 0 ? log.append(event) : Effect.zipRight(reportGap, log.append(event)),
    lose: (cause: Cause.Cause<unknown>) => {
      lost += 1
      reason = ErrorText.ofCause(cause).summary
    },
    close: Effect.suspend(() => (lost === 0 ? Effect.void : reportGap)),
  }
}

const make = Effect.gen(function* () {
  const run = yield* CurrentRun
  const ids = yield* IdGenerator
  const log = yield* Effect.serviceOption(EventLog)
  const telemetry = Option.getOrUndefined(yield* Effect.serviceOption(Telemetry))
  const warnings = yield* Warnings.make
  const ofRun = SpanIds.ofRun(run)

  const stamp: Stamp = (nowMillis, body, span, eventId) => ({
    event_id: eventId ?? ids.unsafeEventId(nowMillis),
    run_id: run.runId,
    ts: Timestamp.fromMillis(nowMillis),
    ...span,
    ...body,
  })
  const stampGap = (dropped: number, reason: string) =>
    Effect.map(Clock.currentTimeMillis, (now) =>
      stamp(now, { type: "TELEMETRY_GAP", payload: { dropped, reason } }, ofRun),
    )

  const hand = (event: Event): Effect.Effect<void> =>
    telemetry === undefined ? Effect.void : warnings.guard("An event could not be handed on", telemetry.record(event))

  const journal = Option.getOrUndefined(Option.map(log, (service) => gapReporting(service, stampGap)))
  if (journal !== undefined)
    yield* Effect.addFinalizer(() => warnings.guard("A gap could not be recorded", journal.close))

  const misfit = (event: Event): Effect.Effect<never, MisfitEvent> =>
    new MisfitEvent({ message: `${event.type} does not fit its schema (an empty name, a negative count?)` })

  const keep = (event: Event): Effect.Effect<void> => {
    const isFit = isSound(event)
    if (journal === undefined) {
      return isFit ? hand(event) : warnings.guard("An event could not be recorded", misfit(event))
    }
    const appended: Effect.Effect<unknown, EventLogError | MisfitEvent> = isFit ? journal.append(event) : misfit(event)
    return Effect.matchCauseEffect(appended, {
      onSuccess: () => hand(event),
      onFailure: (cause) => {
        if (!Cause.isInterruptedOnly(cause)) journal.lose(cause)
        return warnings.guard("An event could not be recorded", Effect.failCause(cause))
      },
    })
  }

  return Recorder.of({
    record: (body, span, eventId) =>
      warnings.guard(
        "An event could not be recorded",
        Effect.withFiberRuntime<void>((fiber) => {
          const now = Context.get(fiber.currentDefaultServices, Clock.Clock).unsafeCurrentTimeMillis()
          return keep(stamp(now, body, span ?? SpanIds.ofSpan(fiber.currentSpan) ?? ofRun, eventId))
        }),
      ),
  })
})

/** {@link Recorder.layer} */
export const layer: Layer.Layer<Recorder, never, CurrentRun | IdGenerator> = Layer.scoped(Recorder, make)
