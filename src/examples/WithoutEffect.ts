import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as Runledger from "../../layers/Runledger.js"
import { Llm, LlmSpan, RecordedRun } from "../index.js"

const recording = RecordedRun.layer({ agent_name: "asker", job_type: "question" }).pipe(
  Layer.provide([Runledger.layer({ name: "question" }), LlmClientAnthropic.layerConfig()]),
)

/** One recorded call in plain async code. The run ends as the callback does, and is delivered before this resolves or rejects. */
export const main = (question: string): Promise<string> =>
  RecordedRun.promise(recording, async (run) => {
    const answer = await run(
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
  })
