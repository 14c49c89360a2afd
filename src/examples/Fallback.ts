import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as LlmClientFallback from "../../layers/LlmClientFallback.js"
import * as LlmClientOpenAiCompatible from "../../layers/LlmClientOpenAiCompatible.js"
import * as Runledger from "../../layers/Runledger.js"
import { Llm, LlmSpan, RecordedRun } from "../index.js"

/** One call, whoever answers it. The row's provider, model and price are those of who did. */
const program = Effect.gen(function* () {
  const llm = yield* LlmSpan
  const answer = yield* llm.generate({
    model: "claude-sonnet-4-5",
    messages: [{ role: "user", content: "Write a haiku about ledgers." }],
    temperature: 0,
    maxTokens: 200,
  })
  return Llm.text(answer)
})

/** Claude, tried twice; when it is away, limited or out of order, a model of OpenAI. */
const Client = LlmClientFallback.layer({
  primary: LlmClientAnthropic.layerConfig({ maxRetries: 1 }),
  alternates: [{ client: LlmClientOpenAiCompatible.layerConfig(), model: "gpt-4o-mini" }],
})

export const main = program.pipe(
  Effect.provide(RecordedRun.layer({ agent_name: "poet", job_type: "haiku" })),
  Effect.provide(Layer.merge(Runledger.layer({ name: "haiku" }), Client)),
)
