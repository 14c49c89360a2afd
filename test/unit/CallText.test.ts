import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as CallText from "../../src/domain/CallText.js"
import * as CanonicalJson from "../../src/domain/CanonicalJson.js"
import type { Event } from "../../src/domain/Event.js"
import * as EventSamples from "../support/EventSamples.js"

const anyText = FastCheck.string({ unit: "binary" })
const count = FastCheck.nat()
const orNull = <A>(of: FastCheck.Arbitrary<A>) => FastCheck.option(of, { nil: null })

const usage = FastCheck.record(
  {
    cache_read_tokens: count,
    cache_write_1h_tokens: count,
    cache_write_5m_tokens: count,
    input_tokens: count,
    output_tokens: count,
    reasoning_tokens: count,
    total_tokens: count,
    audio_input_tokens: count,
    image_output_tokens: count,
    server_tool_requests: FastCheck.dictionary(anyText, count),
    service_tier: anyText,
    inference_geo: anyText,
  },
  { requiredKeys: ["input_tokens", "output_tokens", "total_tokens"] },
)

const breakdown = FastCheck.record(
  {
    uncached_input: count,
    cache_read: count,
    cache_write_5m: count,
    cache_write_1h: count,
    output: count,
    audio_input: count,
    server_tools: count,
  },
  { requiredKeys: ["uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output"] },
)

const attempt = FastCheck.record({
  n: count,
  started_at: anyText,
  duration_ms: FastCheck.double(),
  http_status: orNull(count),
  error_class: orNull(anyText),
  retry_after_ms: orNull(count),
})

const finished = FastCheck.record(
  {
    usage_source: FastCheck.constantFrom("provider", "none"),
    call_id: anyText,
    latency_ms: FastCheck.double(),
    token_usage: usage,
    finish_reason: FastCheck.constantFrom("stop", "length"),
    output_hash: anyText,
    api_cost_usd: orNull(FastCheck.double()),
    cost_nanousd: orNull(count),
    cost_status: FastCheck.constantFrom("priced", "unpriced"),
    cost_breakdown: orNull(breakdown),
    price_id: orNull(anyText),
    price_effective_from: orNull(anyText),
    tool_calls_count: count,
    stop_reason: orNull(anyText),
    attempts: FastCheck.array(attempt, { maxLength: 2 }),
    request_id: orNull(anyText),
    response_model: orNull(anyText),
    provider: anyText,
    time_to_first_token_ms: count,
    unpriced_reason: anyText,
  },
  {
    requiredKeys: ["call_id", "latency_ms", "token_usage", "finish_reason", "output_hash", "attempts", "usage_source"],
  },
)

const started = FastCheck.record(
  {
    worker: anyText,
    temperature: orNull(FastCheck.double()),
    provider_base_url: orNull(anyText),
    provider: anyText,
    prompt_hash: orNull(anyText),
    model: anyText,
    max_tokens: orNull(count),
    evidence_path: orNull(anyText),
    call_id: anyText,
    agent_name: anyText,
    stream: FastCheck.boolean(),
  },
  { requiredKeys: ["call_id", "model", "prompt_hash", "provider_base_url", "temperature", "max_tokens"] },
)

const holds = (event: Event): void => {
  expect(CallText.payloadText(event)).toBe(CanonicalJson.stringify(event.payload))
}

describe("CallText", () => {
  it("the text of a FINISHED call is the canonical JSON of its payload, whatever members it has", () => {
    FastCheck.assert(
      FastCheck.property(finished, (payload) =>
        holds({ ...EventSamples.event(1), type: "LLM_CALL_FINISHED", payload } as Event),
      ),
      { numRuns: 500 },
    )
  })

  it("the text of a STARTED call is the canonical JSON of its payload, whatever members it has", () => {
    FastCheck.assert(
      FastCheck.property(started, (payload) =>
        holds({ ...EventSamples.event(1), type: "LLM_CALL_STARTED", payload } as Event),
      ),
      { numRuns: 500 },
    )
  })

  it("members that nobody foresaw, undefined ones and wrong kinds go the general way", () => {
    const { payload } = EventSamples.finished(1)
    for (const odd of [{ extra: 1 }, { worker: undefined, zebra: "z" }, { token_usage: null }, { call_id: 5 }])
      holds({
        ...EventSamples.event(1),
        type: "LLM_CALL_FINISHED",
        payload: { ...payload, ...odd },
      } as unknown as Event)
  })
})
