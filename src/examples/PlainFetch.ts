import * as Layer from "effect/Layer"
import * as Runledger from "../../layers/Runledger.js"
import { CallSpan, RecordedRun } from "../index.js"

const recording = RecordedRun.calls({ agent_name: "asker", job_type: "question" }).pipe(
  Layer.provide(Runledger.layer({ name: "question" })),
)

/** Asks over plain HTTP, without an SDK: the raw response tells its usage, model and end in a dialect that is known. */
export const main = (content: string, apiKey: string, baseUrl = "https://api.anthropic.com"): Promise<string> => {
  const calls = CallSpan.promises(recording)
  const request = { model: "claude-sonnet-4-5", max_tokens: 200, messages: [{ role: "user", content }] }
  const ask = async (signal: AbortSignal) => {
    const response = await fetch(`${baseUrl}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": apiKey, "anthropic-version": "2023-06-01", "content-type": "application/json" },
      body: JSON.stringify(request),
      signal,
    })
    if (!response.ok) throw new Error(`The API answered ${response.status}: ${await response.text()}`)
    return { headers: response.headers, body: JSON.parse(await response.text()) }
  }
  return calls.run(async () => {
    const { body } = await calls.record(ask, {
      provider: "anthropic",
      model: request.model,
      request,
      usage: (answer) => answer.body,
      finishReason: (answer) => answer.body.stop_reason,
      headers: (answer) => answer.headers,
      output: (answer) => answer.body.content,
    })
    return body.content.map((part: { readonly text?: string }) => part.text ?? "").join("")
  })
}
