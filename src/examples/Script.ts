import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as Runledger from "../../layers/Runledger.js"
import { Llm, LlmSpan, RecordedRun } from "../index.js"

/** A script of one call. The run is opened before it and closed after it, however the script ends. */
const script = Effect.gen(function* () {
  const llm = yield* LlmSpan
  const answer = yield* llm.generate({
    model: "claude-sonnet-4-5",
    messages: [{ role: "user", content: "Write a haiku about ledgers." }],
    temperature: 0,
    maxTokens: 200,
  })
  yield* Console.log(Llm.text(answer))
})

const Recorded = RecordedRun.layer({ agent_name: "poet", job_type: "haiku" }).pipe(
  Layer.provide([Runledger.layer({ name: "haiku" }), LlmClientAnthropic.layerConfig()]),
)

NodeRuntime.runMain(Effect.provide(script, Recorded))
