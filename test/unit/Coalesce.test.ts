import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Coalesce from "../../src/domain/Coalesce.js"
import type { OperationWire } from "../../src/domain/Operation.js"
import * as RunFold from "../../src/domain/RunFold.js"
import * as Sample from "../support/EventSamples.js"

type Update = Extract<OperationWire, { readonly op: "update" }>

const id = FastCheck.constantFrom("a", "b", "c")
const instant = FastCheck.integer({ min: 0, max: 9 }).map((n) => `2026-01-31T12:00:0${n}.000Z`)
const maybe = <A>(value: FastCheck.Arbitrary<A>) => FastCheck.option(value, { nil: undefined })
const status = FastCheck.constantFrom("running", "success", "failed", "failure", "cancelled", "timeout")
const words = FastCheck.constantFrom("one", "two", null)
const json = FastCheck.dictionary(FastCheck.constantFrom("k", "l"), FastCheck.jsonValue({ maxDepth: 1 }))

const create: FastCheck.Arbitrary<OperationWire> = FastCheck.record({ id, at: instant, context: json }).map(
  ({ id: event_id, at, context }) => ({
    op: "create",
    event_id,
    run_id: `run-${event_id}`,
    agent_name: "agent",
    job_type: "llm_call",
    start_time: at,
    status: "running",
    context_json: context,
  }),
)

const update: FastCheck.Arbitrary<Update> = FastCheck.record({
  op: FastCheck.constant("update" as const),
  event_id: id,
  status: maybe(status),
  end_time: maybe(FastCheck.option(instant)),
  duration_ms: maybe(FastCheck.option(FastCheck.nat({ max: 50 }))),
  output_summary: maybe(words),
  error_summary: maybe(words),
  metrics_json: maybe(FastCheck.option(json)),
  context_json: maybe(json),
  reopen: FastCheck.oneof({ weight: 8, arbitrary: FastCheck.constant(false) }, FastCheck.constant(true)),
  inferred: FastCheck.oneof({ weight: 6, arbitrary: FastCheck.constant(false) }, FastCheck.constant(true)),
})

const event: FastCheck.Arbitrary<OperationWire> = FastCheck.integer({ min: 1, max: 9 }).map((n) => {
  const started = Sample.callStarted(n)
  return { op: "event", event_id: started.event_id, event: started }
})

const window = FastCheck.array(FastCheck.oneof(create, update, update, event), { maxLength: 20 })

const carried = (operations: ReadonlyArray<OperationWire>) => operations.map((operation) => ({ operation }))

/** What is sent for a window, given the rows that the server has already: the updates of a duplicate follow its create. */
const sent = (before: ReadonlyArray<OperationWire>, operations: ReadonlyArray<OperationWire>) => {
  const known = new Set(before.flatMap(({ op, event_id }) => (op === "create" ? [event_id] : [])))
  const coalesced = Coalesce.coalesce(carried(operations))
  const after = coalesced.flatMap(({ operation, updates }) =>
    known.has(operation.event_id) ? updates.map((one) => one.operation) : [],
  )
  return [...coalesced.map(({ operation }) => operation), ...after]
}

const laws = { numRuns: 250 }

describe("Coalesce", () => {
  it("coalesced operations make the same rows of nothing as the plain ones", () => {
    FastCheck.assert(
      FastCheck.property(window, (operations) => {
        expect(RunFold.fold(sent([], operations))).toEqual(RunFold.fold(operations))
      }),
      laws,
    )
  })

  it("nothing is lost where an earlier process had sent the row: with the updates behind it all is as if sent plainly", () => {
    FastCheck.assert(
      FastCheck.property(window, window, (before, operations) => {
        const plain = RunFold.fold([...before, ...operations])
        expect(RunFold.fold([...before, ...sent(before, operations)])).toEqual(plain)
      }),
      laws,
    )
  })

  it("events stay as they are, in order, and nothing is invented", () => {
    FastCheck.assert(
      FastCheck.property(window, (operations) => {
        const coalesced = Coalesce.coalesce(carried(operations))
        const events = (all: ReadonlyArray<OperationWire>) => all.filter(({ op }) => op === "event")
        expect(events(coalesced.map(({ operation }) => operation))).toEqual(events(operations))
        const origins = coalesced.flatMap(({ origin, updates }) => [
          origin.operation,
          ...updates.map((one) => one.operation),
        ])
        expect(origins).toHaveLength(operations.length)
        expect(new Set(origins)).toEqual(new Set(operations))
      }),
      laws,
    )
  })

  it("a row that is opened and closed in one window is one create with its ending", () => {
    const opening: OperationWire = {
      op: "create",
      event_id: "a",
      run_id: "r",
      agent_name: "x",
      job_type: "llm_call",
      start_time: "2026-01-31T12:00:00Z",
      status: "running",
    }
    const closing: Update = { op: "update", event_id: "a", status: "success", duration_ms: 7 }
    expect(Coalesce.coalesce(carried([opening, closing]))).toMatchObject([
      { operation: { op: "create", status: "success", duration_ms: 7 }, updates: [{ operation: closing }] },
    ])
    for (const apart of [{ reopen: true }, { inferred: true }] as const)
      expect(Coalesce.coalesce(carried([opening, { ...closing, ...apart }]))).toHaveLength(2)
  })
})
