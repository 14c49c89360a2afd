import { argv, execArgv, execPath } from "node:process"
import * as Command from "@effect/platform/Command"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as Runledger from "../../layers/Runledger.js"
import { CurrentRun, LlmSpan, RecordedRun, Recorder, RunSpan } from "../index.js"

const [, file = "", topic, parentRunId = ""] = argv

/** A process of the pool. A run's log has one owner, so each records a run of its own, under that of the pool. */
const worker = (topic: string) =>
  Effect.flatMap(LlmSpan, (llm) => {
    const content = `Write a haiku about ${topic}.`
    const messages = [{ role: "user", content }] as const
    return llm.generate({ model: "claude-sonnet-4-5", messages, temperature: 0, maxTokens: 200 })
  }).pipe(
    Effect.provide(RecordedRun.layer({ agent_name: "poet", job_type: "worker" })),
    Effect.provide([Runledger.layer({ name: topic, parentRunId }), LlmClientAnthropic.layerConfig()]),
  )

/** Starts this file again for each topic, two at a time, and ends when they have ended. */
const pool = Effect.gen(function* () {
  const { runId } = yield* CurrentRun
  const start = (topic: string) => Command.make(execPath, ...execArgv, file, topic, runId)
  const run = (topic: string) => Command.exitCode(Command.stderr(start(topic), "inherit"))
  return yield* Effect.forEach(["ledgers", "lamps", "rivers"], run, { concurrency: 2 })
})

const Recorded = Recorder.layer.pipe(Layer.provideMerge(Runledger.layer({ name: "poems" })))
const recordedPool = RunSpan.around({ agent_name: "poets", job_type: "pool" }, pool, (codes) => ({
  items_failed: codes.filter((code) => code !== 0).length,
}))

if (topic === undefined) NodeRuntime.runMain(Effect.provide(recordedPool, Layer.merge(Recorded, NodeContext.layer)))
else NodeRuntime.runMain(worker(topic))
