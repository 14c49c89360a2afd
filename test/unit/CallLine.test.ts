import { describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Batch from "../../layers/TelemetryHttpBatch.js"
import * as CallLine from "../../src/domain/CallLine.js"
import * as CallRow from "../../src/domain/CallRow.js"
import * as Chain from "../../src/domain/Chain.js"
import { type Event, LlmCallFinished, LlmCallStarted } from "../../src/domain/Event.js"
import * as Project from "../../src/domain/Project.js"
import type * as Usage from "../../src/domain/Usage.js"
import * as Sample from "../support/EventSamples.js"

const lineOf = (event: Event): string => Chain.link(Chain.empty, event).line.slice(0, -1)

const started = FastCheck.tuple(Arbitrary.make(LlmCallStarted), FastCheck.nat({ max: 2 })).map(
  ([payload, n]): Event => ({ ...Sample.inSpan({ type: "LLM_CALL_STARTED", payload }, n) }),
)
const finished = FastCheck.tuple(Arbitrary.make(LlmCallFinished), FastCheck.nat({ max: 2 })).map(
  ([payload, n]): Event => ({ ...Sample.inSpan({ type: "LLM_CALL_FINISHED", payload }, n) }),
)
/** What programs really record: no member is odd, so that its line is recognised. */
const usual = FastCheck.record({ n: FastCheck.nat({ max: 2 }), isEnd: FastCheck.boolean() }).map(({ n, isEnd }) =>
  isEnd ? Sample.callFinished(n) : Sample.callStarted(n),
)
const failed = FastCheck.nat({ max: 2 }).chain((n) =>
  FastCheck.constantFrom("Overloaded", "ProcessDied").map((error_class) =>
    Sample.inSpan(
      {
        type: "LLM_CALL_FAILED",
        payload: { call_id: `call_${n}`, latency_ms: 2, error_class, error_summary: "no answer", retryable: true },
      },
      1000 + n,
    ),
  ),
)
const created = FastCheck.constantFrom<Event>(
  Sample.runCreated(),
  Sample.inSpan({
    type: "RUN_CREATED",
    payload: { agent_name: "a", job_type: "launch", host: 'ho"st', git_repo: "ü" },
  }),
)

const log = FastCheck.array(
  FastCheck.oneof({ weight: 8, arbitrary: usual }, { weight: 2, arbitrary: failed }, started, finished, created),
  { maxLength: 24 },
)

/** What is sent for a window: as JSON, each with the operations that it stands for. */
const sent = (window: ReadonlyArray<Batch.Placed>) =>
  Batch.encodeAll(window).map((encoded) => {
    const { op, eventId, event, json, bytes, plain } = Either.getOrThrow(encoded)
    expect(bytes).toBe(Buffer.byteLength(json))
    const apart = plain === undefined ? [] : [plain.create, ...plain.updates]
    return {
      op,
      eventId,
      event,
      operation: JSON.parse(json),
      apart: apart.map((placed) => JSON.parse(Either.getOrThrow(Batch.encode(placed)).json)),
    }
  })

const decoded = (events: ReadonlyArray<Event>): ReadonlyArray<Batch.Placed> => {
  const projection = Project.make()
  return events.flatMap((one, event) =>
    projection.step(one).map(
      (operation): Batch.Placed => ({
        operation,
        event,
        text: operation.op === "event" ? lineOf(one) : undefined,
      }),
    ),
  )
}

const recognised = (events: ReadonlyArray<Event>): ReadonlyArray<Batch.Placed> => {
  const projection = Project.make()
  return events.flatMap((one, event): ReadonlyArray<Batch.Placed> => {
    const text = lineOf(one)
    const line = CallLine.read(text)
    const call = line === undefined ? undefined : projection.stepCall(line)
    if (line === undefined || call === undefined)
      return projection
        .step(one)
        .map((operation) => ({ operation, event, text: operation.op === "event" ? text : undefined }))
    const own: Batch.Placed = { line: text, eventId: line.eventId, event }
    return call === "nothing" ? [own] : [own, { call, event }]
  })
}

describe("CallLine", () => {
  it("a window of recognised lines is sent as one of decoded events is, to the last member", () => {
    FastCheck.assert(
      FastCheck.property(log, (events) => {
        expect(sent(recognised(events))).toEqual(sent(decoded(events)))
      }),
      { numRuns: 500 },
    )
  })

  it("what is recognised is an event of the published schema, with the hash and id that it says", () => {
    let known = 0
    FastCheck.assert(
      FastCheck.property(FastCheck.oneof(started, finished), (event) => {
        const text = lineOf(event)
        const line = CallLine.read(text)
        if (line === undefined) return
        known += 1
        const parsed = Either.getOrThrow(Chain.parse(text))
        expect([line.type, line.eventHash, JSON.parse(line.eventId), JSON.parse(line.spanId)]).toEqual([
          parsed.type,
          parsed.event_hash,
          parsed.event_id,
          parsed.span_id,
        ])
      }),
      { numRuns: 1000 },
    )
    expect(known).toBeGreaterThan(0)
  })

  it("the lines of usual calls are recognised, or delivery pays for each what it paid for any", () => {
    expect(CallLine.read(lineOf(Sample.callStarted(1)))?.type).toBe("LLM_CALL_STARTED")
    expect(CallLine.read(lineOf(Sample.callFinished(1)))?.type).toBe("LLM_CALL_FINISHED")
  })

  it("the lines of calls with rare classes and words are not recognised, or not as what they say", () => {
    const token_usage = {
      input_tokens: 30,
      output_tokens: 20,
      total_tokens: 50,
      audio_cache_read_tokens: 1,
      audio_input_tokens: 2,
      audio_output_tokens: 3,
      image_cache_read_tokens: 4,
      image_input_tokens: 5,
      image_output_tokens: 6,
      reasoning_tokens: 7,
      server_tool_requests: { web_fetch: 0, web_search: 2 },
      service_tier: "batch",
      speed: "fast",
      inference_geo: "us",
      usage_doubts: ["part_above_whole", "total_differs"] as ReadonlyArray<Usage.UsageDoubt>,
    }
    const cost_breakdown = {
      uncached_input: 1,
      cache_read: 2,
      cache_write_5m: 3,
      cache_write_1h: 4,
      output: 5,
      audio_input: 6,
      image_output: 7,
      server_tools: 8,
    }
    const whole = Sample.callFinished(1)
    if (whole.type !== "LLM_CALL_FINISHED") throw new Error("it is another event")
    const event: Event = { ...whole, payload: { ...whole.payload, token_usage, cost_breakdown } }
    const line = CallLine.read(lineOf(event))
    if (line?.type !== "LLM_CALL_FINISHED") throw new Error("it is not recognised")
    expect(JSON.parse(`${line.usage}}`)).toEqual(token_usage)
    expect(JSON.parse(line.costBreakdown ?? "null")).toEqual(cost_breakdown)
    const events = [Sample.runCreated(), Sample.callStarted(1), event]
    expect(sent(recognised(events))).toEqual(sent(decoded(events)))
  })

  it("a line that was damaged in any one place is recognised only where it is an event still", () => {
    const lines = [lineOf(Sample.callStarted(1)), lineOf(Sample.callFinished(2))]
    const anywhere = FastCheck.record({
      line: FastCheck.constantFrom(...lines),
      at: FastCheck.nat({ max: 900 }),
      put: FastCheck.constantFrom("", '"', "\\", "{", "}", ",", "0", "-", ".", "e", "null", "\u0000", "\n", "x"),
      cut: FastCheck.nat({ max: 3 }),
    })
    FastCheck.assert(
      FastCheck.property(anywhere, ({ line, at, put, cut }) => {
        const spoilt = line.slice(0, at) + put + line.slice(at + cut)
        if (CallLine.read(spoilt) !== undefined) expect(Chain.parse(spoilt)._tag).toBe("Right")
      }),
      { numRuns: 5000 },
    )
  })

  it("a row that a line opened can be decoded when another event closes it", () => {
    const line = CallLine.read(lineOf(Sample.callStarted(1)))
    if (line?.type !== "LLM_CALL_STARTED") throw new Error("it is not recognised")
    expect(CallRow.contextOf(CallRow.opened(line, ""))).toMatchObject({ call_id: "call_1", parent_span_id: null })
  })
})
