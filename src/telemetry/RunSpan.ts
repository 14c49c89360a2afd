import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { CurrentRun, type CurrentRunService } from "../../services/CurrentRun.js"
import type { EventBody, RunCreated, SpanContext } from "../domain/Event.js"
import * as Outcome from "./Outcome.js"
import { Recorder, type RecorderService } from "./Recorder.js"
import * as SpanIds from "./SpanIds.js"

interface OpenRun {
  readonly recorder: RecorderService
  readonly span: SpanContext | undefined
  readonly startedNanos: bigint
}

const closing = (ending: Outcome.Ending): EventBody => {
  if (ending._tag === "Reached")
    return { type: "RUN_COMPLETED", payload: { ...ending.outcome, duration_ms: ending.durationMs } }
  const { failure, durationMs } = ending
  if (failure.kind === "interruption")
    return { type: "RUN_CANCELLED", payload: { reason: failure.summary, duration_ms: durationMs } }
  return {
    type: "RUN_FAILED",
    payload: {
      error_class: failure.errorClass,
      error_summary: failure.summary,
      error_details: failure.details ?? null,
      duration_ms: durationMs,
    },
  }
}

/** A run that is taken up again has its RUN_CREATED, and with it its row, from the process before. */
const open = (created: RunCreated, run: CurrentRunService, span: SpanContext | undefined) =>
  Effect.gen(function* () {
    const recorder = yield* Recorder
    const startedNanos = yield* Clock.currentTimeNanos
    const parent_run_id = created.parent_run_id ?? Option.getOrNull(run.parentRunId)
    if (!run.resumed || Option.isNone(run.trace))
      yield* recorder.record({ type: "RUN_CREATED", payload: { ...created, parent_run_id } }, span)
    return { recorder, span, startedNanos }
  })

const close = <A, E>(
  run: OpenRun,
  exit: Exit.Exit<A, E>,
  describe: (value: A) => Outcome.Outcome,
): Effect.Effect<void> =>
  Effect.flatMap(Outcome.of(exit, run.startedNanos, describe), (ending) =>
    run.recorder.record(closing(ending), run.span),
  )

const spanOptions = (place: SpanIds.Place) => ({
  captureStackTrace: false,
  ...(place._tag === "Under" ? { parent: SpanIds.external(place.parent) } : {}),
})

/**
 * Runs a program as the current run: inside a native span of its own (or inside the span where `CurrentRun.trace` places it),
 * with `RUN_CREATED` before it and, by how it ended, `RUN_COMPLETED`, `RUN_FAILED` or, when it was interrupted,
 * `RUN_CANCELLED` after it. `describe` says what the result amounts to. The program's result, error or interruption is
 * passed on as it is. A resumed run records no second `RUN_CREATED`.
 */
export const around = <A, E, R>(
  created: RunCreated,
  program: Effect.Effect<A, E, R>,
  describe: (value: A) => Outcome.Outcome = () => ({}),
): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan> | CurrentRun | Recorder> =>
  Effect.flatMap(CurrentRun, (run) => {
    const place = SpanIds.placeOf(run)
    const recorded = (span: SpanContext | undefined) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(open(created, run, span), (opened) =>
          Effect.onExit(restore(program), (exit) => close(opened, exit, describe)),
        ),
      )
    return place._tag === "Reentered"
      ? Effect.withParentSpan(recorded(place.span), SpanIds.external(place.span))
      : Effect.withSpan(recorded(undefined), created.agent_name, spanOptions(place))
  })

/** The same for a scope: the run is open until the scope closes, and ends as the scope does. Gives the run's span. */
export const scoped = (
  created: RunCreated,
): Effect.Effect<Tracer.AnySpan, never, Scope.Scope | CurrentRun | Recorder> =>
  Effect.gen(function* () {
    const run = yield* CurrentRun
    const place = SpanIds.placeOf(run)
    const span: Tracer.AnySpan =
      place._tag === "Reentered"
        ? SpanIds.external(place.span)
        : yield* Effect.makeSpanScoped(created.agent_name, spanOptions(place))
    const ids = place._tag === "Reentered" ? place.span : SpanIds.ofSpan(span)
    yield* Effect.acquireRelease(open(created, run, ids), (opened, exit) => close(opened, exit, () => ({})))
    return span
  })

/**
 * A run for as long as a program uses this layer; what the program records, native spans included, stands in its trace. Ends
 * as the program does.
 */
export const layer = (created: RunCreated): Layer.Layer<Tracer.ParentSpan, never, CurrentRun | Recorder> =>
  Layer.scopedContext(Effect.map(scoped(created), (span) => Context.make(Tracer.ParentSpan, span)))
