import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import type { Event, EventBody } from "../../src/domain/Event.js"
import * as OpenSpans from "../../src/domain/OpenSpans.js"
import * as Timestamp from "../../src/domain/Timestamp.js"

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

const T0 = 1_760_000_000_000

const event = (span: number, parent: number, atMillis: number, body: EventBody): Event => ({
  event_id: `e-${span}-${atMillis}`,
  run_id: "run-001",
  ts: Timestamp.fromMillis(atMillis),
  trace_id: hex(7, 32),
  span_id: hex(span, 16),
  ...(parent === 0 ? {} : { parent_span_id: hex(parent, 16) }),
  ...body,
})

const item = (span: number) => ({ work_item_id: `run-001:W:${span}`, worker: "W", attempt: 1 })

const opening = (kind: number, span: number): EventBody =>
  kind === 0
    ? { type: "WORK_ITEM_STARTED", payload: item(span) }
    : {
        type: "LLM_CALL_STARTED",
        payload: {
          call_id: `call_${span}`,
          model: "m",
          provider_base_url: null,
          prompt_hash: null,
          temperature: null,
          max_tokens: null,
        },
      }

const ending = (opened: Event, span: number): EventBody => {
  if (opened.type === "RUN_CREATED") return { type: "RUN_COMPLETED", payload: {} }
  if (opened.type === "WORK_ITEM_STARTED")
    return { type: "WORK_ITEM_FINISHED", payload: { ...item(span), success: true, error: null } }
  return {
    type: "LLM_CALL_FAILED",
    payload: { call_id: `call_${span}`, latency_ms: 1, error_class: "X", error_summary: "", retryable: false },
  }
}

const CREATED: EventBody = { type: "RUN_CREATED", payload: { agent_name: "a", job_type: "launch" } }

/** A log in which spans open under open ones and end after what is in them, on a clock that may jump; and what stays open in it. */
const logs = FastCheck.array(
  FastCheck.record({ choice: FastCheck.nat(), tick: FastCheck.integer({ min: -5000, max: 60_000 }) }),
  { maxLength: 60 },
).map((steps) => {
  const events = [event(1, 0, T0, CREATED)]
  const open: Array<{ readonly span: number; readonly opened: Event }> = []
  const [first] = events
  if (first !== undefined) open.push({ span: 1, opened: first })
  let now = T0
  for (const [index, { choice, tick }] of steps.entries()) {
    now += tick
    const span = index + 2
    const parent = open[choice % Math.max(1, open.length)]
    const innermost = open.at(-1)
    if (choice % 3 === 0 && innermost !== undefined) {
      open.pop()
      events.push(event(innermost.span, 0, now, ending(innermost.opened, innermost.span)))
    } else if (parent !== undefined) {
      const opened = event(span, parent.span, now, opening(choice % 2, span))
      events.push(opened)
      open.push({ span, opened })
    }
  }
  return { events, open: open.map(({ opened }) => opened) }
})

const fold = (events: Iterable<Event>): OpenSpans.OpenSpans<Event> => {
  const spans = OpenSpans.make<Event>()
  for (const each of events) spans.step(OpenSpans.markOf(each), each)
  return spans
}

const closings = (spans: OpenSpans.OpenSpans<Event>, pid: number | null = 4242): ReadonlyArray<Event> =>
  spans.open().map((span, index) => {
    const closing = OpenSpans.closing(span, { pid: pid ?? undefined, lastSign: spans.lastSign() ?? span.since })
    if (closing === undefined) throw new Error(`${span.opening.type} opens nothing`)
    return { event_id: `closing-${index}`, ...closing }
  })

describe("OpenSpans", () => {
  it("finds exactly the spans that a log leaves open, and closing them leaves none", () => {
    FastCheck.assert(
      FastCheck.property(logs, ({ events, open }) => {
        const spans = fold(events)
        expect(new Set(spans.open().map((span) => span.opening))).toEqual(new Set(open))
        expect(fold([...events, ...closings(spans)]).open()).toEqual([])
      }),
    )
  })

  it("closes no span before one that was opened within it, and the run last", () => {
    FastCheck.assert(
      FastCheck.property(logs, ({ events }) => {
        const closed = closings(fold(events))
        const place = new Map(closed.map(({ span_id }, index) => [span_id, index]))
        for (const { span_id, parent_span_id = "" } of closed) {
          expect(place.get(span_id)).toBeLessThan(place.get(parent_span_id) ?? closed.length)
        }
        expect(closed.slice(0, -1).some(({ type }) => type === "RUN_FAILED")).toBe(false)
      }),
    )
  })

  it("no duration is negative, and no span ends before it began or after the last sign of life", () => {
    FastCheck.assert(
      FastCheck.property(logs, ({ events }) => {
        const spans = fold(events)
        const last = Timestamp.parseMillis(spans.lastSign() ?? "") ?? 0
        for (const [index, closing] of closings(spans).entries()) {
          const since = Timestamp.parseMillis(spans.open()[index]?.since ?? "") ?? 0
          const end = Timestamp.parseMillis(closing.ts) ?? 0
          expect(end).toBe(Math.max(since, last))
          const { payload } = closing
          const duration =
            "latency_ms" in payload ? payload.latency_ms : "duration_ms" in payload ? payload.duration_ms : -1
          expect(duration).toBe(end - since)
        }
      }),
    )
  })

  it("a run that is resumed is open again, since then", () => {
    const change = (old_state: "FAILED" | "CREATED", new_state: "CREATED" | "CLONED_INPUTS"): EventBody => ({
      type: "RUN_STATE_CHANGED",
      payload: { old_state, new_state },
    })
    const failed: EventBody = { type: "RUN_FAILED", payload: { error_class: "X", error_summary: "" } }
    const before = [event(1, 0, T0, CREATED), event(1, 0, T0 + 1000, failed)]
    expect(fold(before).isRunOpen()).toBe(false)
    const spans = fold([
      ...before,
      event(1, 0, T0 + 5000, change("FAILED", "CREATED")),
      event(1, 0, T0 + 7000, change("CREATED", "CLONED_INPUTS")),
    ])
    expect(closings(spans)).toMatchObject([
      { type: "RUN_FAILED", span_id: hex(1, 16), payload: { duration_ms: 2000, error_class: "ProcessDied" } },
    ])
    expect(fold([event(1, 0, T0, change("FAILED", "CREATED"))]).open()).toEqual([])
  })

  it("a launch that died does not say how it goes on, or another run says it", () => {
    const summaryOf = (job_type: string) => {
      const [run] = closings(fold([event(1, 0, T0, { type: "RUN_CREATED", payload: { agent_name: "a", job_type } })]))
      return run?.type === "RUN_FAILED" ? run.payload.error_summary : undefined
    }
    expect(summaryOf("launch")).toMatch(/Go on with: runledger launch --resume \S+$/)
    expect(summaryOf("poems")).not.toContain("--resume")
  })

  it("the summary names the process when it is known, and is never too long", () => {
    const long = event(2, 0, T0, {
      type: "LLM_CALL_STARTED",
      payload: {
        call_id: "x".repeat(2000),
        model: "m",
        provider_base_url: null,
        prompt_hash: null,
        temperature: null,
        max_tokens: null,
      },
    })
    const [known] = closings(fold([long]))
    expect(known?.type === "LLM_CALL_FAILED" && known.payload.error_summary).toMatch(/^Process 4242, .{400,500}$/)
    expect(JSON.stringify(closings(fold([long]), null))).toContain("The process that owned the run")
  })
})
