import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmClientOpenAiCompatible from "../../layers/LlmClientOpenAiCompatible.js"
import * as Runledger from "../../layers/Runledger.js"
import { Llm, LlmSpan, RecordedRun } from "../index.js"

/** One recorded call of OpenAI, or of whatever answers like it at `OPENAI_BASE_URL`, such as http://localhost:11434/v1. */
const program = Effect.gen(function* () {
  const llm = yield* LlmSpan
  const answer = yield* llm.generate({
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "Write a haiku about ledgers." }],
    temperature: 0,
    maxTokens: 200,
  })
  return Llm.text(answer)
})

export const main = program.pipe(
  Effect.provide(RecordedRun.layer({ agent_name: "poet", job_type: "haiku" })),
  Effect.provide(Layer.merge(Runledger.layer({ name: "haiku" }), LlmClientOpenAiCompatible.layerConfig())),
)
