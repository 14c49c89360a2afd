import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CurrentRun } from "../../services/CurrentRun.js"
import type { IdGenerator } from "../../services/IdGenerator.js"
import type { LlmClient } from "../../services/LlmClient.js"
import type { PriceBook } from "../../services/PriceBook.js"
import type { RunCreated } from "../domain/Event.js"
import { CallSpan } from "./CallSpan.js"
import { LlmSpan } from "./LlmSpan.js"
import type { Recording } from "./OpenRun.js"
import type { Period } from "./Period.js"
import * as RecordedRun from "./RecordedRun.js"
import { Recorder } from "./Recorder.js"
import * as Rotation from "./Rotation.js"
import * as Unrecorded from "./Unrecorded.js"

export interface Options<E, R> {
  /** What the row of each run says. */
  readonly created: RunCreated
  /** Where the run of a period is recorded: a new one each time, such as `Runledger.layer` with the period's name in its own. */
  readonly run: (period: Period) => Layer.Layer<CurrentRun | IdGenerator | PriceBook, E, R>
  /** How long a run lasts: a day of UTC when absent; whole seconds, a year at most. */
  readonly every?: Duration.DurationInput | undefined
}

export interface RotatingRunService {
  /**
   * Runs an effect, such as the handling of one request, wholly in the run in which it begins, whenever it ends; that run stays
   * open for as long. What it forks to outlive it does not count.
   */
  readonly within: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Recording>>
}

const make = <E, R>({ created, run, every = "1 day" }: Options<E, R>) =>
  Effect.gen(function* () {
    const context = yield* Effect.context<LlmClient | R>()
    const open = (period: Period) =>
      RecordedRun.layer(created).pipe(Layer.provideMerge(run(period)), Layer.provide(Layer.succeedContext(context)))
    const rotation = yield* Rotation.make(open, every, yield* Unrecorded.context)

    const within: RotatingRunService["within"] = (effect) =>
      Rotation.within(rotation, (recording) => Effect.provide(effect, recording))
    const generate: LlmSpan["Type"]["generate"] = (request, options) =>
      Rotation.within(rotation, (recording) => Context.get(recording, LlmSpan).generate(request, options))
    const stream: LlmSpan["Type"]["stream"] = (request, options) =>
      Rotation.streamWithin(rotation, (recording) => Context.get(recording, LlmSpan).stream(request, options))
    const recordCall: CallSpan["Type"]["record"] = (call, options) =>
      Rotation.within(rotation, (recording) => Context.get(recording, CallSpan).record(call, options))
    const record: Recorder["Type"]["record"] = (body, span, eventId) =>
      Rotation.within(rotation, (recording) => Context.get(recording, Recorder).record(body, span, eventId))

    return Context.make(RotatingRun, RotatingRun.of({ within })).pipe(
      Context.add(LlmSpan, LlmSpan.of({ generate, stream })),
      Context.add(CallSpan, CallSpan.of({ record: recordCall })),
      Context.add(Recorder, Recorder.of({ record })),
    )
  })

/** Records a long-lived program in a run a day, or another period. */
export class RotatingRun extends Context.Tag("runledger/telemetry/RotatingRun")<RotatingRun, RotatingRunService>() {
  /**
   * `LlmSpan`, `CallSpan` and `Recorder` as `RecordedRun` gives them, over a run that is opened by the first call of each period: a period
   * without a call makes no run. What is in flight when a period ends, ends in the run in which it began; that run is closed in
   * the background after its last call, with `RUN_COMPLETED` and a last delivery, and never holds up a call of the next. The run
   * of an idle program is closed a minute after its period. A run that cannot be opened, or not within a second, is a log
   * warning: calls go on in the run before, or unrecorded where there is none, and a failed one is tried again after a minute.
   * Closing the layer closes what is open; being told to stop counts as `RUN_COMPLETED`, a failure as `RUN_FAILED`.
   */
  static layer<E, R>(
    options: Options<E, R>,
  ): Layer.Layer<RotatingRun | LlmSpan | CallSpan | Recorder, never, LlmClient | R> {
    return Layer.scopedContext(make(options))
  }
}
