import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { CurrentRun } from "../services/CurrentRun.js"
import * as RunNames from "./RunNames.js"
import * as RunPlace from "./RunPlace.js"

export interface Options {
  readonly runId: string
  readonly parentRunId?: string | undefined
  /** Where a caller places the run in a trace. */
  readonly trace?: RunPlace.Place | undefined
}

/** A run without a folder: it lives as long as the program and leaves nothing on the disk. */
export const layer = (options: Options): Layer.Layer<CurrentRun> =>
  Layer.sync(CurrentRun, () => {
    const { uniqueCallId, nextAttempt } = RunNames.make()
    return CurrentRun.of({
      runId: options.runId,
      parentRunId: Option.fromNullable(options.parentRunId),
      directory: Option.none(),
      trace: RunPlace.resolve(options.runId, options.trace),
      resumed: false,
      uniqueCallId,
      nextAttempt,
    })
  })
