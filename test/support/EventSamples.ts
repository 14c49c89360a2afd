import * as FastCheck from "effect/FastCheck"
import type { Event, EventBody } from "../../src/domain/Event.js"

const hex = (seed: number, length: number): string => seed.toString(16).padStart(length, "0").slice(-length)

/** The n-th of a series of well-formed events; without a body it is a FINISHED call of about 800 bytes. */
export const event = (n: number, body?: EventBody): Event => ({
  event_id: `0197f1d2-aaaa-7bbb-8ccc-${hex(n, 12)}`,
  run_id: "run-001",
  ts: new Date(1_760_000_000_000 + n).toISOString(),
  trace_id: hex(7, 32),
  span_id: hex(n + 1, 16),
  parent_span_id: hex(9, 16),
  ...(body ?? finished(n)),
})

/** A call's FINISHED event. */
export const finished = (n: number): EventBody => ({
  type: "LLM_CALL_FINISHED",
  payload: {
    call_id: `enrich_claims_batch_${n}`,
    latency_ms: 1234.5,
    token_usage: { input_tokens: 1500, output_tokens: 3000, total_tokens: 4500 },
    finish_reason: "stop",
    output_hash: hex(n, 64),
    api_cost_usd: 0.0495,
    cost_nanousd: 49_500_000,
    cost_status: "priced",
    usage_source: "provider",
  },
})

/** A run's opening event. */
export const created: EventBody = {
  type: "RUN_CREATED",
  payload: { agent_name: "launch.orchestrator", job_type: "launch", context_json: { note: "zwölf ünits ✓" } },
}

/** A run's closing event. */
export const completed: EventBody = { type: "RUN_COMPLETED", payload: { duration_ms: 12, status: "success" } }

/** Any event whose payload may hold any JSON. */
export const arbitrary: FastCheck.Arbitrary<Event> = FastCheck.record({
  n: FastCheck.nat(),
  id: FastCheck.string({ minLength: 1, maxLength: 40 }),
  withParent: FastCheck.boolean(),
  context: FastCheck.dictionary(FastCheck.string(), FastCheck.jsonValue()),
  kind: FastCheck.nat({ max: 2 }),
}).map(({ n, id, withParent, context, kind }) => {
  const body: EventBody =
    kind === 0
      ? { type: "RUN_CREATED", payload: { agent_name: "a", job_type: "b", context_json: context } }
      : kind === 1
        ? completed
        : finished(n)
  const { parent_span_id, ...root } = event(n, body)
  return { ...root, run_id: id, ...(withParent && parent_span_id !== undefined ? { parent_span_id } : {}) }
})

const TRACE = "0af7651916cd43dd8448eb211c80319c"

let serial = 0

/** An event of `run-001` in the given span, with an id of its own. */
export const inSpan = (body: EventBody, span = 1): Event => ({
  event_id: `event-${++serial}`,
  run_id: "run-001",
  ts: "2026-01-31T12:00:00.000Z",
  trace_id: TRACE,
  span_id: hex(span, 16),
  ...body,
})

/** Opens the run of {@link inSpan}. */
export const runCreated = (): Event =>
  inSpan({ type: "RUN_CREATED", payload: { agent_name: "launch.orchestrator", job_type: "launch", product: "widget" } })

/** The n-th call begins, in a span of its own. */
export const callStarted = (n: number): Event =>
  inSpan(
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

/** The n-th call ends. */
export const callFinished = (n: number): Event =>
  inSpan(
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
  inSpan({ type: "ISSUE_OPENED", payload: { issue_id: "i", kind: "test", message: "x".repeat(size) } })
