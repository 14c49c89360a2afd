import type { FinishReason } from "./Llm.js"

const ENDS: Readonly<Record<string, FinishReason>> = {
  length: "length",
  max_tokens: "length",
  max_output_tokens: "length",
  model_length: "length",
  model_context_window_exceeded: "length",
  tool_calls: "tool_calls",
  tool_use: "tool_calls",
  function_call: "tool_calls",
  content_filter: "error",
  guardrail_intervened: "error",
  safety: "error",
  refusal: "error",
  error: "error",
}

/**
 * Why an answer ended, by the word of any provider or SDK (`max_tokens`, `MAX_TOKENS`, `tool-calls`, `end_turn` …). A word
 * that is not known, or none, is an end like any other.
 */
export const finishReason = (word: string | null): FinishReason => {
  const plain = (word ?? "").toLowerCase().replaceAll("-", "_")
  return Object.hasOwn(ENDS, plain) ? (ENDS[plain] ?? "stop") : "stop"
}
