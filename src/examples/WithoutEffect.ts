import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as Runledger from "../../layers/Runledger.js"
import { Llm, LlmSpan, RecordedRun } from "../index.js"

/** One recorded call in plain async code. `dispose` ends the run and delivers what is not delivered yet. */
export const main = async (question: string): Promise<string> => {
  const runtime = ManagedRuntime.make(
    RecordedRun.layer({ agent_name: "asker", job_type: "question" }).pipe(
      Layer.provide([Runledger.layer({ name: "question" }), LlmClientAnthropic.layerConfig()]),
    ),
  )
  try {
    const answer = await runtime.runPromise(
      Effect.flatMap(LlmSpan, (llm) =>
        llm.generate({
          model: "claude-sonnet-4-5",
          messages: [{ role: "user", content: question }],
          temperature: 0,
          maxTokens: 200,
        }),
      ),
    )
    return Llm.text(answer)
  } finally {
    await runtime.dispose()
  }
}
