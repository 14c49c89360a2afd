import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { EventLog, type EventLogError } from "../services/EventLog.js"
import { IdGenerator } from "../services/IdGenerator.js"
import type { Event } from "../src/domain/Event.js"
import * as OpenSpans from "../src/domain/OpenSpans.js"

/** What a process that is gone left open in a run's log. */
export interface Remains {
  /** The innermost first. */
  readonly spans: ReadonlyArray<OpenSpans.OpenSpan<Event>>
  /** The run's last sign of life. */
  readonly lastSign: string | null
  /** The process, when its lock still named it. */
  readonly pid: number | undefined
}

/** Nothing was left open. */
export const NOTHING: Remains = { spans: [], lastSign: null, pid: undefined }

/** What an earlier process left open in the run that this process took over. */
export class LeftOpen extends Context.Tag("runledger/layers/LeftOpen")<LeftOpen, Remains>() {}

/**
 * Whether open spans are those of a dead process, once the run is this process's own: the earlier owner left its lock behind, or
 * never closed the run. An owner that did both had a gap in its log; its calls ended, and nobody knows how.
 */
export const isOfTheDead = (hasDeadLock: boolean, isRunOpen: boolean): boolean => hasDeadLock || isRunOpen

/**
 * Closes in the log what a dead process left open, the innermost first, as failed with `ProcessDied`, and says how many spans
 * that were. To be done before anything else is appended. Fails with {@link EventLogError}; what was closed by then stays closed.
 */
export const close = ({
  spans,
  lastSign,
  pid,
}: Remains): Effect.Effect<number, EventLogError, EventLog | IdGenerator> =>
  Effect.gen(function* () {
    const log = yield* EventLog
    const ids = yield* IdGenerator
    const now = yield* Clock.currentTimeMillis
    const closings = spans.flatMap((span) => {
      const closing = OpenSpans.closing(span, { pid, lastSign: lastSign ?? span.since })
      return closing === undefined ? [] : [closing]
    })
    yield* Effect.forEach(closings, (closing) => log.append({ event_id: ids.unsafeEventId(now), ...closing }), {
      discard: true,
    })
    return closings.length
  })

/**
 * Closes what an earlier process left open in a run that is taken up again, before the program records anything in it. A log that
 * cannot be written is a warning: the spans stay open.
 */
export const closed: Layer.Layer<never, never, LeftOpen | EventLog | IdGenerator> = Layer.effectDiscard(
  Effect.flatMap(LeftOpen, close).pipe(
    Effect.catchAll((error) =>
      Effect.logWarning(`What a dead process left open in the run could not be closed. ${error.message}`),
    ),
  ),
)
