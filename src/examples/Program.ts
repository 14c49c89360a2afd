import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as Runledger from "../../layers/Runledger.js"
import { Llm, LlmSpan, RecordedRun } from "../index.js"

/** Your program: it asks twice, and every call is recorded with its tokens, cost and latency. */
const program = Effect.gen(function* () {
  const llm = yield* LlmSpan
  const ask = (callId: string, content: string) =>
    llm.generate(
      { model: "claude-sonnet-4-5", messages: [{ role: "user", content }], temperature: 0, maxTokens: 200 },
      { callId },
    )
  const answers = yield* Effect.all([ask("haiku", "Write a haiku."), ask("limerick", "Write a limerick.")], {
    concurrency: 2,
  })
  return answers.map(Llm.text)
}).pipe(Effect.withSpan("poems"))

export const main = program.pipe(
  Effect.provide(RecordedRun.layer({ agent_name: "poet", job_type: "poems" })),
  Effect.provide(Layer.merge(Runledger.layer({ name: "poems" }), LlmClientAnthropic.layerConfig())),
)
