import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { LlmClient, type LlmClientService, streamOf } from "../../services/LlmClient.js"
import type { LlmRequest, LlmResponse } from "../../src/domain/Llm.js"
import * as Usage from "../../src/domain/Usage.js"

/** The request of the n-th call of a series. */
export const request = (n: number): LlmRequest => ({
  model: "claude-sonnet-4-5",
  messages: [{ role: "user", content: `What is entry ${n} of the ledger?` }],
  temperature: 0,
  maxTokens: 4096,
})

const usage = Usage.fromMessagesApi({ input_tokens: 1500, output_tokens: 300 })

const answer = ({ messages }: LlmRequest): LlmResponse => ({
  content: [{ type: "text", text: `An answer to ${JSON.stringify(messages)}` }],
  usage,
  finishReason: "stop",
  stopReason: "end_turn",
  model: "claude-sonnet-4-5-20250929",
  requestId: null,
  attempts: [],
  source: "provider",
})

/** A model that answers at once and takes no time of its own, so that only the recording is measured; `during` happens in each call. */
export const layer = (during: Effect.Effect<void> = Effect.void): Layer.Layer<LlmClient> =>
  Layer.sync(LlmClient, () => {
    const generate: LlmClientService["generate"] = (asked) => Effect.as(during, answer(asked))
    return { provider: "anthropic", baseUrl: "http://127.0.0.1:9", generate, stream: streamOf(generate) }
  })
