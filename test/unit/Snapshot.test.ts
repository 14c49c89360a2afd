import { describe, expect, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import type { ChainedEvent, EventBody } from "../../src/domain/Event.js"
import * as Snapshot from "../../src/domain/Snapshot.js"

const zero = "0".repeat(64)
const event = (body: EventBody, position: number): ChainedEvent => ({
  event_id: `e${position}`,
  run_id: "run-001",
  ts: `2026-01-01T00:00:0${position % 10}.000Z`,
  trace_id: "a".repeat(32),
  span_id: "b".repeat(16),
  prev_hash: zero,
  event_hash: zero,
  ...body,
})

const usage = { input_tokens: 10, output_tokens: 5, total_tokens: 15 }
const item = { work_item_id: "run-001:W1.RepoScout:1", worker: "W1.RepoScout", attempt: 1 }
const ended = { call_id: "c", latency_ms: 1, token_usage: usage, finish_reason: "stop" as const, output_hash: zero }
const bodies: ReadonlyArray<EventBody> = [
  { type: "RUN_CREATED", payload: { agent_name: "launch.orchestrator", job_type: "launch" } },
  { type: "RUN_STATE_CHANGED", payload: { old_state: "CREATED", new_state: "CLONED_INPUTS" } },
  { type: "WORK_ITEM_QUEUED", payload: item },
  { type: "WORK_ITEM_STARTED", payload: item },
  { type: "ISSUE_OPENED", payload: { issue_id: "i1", kind: "k", message: "m" } },
  { type: "ISSUE_OPENED", payload: { issue_id: "i2", kind: "k", message: "m" } },
  { type: "ISSUE_RESOLVED", payload: { issue_id: "i1" } },
  { type: "LLM_CALL_FINISHED", payload: { ...ended, cost_nanousd: 7, cost_status: "priced" } },
  { type: "LLM_CALL_FINISHED", payload: { ...ended, cost_nanousd: 9, cost_status: "simulated" } },
  { type: "LLM_CALL_FINISHED", payload: { ...ended, cost_nanousd: null, cost_status: "unpriced" } },
  { type: "WORK_ITEM_FINISHED", payload: { ...item, success: true, error: null, status: "partial" } },
  { type: "RUN_COMPLETED", payload: { status: "partial" } },
]
const events = bodies.map(event)

describe("Snapshot", () => {
  it("tells how a run stands, and never adds simulated money to real money", () => {
    const snapshot = Snapshot.fold(events, Snapshot.empty("run-001"))
    expect(snapshot).toMatchObject({ state: "CLONED_INPUTS", status: "partial", events: 12, started_at: events[0]?.ts })
    expect(snapshot.work_items[item.work_item_id]).toEqual({
      ...{ worker: item.worker, attempt: 1 },
      status: "partial",
      error: null,
    })
    expect(Object.keys(snapshot.open_issues)).toEqual(["i2"])
    expect(snapshot.calls).toMatchObject({ finished: 3, cost_nanousd: 7, simulated_cost_nanousd: 9, unpriced: 1 })
    expect(Schema.is(Snapshot.Snapshot)(snapshot)).toBe(true)
  })

  it("is the same when the log is folded in stretches: it can always be made again", () => {
    const whole = Snapshot.fold(events, Snapshot.empty("run-001"))
    for (let cut = 0; cut <= events.length; cut += 1) {
      const first = Snapshot.fold(events.slice(0, cut), Snapshot.empty("run-001"))
      expect(Snapshot.fold(events.slice(cut), first)).toEqual(whole)
    }
  })
})
