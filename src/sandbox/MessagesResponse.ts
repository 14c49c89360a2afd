import type { Answer, AnswerBlock } from "./Answer.js"
import * as Slices from "./Slices.js"

const usageOf = (answer: Answer, outputTokens: number) => ({
  cache_creation: { ephemeral_1h_input_tokens: 0, ephemeral_5m_input_tokens: 0 },
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  inference_geo: null,
  input_tokens: answer.inputTokens,
  output_tokens: outputTokens,
  output_tokens_details: null,
  server_tool_use: null,
  service_tier: "standard",
  speed: null,
})

/** An answer as the API's `message`. */
export const message = (id: string, model: string, answer: Answer) => ({
  id,
  type: "message",
  role: "assistant",
  model,
  content: answer.content,
  stop_reason: answer.stopReason,
  stop_sequence: null,
  usage: usageOf(answer, answer.outputTokens),
})

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  504: "timeout_error",
  529: "overloaded_error",
}

/** The API's error body of a status. */
export const error = (status: number, words: string, requestId: string) => ({
  type: "error",
  error: { type: ERROR_TYPES[status] ?? (status >= 500 ? "api_error" : "invalid_request_error"), message: words },
  request_id: requestId,
})

const event = (type: string, data: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`

/** The API's error within a stream: it is overloaded. */
export const errorEvent = (words: string, requestId: string): string =>
  event("error", { ...error(529, words, requestId) })

const blockEvents = (block: AnswerBlock, index: number): ReadonlyArray<string> => {
  const start = block.type === "text" ? { type: "text", text: "" } : { ...block, input: {} }
  const deltas =
    block.type === "text"
      ? Slices.of(block.text).map((text) => ({ type: "text_delta", text }))
      : Slices.of(JSON.stringify(block.input)).map((partial) => ({ type: "input_json_delta", partial_json: partial }))
  return [
    event("content_block_start", { index, content_block: start }),
    ...deltas.map((delta) => event("content_block_delta", { index, delta })),
    event("content_block_stop", { index }),
  ]
}

/** An answer as the API's stream: the events in their order, each as it goes over the wire. */
export const events = (id: string, model: string, answer: Answer): ReadonlyArray<string> => [
  event("message_start", {
    message: { ...message(id, model, answer), content: [], stop_reason: null, usage: usageOf(answer, 1) },
  }),
  event("ping", {}),
  ...answer.content.flatMap(blockEvents),
  event("message_delta", {
    delta: { stop_reason: answer.stopReason, stop_sequence: null },
    usage: usageOf(answer, answer.outputTokens),
  }),
  event("message_stop", {}),
]
