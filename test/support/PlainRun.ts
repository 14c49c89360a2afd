import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { CurrentRun } from "../../services/CurrentRun.js"

/** A run in a plain folder, without a lock, so that a test can open its log again and again. */
export const runIn = (directory: string, runId = "run-001"): Layer.Layer<CurrentRun> =>
  Layer.succeed(CurrentRun, {
    runId,
    parentRunId: Option.none(),
    directory: Option.some(directory),
    trace: Option.none(),
    resumed: false,
    uniqueCallId: Effect.succeed,
    nextAttempt: () => Effect.succeed(1),
  })

/** The log of such a run. */
export const logIn = (directory: string, durability: EventLogNdjson.Durability = "process") =>
  Layer.provide(EventLogNdjson.layer({ durability }), runIn(directory))
