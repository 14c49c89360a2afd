import { describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { Event } from "../../src/domain/Event.js"
import { Operation, type OperationWire } from "../../src/domain/Operation.js"
import * as Project from "../../src/domain/Project.js"
import * as RunFold from "../../src/domain/RunFold.js"
import * as Sample from "../support/EventSamples.js"

/** What a store that knows the rules makes of operations: creates once, updates what exists. */
const applied = (operations: ReadonlyArray<OperationWire>): ReadonlyMap<string, unknown> => {
  const rows = new Map<string, object>()
  const events = new Map<string, unknown>()
  for (const operation of operations) {
    const { event_id, op } = operation
    if (op === "event") events.set(event_id, operation)
    else if (op === "create") rows.set(event_id, rows.get(event_id) ?? operation)
    else rows.set(event_id, { ...rows.get(event_id), ...operation })
  }
  return new Map<string, unknown>([...rows, ...Array.from(events, ([id, event]) => [`event ${id}`, event] as const)])
}

const distinct = (events: ReadonlyArray<Event>): ReadonlyArray<Event> =>
  events.map((event, index) => ({ ...event, event_id: `${index}`, run_id: "run-001" }))

describe("Project", () => {
  it("a call's row is opened by STARTED and closed by FINISHED under the same event id", () => {
    const started = Sample.callStarted(1)
    const operations = Project.project([Sample.runCreated(), started, Sample.callFinished(1)])
    expect(operations.map(({ op }) => op)).toEqual(["event", "create", "event", "create", "event", "update"])
    expect(operations[5]).toMatchObject({
      event_id: started.event_id,
      status: "success",
      metrics_json: {
        input_tokens: 1,
        prompt_tokens: 1,
        completion_tokens: 2,
        cost_status: "unpriced",
        api_cost_usd: null,
      },
      context_json: { call_id: "call_1", model: "claude-sonnet-4-5" },
    })
    expect(operations[3]).toMatchObject({ run_id: "run-001-llm-call_1", parent_run_id: "run-001", product: "widget" })
  })

  it("an ending without its beginning is kept as an event and makes no row", () => {
    expect(Project.project([Sample.callFinished(1)]).map(({ op }) => op)).toEqual(["event"])
  })

  it("an ending by ProcessDied is a failure that yields to the ending that the client reports after it", () => {
    const call = Sample.callStarted(3)
    const item = { work_item_id: "run-001:W1:1", worker: "W1", attempt: 1 }
    const lost = { call_id: "call_3", latency_ms: 5, error_summary: "the process died", retryable: false }
    const events: ReadonlyArray<Event> = [
      Sample.runCreated(),
      Sample.inSpan({ type: "WORK_ITEM_STARTED", payload: item }, 2),
      call,
      { ...call, event_id: "x1", type: "LLM_CALL_FAILED", payload: { ...lost, error_class: "ProcessDied" } },
      Sample.inSpan(
        {
          type: "WORK_ITEM_FINISHED",
          payload: { ...item, success: false, error: "the process died", error_class: "ProcessDied" },
        },
        2,
      ),
      Sample.inSpan({ type: "RUN_FAILED", payload: { error_class: "ProcessDied", error_summary: "the process died" } }),
      Sample.callFinished(3),
    ]
    const updates = Project.project(events).filter(({ op }) => op === "update")
    const ended = { op: "update", status: "failure", inferred: true }
    expect(updates).toMatchObject([ended, ended, ended, { event_id: call.event_id, status: "success" }])
    expect(updates[3]).not.toHaveProperty("inferred")
    for (const update of updates) expect(update).not.toHaveProperty("error_class")
    const rows = RunFold.fold(Project.project(events))
    expect(rows.map(({ job_type, status }) => [job_type, status])).toEqual([
      ["launch", "failure"],
      ["worker", "failure"],
      ["llm_call", "success"],
    ])
  })

  it("who answered, told at the end, replaces who was asked", () => {
    const finished = Sample.callFinished(2)
    if (finished.type !== "LLM_CALL_FINISHED") throw new Error("not a finished call")
    const told = { ...finished, payload: { ...finished.payload, provider: "sandbox" } }
    expect(Project.project([Sample.callStarted(2), told]).at(-1)).toMatchObject({
      context_json: { provider: "sandbox" },
    })
  })

  it("a log projected twice makes the same rows as once", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(Arbitrary.make(Event), { maxLength: 12 }), (some) => {
        const events = distinct(some)
        const once = Project.project(events)
        expect(Project.project(events)).toEqual(once)
        expect(applied([...once, ...Project.project(events)])).toEqual(applied(once))
      }),
      { numRuns: 100 },
    )
  })

  it("every operation of every event is one that the server takes", () => {
    const accepts = Schema.is(Schema.encodedSchema(Operation))
    FastCheck.assert(
      FastCheck.property(FastCheck.array(Arbitrary.make(Event), { maxLength: 6 }), (some) => {
        for (const operation of Project.project(distinct(some))) expect(accepts(operation)).toBe(true)
      }),
      { numRuns: 50 },
    )
  })
})
