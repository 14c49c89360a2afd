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
