import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as Runledger from "../../layers/Runledger.js"
import { type Llm, LlmSpan, RecordedRun } from "../index.js"

const question: Llm.LlmRequest = {
  model: "claude-sonnet-4-5",
  messages: [{ role: "user", content: "Write a limerick. Then explain it. Then write a second one." }],
  temperature: 0,
  maxTokens: 400,
}

/** An answer as it comes, and another of which the first words are enough: both are recorded, and both are billed. */
export const main = Effect.gen(function* () {
  const llm = yield* LlmSpan
  const whole = yield* llm.stream(question, { callId: "whole" }).pipe(
    Stream.tap((chunk) => (chunk._tag === "Text" ? Console.log(chunk.text) : Effect.void)),
    Stream.filterMap((chunk) => (chunk._tag === "Finished" ? Option.some(chunk.response) : Option.none())),
    Stream.runHead,
  )
  const firstWords = yield* llm.stream(question, { callId: "first_words" }).pipe(
    Stream.filterMap((chunk) => (chunk._tag === "Text" ? Option.some(chunk.text) : Option.none())),
    Stream.take(1),
    Stream.mkString,
  )
  return { cost: Option.map(whole, (call) => call.cost), firstWords }
}).pipe(
  Effect.provide(RecordedRun.layer({ agent_name: "poet", job_type: "limericks" })),
  Effect.provide(Layer.merge(Runledger.layer({ name: "limericks" }), LlmClientAnthropic.layerConfig())),
)
