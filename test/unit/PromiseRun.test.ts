import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorSequence from "../../layers/IdGeneratorSequence.js"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import { EventLog, type EventLogService } from "../../services/EventLog.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import * as CallSpan from "../../src/telemetry/CallSpan.js"
import * as RecordedRun from "../../src/telemetry/RecordedRun.js"

const recordingIn = (log: EventLogService) =>
  RecordedRun.calls({ agent_name: "asker", job_type: "question" }).pipe(
    Layer.provide([
      Layer.succeed(EventLog, log),
      IdGeneratorSequence.layer,
      Layer.orDie(PriceBookTable.layer({})).pipe(Layer.provide(FileSystem.layerNoop({}))),
      CurrentRunDetached.layer({ runId: "run-001" }),
    ]),
  )

const asked = { provider: "openai", model: "gpt-4o-mini" }
const crash = new Error("the program crashed")
const failing = () => Promise.reject<string>(crash)
const answering = async () => "Yes."

/** The run's own events after a program in promises. */
const recorded = (program: (recording: ReturnType<typeof recordingIn>) => Promise<void>) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    yield* Effect.promise(() => program(recordingIn(log)))
    const { events } = yield* log.read({ offset: 0, lines: 0, hash: GENESIS_HASH }, 1_000_000)
    return events.filter(({ type }) => type.startsWith("RUN_"))
  }).pipe(Effect.provide(Layer.fresh(EventLogMemory.layer)), Effect.orDie)

const created = { type: "RUN_CREATED" }
const completed = { type: "RUN_COMPLETED" }
const failed = { type: "RUN_FAILED", payload: { error_class: "Error", error_summary: crash.message } }

describe("a run of a program in promises", () => {
  it.live("counts as a success though its program crashed, or swallows the crash", () =>
    Effect.gen(function* () {
      const byCall = yield* recorded((recording) => {
        const calls = CallSpan.promises(recording)
        return expect(calls.run(() => calls.record(failing, asked))).rejects.toBe(crash)
      })
      expect(byCall).toMatchObject([created, failed])
      const beforeAnyCall = yield* recorded((recording) =>
        expect(CallSpan.promises(recording).run(failing)).rejects.toBe(crash),
      )
      expect(beforeAnyCall).toMatchObject([created, failed])
      const byHand = yield* recorded(async (recording) => {
        const calls = CallSpan.promises(recording)
        await expect(calls.record(failing, asked)).rejects.toBe(crash)
        await calls.close(crash)
      })
      expect(byHand).toMatchObject([created, failed])
    }),
  )

  it.live("counts as a failure though its program came to its end, or ends twice", () =>
    Effect.gen(function* () {
      const survived = yield* recorded(async (recording) => {
        const calls = CallSpan.promises(recording)
        const said = await calls.run(async () => {
          await calls.record(failing, asked).catch(() => undefined)
          return calls.record(answering, asked)
        })
        expect(said).toBe("Yes.")
        await calls.close(crash)
        await expect(calls.record(answering, asked)).rejects.toThrow("has ended already")
      })
      expect(survived).toMatchObject([created, completed])
    }),
  )

  it.live(
    "an effect's failure in plain async code is lost to the run, or a layer's is no error that says what to do",
    () =>
      Effect.gen(function* () {
        const ran = yield* recorded((recording) =>
          expect(RecordedRun.promise(recording, (run) => run(Effect.fail(crash)))).rejects.toBe(crash),
        )
        expect(ran).toMatchObject([created, failed])
        const unbuilt = RecordedRun.promise(Layer.fail({ message: "SET_ME is not set" }), failing)
        yield* Effect.promise(() => expect(unbuilt).rejects.toThrow("SET_ME is not set"))
      }),
  )
})
