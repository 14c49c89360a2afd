import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import { CurrentRun, type CurrentRunService } from "../../services/CurrentRun.js"
import { Telemetry, type TelemetryService } from "../../services/Telemetry.js"
import type { EventBody, SpanContext } from "../domain/Event.js"
import { workerRunId } from "../domain/Ids.js"
import * as Outcome from "./Outcome.js"
import { Recorder } from "./Recorder.js"
import * as SpanIds from "./SpanIds.js"

/** How a worker is named in the record. */
export interface WorkerOptions<A> {
  /** Such as `W2.FactsBuilder`. */
  readonly worker: string
  /** The row's agent name, such as `launch.workers.FactsBuilder`. */
  readonly agentName: string
  /** The attempt that {@link queued} announced; the run's next one when absent. */
  readonly attempt?: number | undefined
  readonly inputSummary?: string | undefined
  /** What the result amounts to. */
  readonly describe?: ((value: A) => Outcome.Outcome) | undefined
}

interface WorkItem {
  readonly work_item_id: string
  readonly worker: string
  readonly attempt: number
}

const FLUSH_DEADLINE = Duration.seconds(1)

const statusOf = (failure: Extract<Outcome.Ending, { _tag: "Broken" }>["failure"]) => {
  if (failure.kind === "interruption") return "cancelled" as const
  return failure.errorClass === "Timeout" ? ("timeout" as const) : ("failure" as const)
}

const finished = (item: WorkItem, ending: Outcome.Ending): EventBody => {
  if (ending._tag === "Reached") {
    const { error_summary: error = null, status = "success", ...outcome } = ending.outcome
    const payload = { ...item, ...outcome, status, success: true, error, duration_ms: ending.durationMs }
    return { type: "WORK_ITEM_FINISHED", payload }
  }
  const { failure, durationMs } = ending
  const payload = {
    ...item,
    success: false,
    error: failure.summary,
    status: statusOf(failure),
    duration_ms: durationMs,
  }
  return { type: "WORK_ITEM_FINISHED", payload }
}

/**
 * A server that answers is waited for, a second at most, so that its readers see the worker whole. One that has not answered
 * yet, or did not when last asked, only gets a nudge: a launch never waits for an API that is down or hangs.
 */
const flush = (telemetry: TelemetryService): Effect.Effect<void> =>
  Effect.flatMap(telemetry.delivery, ({ endpoint, delivered, lastError }) => {
    if (endpoint === null) return Effect.void
    return telemetry.flush(delivered > 0 && lastError === null ? FLUSH_DEADLINE : Duration.zero)
  }).pipe(Effect.asVoid)

const flushed: Effect.Effect<void> = Effect.serviceOption(Telemetry).pipe(
  Effect.flatMap(Option.match({ onNone: () => Effect.void, onSome: flush })),
  Effect.catchAllDefect(() => Effect.logWarning("Telemetry could not be flushed at the end of a worker.")),
)

/** Records that a worker's attempt waits for its turn. */
export const queued = (worker: string, attempt: number): Effect.Effect<void, never, CurrentRun | Recorder> =>
  Effect.gen(function* () {
    const run = yield* CurrentRun
    const recorder = yield* Recorder
    const work_item_id = workerRunId(run.runId, worker, attempt)
    yield* recorder.record({ type: "WORK_ITEM_QUEUED", payload: { work_item_id, worker, attempt } })
  })

const recorded = <A, E, R>(
  item: WorkItem,
  span: SpanContext | undefined,
  options: WorkerOptions<A>,
  effect: Effect.Effect<A, E, R>,
) =>
  Effect.gen(function* () {
    const recorder = yield* Recorder
    const startedNanos = yield* Clock.currentTimeNanos
    const opening = { agent_name: options.agentName, input_summary: options.inputSummary ?? null }
    const describe = options.describe ?? (() => ({}))
    return yield* Effect.uninterruptibleMask((restore) =>
      recorder.record({ type: "WORK_ITEM_STARTED", payload: { ...item, ...opening } }, span).pipe(
        Effect.zipRight(restore(effect)),
        Effect.onExit((exit) =>
          Effect.flatMap(Outcome.of(exit, startedNanos, describe), (ending) =>
            recorder.record(finished(item, ending), span),
          ),
        ),
      ),
    )
  })

/** The worker in a native span, or, when Effect's tracer is switched off, in one that is derived from the work item's id. */
const spanned = <A, E, R>(
  run: CurrentRunService,
  item: WorkItem,
  options: WorkerOptions<A>,
  effect: Effect.Effect<A, E, R>,
) =>
  Effect.withFiberRuntime<A, E, R | Recorder>((fiber) => {
    if (fiber.currentSpan !== undefined && SpanIds.isRecordable(fiber.currentSpan))
      return recorded(item, undefined, options, effect)
    const span = SpanIds.derived(run, item.work_item_id)
    return Effect.withParentSpan(recorded(item, span, options, effect), SpanIds.external(span))
  }).pipe(Effect.withSpan(options.agentName, { captureStackTrace: false }))

/**
 * Runs a worker inside a native span of its own, child of the current one, between `WORK_ITEM_STARTED` and
 * `WORK_ITEM_FINISHED`: success, partial, failure, timeout, or cancelled when it was interrupted. Its result, error or
 * interruption is passed on as it is. At the end telemetry, when there is any, is flushed: for a second at most, and not at
 * all while the server does not answer.
 */
export const around = <A, E, R>(
  options: WorkerOptions<NoInfer<A>>,
  effect: Effect.Effect<A, E, R>,
): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan> | CurrentRun | Recorder> =>
  Effect.gen(function* () {
    const run = yield* CurrentRun
    const attempt = options.attempt ?? (yield* run.nextAttempt(options.worker))
    const item = { work_item_id: workerRunId(run.runId, options.worker, attempt), worker: options.worker, attempt }
    const exit = yield* Effect.exit(spanned(run, item, options, effect))
    if (!Outcome.wasInterrupted(exit)) yield* flushed
    return yield* exit
  })
