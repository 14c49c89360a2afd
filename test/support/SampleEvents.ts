import type { Event, EventBody } from "../../src/domain/Event.js"

const TRACE = "0af7651916cd43dd8448eb211c80319c"
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

let serial = 0

/** An event of `run-001` in the given span, with an id of its own. */
export const event = (body: EventBody, span = 1): Event => ({
  event_id: `event-${++serial}`,
  run_id: "run-001",
  ts: "2026-01-31T12:00:00.000Z",
  trace_id: TRACE,
  span_id: hex(span, 16),
  ...body,
})

export const runCreated = (): Event =>
  event({ type: "RUN_CREATED", payload: { agent_name: "launch.orchestrator", job_type: "launch", product: "widget" } })

export const callStarted = (n: number): Event =>
  event(
    {
      type: "LLM_CALL_STARTED",
      payload: {
        call_id: `call_${n}`,
        model: "claude-sonnet-4-5",
        provider_base_url: null,
        prompt_hash: null,
        temperature: 0,
        max_tokens: 100,
      },
    },
    1000 + n,
  )

export const callFinished = (n: number): Event =>
  event(
    {
      type: "LLM_CALL_FINISHED",
      payload: {
        call_id: `call_${n}`,
        latency_ms: 1,
        token_usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
        finish_reason: "stop",
        output_hash: "0".repeat(64),
      },
    },
    1000 + n,
  )

/** One that makes no row; `size` characters long. */
export const issue = (size: number): Event =>
  event({ type: "ISSUE_OPENED", payload: { issue_id: "i", kind: "test", message: "x".repeat(size) } })
