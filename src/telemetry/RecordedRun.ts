import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Tracer from "effect/Tracer"
import type { CurrentRun } from "../../services/CurrentRun.js"
import type { IdGenerator } from "../../services/IdGenerator.js"
import type { LlmClient } from "../../services/LlmClient.js"
import type { PriceBook } from "../../services/PriceBook.js"
import type { RunCreated } from "../domain/Event.js"
import * as CallSpan from "./CallSpan.js"
import * as LlmSpan from "./LlmSpan.js"
import * as PromiseRun from "./PromiseRun.js"
import * as Recorder from "./Recorder.js"
import * as RunSpan from "./RunSpan.js"

/**
 * All that a program needs which only makes calls: a run that is open for as long as the program uses this layer, and
 * `LlmSpan` to call in it, or `CallSpan` by another SDK. An event log, evidence and telemetry are used when the build context has them.
 */
export const layer = (
  created: RunCreated,
): Layer.Layer<
  CallSpan.CallSpan | LlmSpan.LlmSpan | Recorder.Recorder | Tracer.ParentSpan,
  never,
  CurrentRun | IdGenerator | LlmClient | PriceBook
> => Layer.provideMerge(LlmSpan.layer, calls(created))

/** The same for a program that calls its models by another SDK only. */
export const calls = (
  created: RunCreated,
): Layer.Layer<
  CallSpan.CallSpan | Recorder.Recorder | Tracer.ParentSpan,
  never,
  CurrentRun | IdGenerator | PriceBook
> => Layer.merge(CallSpan.layer, RunSpan.layer(created)).pipe(Layer.provideMerge(Recorder.layer))

/** Runs an effect of a program that is written in promises. Rejects with the effect's own error. */
export type Run<R> = <A, E>(effect: Effect.Effect<A, E, R>, signal?: AbortSignal) => Promise<A>

/**
 * Runs a program that is written in promises in its recorded run: {@link layer} or {@link calls} with all that they need. The run is
 * open for as long as the program runs and ends as it does: as failed, with the reason, when it rejects. Then what is not delivered
 * yet is delivered. Resolves and rejects as the program does, and rejects without running it when the layer cannot be built.
 */
export const promise = <A, R, E>(
  recording: Layer.Layer<R, E>,
  program: (run: Run<R>) => PromiseLike<A>,
): Promise<A> => {
  const opened = PromiseRun.make(recording)
  return PromiseRun.around(opened, () =>
    program(async (effect, signal) => PromiseRun.settled(await opened.exitOf(effect, signal))),
  )
}
