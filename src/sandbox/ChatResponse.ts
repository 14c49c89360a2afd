import type { Answer, AnswerBlock } from "./Answer.js"
import * as Slices from "./Slices.js"

/** The same answer at the same time each time: the sandbox has no clock. */
const CREATED = 0

const FINISH = { end_turn: "stop", max_tokens: "length", tool_use: "tool_calls" } as const

const usageOf = ({ inputTokens, outputTokens }: Answer) => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
  prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
  completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
})

const textOf = (answer: Answer): string =>
  answer.content.map((block) => (block.type === "text" ? block.text : "")).join("")

type ToolUse = Extract<AnswerBlock, { readonly type: "tool_use" }>

const callsOf = (answer: Answer): ReadonlyArray<ToolUse> => answer.content.filter((block) => block.type === "tool_use")

const called = ({ id, input, name }: ToolUse) => ({
  id: id.replace(/^toolu_/, "call_"),
  type: "function",
  function: { name, arguments: JSON.stringify(input) },
})

/** An answer as the API's `chat.completion`. */
export const completion = (id: string, model: string, answer: Answer) => {
  const calls = callsOf(answer)
  const message = { role: "assistant", content: textOf(answer) || null, refusal: null }
  return {
    id,
    object: "chat.completion",
    created: CREATED,
    model,
    choices: [
      {
        index: 0,
        message: calls.length === 0 ? message : { ...message, tool_calls: calls.map(called) },
        logprobs: null,
        finish_reason: FINISH[answer.stopReason],
      },
    ],
    usage: usageOf(answer),
    service_tier: "default",
    system_fingerprint: null,
  }
}

const callDeltas = (call: ToolUse, index: number): ReadonlyArray<object> => {
  const { function: whole, id, type } = called(call)
  return [
    { tool_calls: [{ index, id, type, function: { name: whole.name, arguments: "" } }] },
    ...Slices.of(whole.arguments).map((part) => ({ tool_calls: [{ index, function: { arguments: part } }] })),
  ]
}

const line = (data: object): string => `data: ${JSON.stringify(data)}\n\n`

/** An answer as the API's stream: the chunks in their order, each as it goes over the wire. */
export const chunks = (id: string, model: string, answer: Answer, tellsUsage: boolean): ReadonlyArray<string> => {
  const common = { id, object: "chat.completion.chunk", created: CREATED, model }
  const untold = tellsUsage ? { usage: null } : {}
  const chunk = (delta: object, finish: string | null) =>
    line({ ...common, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }], ...untold })
  const deltas = [...Slices.of(textOf(answer)).map((content) => ({ content })), ...callsOf(answer).flatMap(callDeltas)]
  return [
    chunk({ role: "assistant", content: "", refusal: null }, null),
    ...deltas.map((delta) => chunk(delta, null)),
    chunk({}, FINISH[answer.stopReason]),
    ...(tellsUsage ? [line({ ...common, choices: [], usage: usageOf(answer) })] : []),
    "data: [DONE]\n\n",
  ]
}

const KINDS: Readonly<Record<number, readonly [type: string, code: string | null]>> = {
  401: ["invalid_request_error", "invalid_api_key"],
  404: ["invalid_request_error", "model_not_found"],
  429: ["requests", "rate_limit_exceeded"],
}

/** The API's error body of a status. */
export const error = (status: number, words: string) => {
  const [type, code] = KINDS[status] ?? [status >= 500 ? "server_error" : "invalid_request_error", null]
  return { error: { message: words, type, param: null, code } }
}
