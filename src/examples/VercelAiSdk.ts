import { createAnthropic } from "@ai-sdk/anthropic"
import { generateText, streamText } from "ai"
import * as Layer from "effect/Layer"
import * as Runledger from "../../layers/Runledger.js"
import { CallSpan, RecordedRun } from "../index.js"

const recording = RecordedRun.calls({ agent_name: "asker", job_type: "question" }).pipe(
  Layer.provide(Runledger.layer({ name: "question" })),
)

/** Asks by the Vercel AI SDK, at once and as a stream. For this SDK, an `ANTHROPIC_BASE_URL` ends with `/v1`. */
export const main = (prompt: string): Promise<ReadonlyArray<string>> => {
  const calls = CallSpan.promises(recording)
  const asked = { model: "claude-sonnet-4-5", prompt, maxOutputTokens: 200 }
  const options = { ...asked, model: createAnthropic()(asked.model) }
  const call = { provider: "anthropic", model: asked.model, request: asked }
  return calls.run(async () => {
    const whole = await calls.record((abortSignal) => generateText({ ...options, abortSignal }), {
      ...call,
      finishReason: (result) => result.finishReason,
      headers: (result) => result.response.headers,
      output: (result) => result.text,
    })
    const streamed = await calls.record(
      async (abortSignal) => {
        const result = streamText({ ...options, abortSignal })
        let text = ""
        for await (const word of result.textStream) text += word
        return { text, usage: await result.totalUsage, headers: (await result.response).headers }
      },
      { ...call, stream: true, headers: (answer) => answer.headers, output: (answer) => answer.text },
    )
    return [whole.text, streamed.text]
  })
}
