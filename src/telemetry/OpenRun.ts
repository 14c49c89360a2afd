import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { CurrentRun } from "../../services/CurrentRun.js"
import type { CallSpan } from "./CallSpan.js"
import type { LlmSpan } from "./LlmSpan.js"
import type { Period } from "./Period.js"
import type { Recorder } from "./Recorder.js"

/** What a run gives to those who record in it. */
export type Recording = CallSpan | CurrentRun | LlmSpan | Recorder

/** The run of a period, and how many are at work in it. */
export interface OpenRun {
  readonly period: Period
  readonly context: Context.Context<Recording>
  readonly span: Tracer.AnySpan | undefined
  /** Done when nothing begins in it any more and the last has ended. */
  readonly idle: Deferred.Deferred<void>
  inFlight: number
  retired: boolean
}

export const make = (
  period: Period,
  context: Context.Context<Recording>,
  span?: Tracer.AnySpan,
): Effect.Effect<OpenRun> =>
  Effect.map(Deferred.make<void>(), (idle) => ({ period, context, span, idle, inFlight: 0, retired: false }))

/** True when nothing begins in it any more, and nothing is at work. */
export const isDone = (run: OpenRun): boolean => run.retired && run.inFlight === 0

const doneWhenIdle = (run: OpenRun): void => {
  if (isDone(run)) Deferred.unsafeDone(run.idle, Effect.void)
}

/** Nothing begins in it any more. */
export const retire = (run: OpenRun): void => {
  run.retired = true
  doneWhenIdle(run)
}

export const enter = (run: OpenRun): OpenRun => {
  run.inFlight += 1
  return run
}

export const leave = (run: OpenRun): void => {
  run.inFlight -= 1
  doneWhenIdle(run)
}

/** The effect in the run's own trace, unless it stands in a span of the program. */
export const inTrace = <A, E, R>({ span }: OpenRun, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  span === undefined
    ? effect
    : Effect.withFiberRuntime((fiber) =>
        fiber.currentSpan === undefined ? Effect.provideService(effect, Tracer.ParentSpan, span) : effect,
      )

/** The same for a stream, as seen by who begins to read it. */
export const streamInTrace = <A, E, R>(
  { span }: OpenRun,
  stream: Stream.Stream<A, E, R>,
): Effect.Effect<Stream.Stream<A, E, R>> =>
  Effect.withFiberRuntime((fiber) =>
    Effect.succeed(
      span === undefined || fiber.currentSpan !== undefined
        ? stream
        : Stream.provideSomeContext(stream, Context.make(Tracer.ParentSpan, span)),
    ),
  )
