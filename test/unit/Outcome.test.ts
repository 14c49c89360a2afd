import { expect, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import * as RunSpan from "../../src/telemetry/RunSpan.js"
import * as WorkerSpan from "../../src/telemetry/WorkerSpan.js"
import { events } from "../support/RecordedProgram.js"

class Unreadable extends Data.TaggedError("Unreadable") {
  override get message(): string {
    throw new Error("there is no message")
  }
}

const recorder = Recorder.layer.pipe(
  Layer.provideMerge(Layer.merge(EventLogMemory.layer, IdGeneratorLive.layer)),
  Layer.provideMerge(CurrentRunDetached.layer({ runId: "run-001" })),
)

it.effect("an error whose message throws is recorded as the end, and passed on as it was", () =>
  Effect.gen(function* () {
    const error = new Unreadable()
    const worker = WorkerSpan.around({ worker: "W1.RepoScout", agentName: "launch.workers.RepoScout" }, error)
    const exit = yield* Effect.exit(RunSpan.around({ agent_name: "launch.orchestrator", job_type: "launch" }, worker))
    expect(Exit.isFailure(exit) && exit.cause._tag).toBe("Fail")
    expect(yield* events).toMatchObject([
      { type: "RUN_CREATED" },
      { type: "WORK_ITEM_STARTED" },
      { type: "WORK_ITEM_FINISHED", payload: { success: false, error: "Unreadable" } },
      { type: "RUN_FAILED", payload: { error_class: "Unreadable" } },
    ])
  }).pipe(Effect.provide(recorder)),
)
