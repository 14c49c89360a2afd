import * as CanonicalJson from "../../src/domain/CanonicalJson.js"
import type { Evidence } from "../../src/domain/Evidence.js"

/** The prompt hash of a named prompt. */
export const promptHash = (prompt: string): string => CanonicalJson.hash(prompt)

interface Varied {
  readonly prompt?: string
  readonly timestamp?: string
  readonly asked?: string
  readonly answered?: string
}

const base = (callId: string, varied: Varied) => ({
  call_id: callId,
  run_id: "run-001",
  trace_id: "0af7651916cd43dd8448eb211c80319c",
  span_id: "b7ad6b7169203331",
  event_id: "0197f1d2-aaaa-7bbb-8ccc-0123456789ab",
  prompt_hash: promptHash(varied.prompt ?? callId),
  model: "claude-sonnet-4-5",
  provider: "sandbox",
  temperature: 0,
  latency_ms: 12.5,
  timestamp: varied.timestamp ?? "2026-01-31T12:00:00.000Z",
  capture: "redacted" as const,
  redactions: [],
  request: {
    model: "claude-sonnet-4-5",
    messages: [{ role: "user" as const, content: varied.asked ?? "What is it?" }] as const,
    temperature: 0,
    maxTokens: 100,
  },
})

/** Evidence of a call that was answered. Its prompt is named by its call id unless said otherwise. */
export const success = (callId: string, varied: Varied = {}): Evidence => ({
  ...base(callId, varied),
  status: "success",
  finish_reason: "stop",
  response: {
    content: [{ type: "text", text: varied.answered ?? "It is that." }],
    usage: {
      uncachedInput: 1,
      cacheRead: 0,
      cacheWrite5m: 0,
      cacheWrite1h: 0,
      output: 2,
      reasoning: 0,
      source: "provider",
    },
    finishReason: "stop",
    stopReason: "end_turn",
    model: "claude-sonnet-4-5",
    requestId: null,
    attempts: [],
    source: "sandbox",
  },
})

/** Evidence of a call that failed. */
export const failed = (callId: string, message: string): Evidence => ({
  ...base(callId, {}),
  status: "failure",
  finish_reason: "error",
  error: { error_class: "Authentication", reason: "Authentication", message, status: 401, retryable: false },
})
