import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { EventLog } from "../../services/EventLog.js"
import type { Event, EventBody } from "../../src/domain/Event.js"

export const MODEL = "claude-sonnet-4-5"

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")
export const traceOf = (day: number): string => hex(day, 32)

const finished = (callId: string, cost: "priced" | "simulated" | "unpriced" | "replayed"): EventBody => ({
  type: "LLM_CALL_FINISHED",
  payload: {
    call_id: callId,
    latency_ms: 1500,
    token_usage: { input_tokens: 1500, output_tokens: 3000, total_tokens: 4500 },
    finish_reason: "stop",
    output_hash: "0".repeat(64),
    cost_status: cost,
    cost_nanousd: cost === "unpriced" ? null : cost === "replayed" ? 0 : 49_500_000,
    attempts: [
      {
        n: 1,
        started_at: "2026-01-01T00:00:00.000Z",
        duration_ms: 1,
        http_status: 429,
        error_class: "RateLimited",
        retry_after_ms: 1,
      },
      {
        n: 2,
        started_at: "2026-01-01T00:00:01.000Z",
        duration_ms: 1,
        http_status: 200,
        error_class: null,
        retry_after_ms: null,
      },
    ],
  },
})

const started = (callId: string): EventBody => ({
  type: "LLM_CALL_STARTED",
  payload: {
    call_id: callId,
    model: MODEL,
    provider_base_url: "http://llm.test",
    prompt_hash: null,
    temperature: 0,
    max_tokens: 100,
    worker: "W2.FactsBuilder",
  },
})

const failed = (callId: string): EventBody => ({
  type: "LLM_CALL_FAILED",
  payload: {
    call_id: callId,
    latency_ms: 10,
    error_class: "RateLimited",
    error_summary: "too many requests",
    retryable: true,
  },
})

const item = { work_item_id: "", worker: "W2.FactsBuilder", attempt: 1 }

/** A launch with one worker and four calls: priced, simulated, unpriced, failed; `day` of January sets ids and times apart. */
export const events = (runId: string, day: number): ReadonlyArray<Event> => {
  const work = { ...item, work_item_id: `${runId}:W2.FactsBuilder:1` }
  const bodies: ReadonlyArray<readonly [EventBody, number, number?]> = [
    [
      {
        type: "RUN_CREATED",
        payload: {
          agent_name: "launch.orchestrator",
          job_type: "launch",
          product: `product-${day}`,
          git_repo: "https://github.com/acme/widget",
          git_commit_hash: "a".repeat(40),
        },
      },
      1,
    ],
    [{ type: "WORK_ITEM_STARTED", payload: { ...work, agent_name: "launch.workers.FactsBuilder" } }, 2, 1],
    [started("priced"), 3, 2],
    [finished("priced", "priced"), 3, 2],
    [started("simulated"), 4, 2],
    [finished("simulated", "simulated"), 4, 2],
    [started("unpriced"), 5, 2],
    [finished("unpriced", "unpriced"), 5, 2],
    [started("failed"), 6, 2],
    [failed("failed"), 6, 2],
    [{ type: "WORK_ITEM_FINISHED", payload: { ...work, success: true, error: null, duration_ms: 2000 } }, 2, 1],
    [{ type: "RUN_COMPLETED", payload: { status: "success", duration_ms: 2500 } }, 1],
  ]
  return bodies.map(([body, span, parent], index) => ({
    event_id: `${runId}-event-${index}`,
    run_id: runId,
    ts: `2026-01-${String(day).padStart(2, "0")}T12:00:${String(index).padStart(2, "0")}.000Z`,
    trace_id: traceOf(day),
    span_id: hex(day * 100 + span, 16),
    ...(parent === undefined ? {} : { parent_span_id: hex(day * 100 + parent, 16) }),
    ...body,
  }))
}

/** Writes events into a run folder of their own, as the process that owns the run would. */
export const write = (runsDir: string, runId: string, all: ReadonlyArray<Event>) =>
  Effect.gen(function* () {
    const log = yield* EventLog
    yield* Effect.forEach(all, log.append, { discard: true })
  }).pipe(
    Effect.provide(
      EventLogNdjson.layer({ durability: "process" }).pipe(
        Layer.provide(CurrentRunFolder.layer({ runsDir, runId, resume: false, config: {} })),
      ),
    ),
  )
