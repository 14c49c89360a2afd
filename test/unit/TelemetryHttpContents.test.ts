import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as LogLine from "../../layers/LogLine.js"
import * as Batch from "../../layers/TelemetryHttpBatch.js"
import * as Contents from "../../layers/TelemetryHttpContents.js"
import * as Chain from "../../src/domain/Chain.js"
import type { Event } from "../../src/domain/Event.js"
import * as Project from "../../src/domain/Project.js"
import * as Sample from "../support/EventSamples.js"

const textOf = (event: Event): string => Chain.link(Chain.empty, event).line.slice(0, -1)

const lineOf = (event: Event): Contents.Recorded => Either.getOrThrow(LogLine.read(textOf(event)))

const CALLS = 3

const worded = (event: Event): Event =>
  event.type === "LLM_CALL_STARTED" ? { ...event, payload: { ...event.payload, worker: "Übersetzer→字" } } : event

const call = FastCheck.record({
  n: FastCheck.nat({ max: CALLS }),
  isEnd: FastCheck.boolean(),
  isWorded: FastCheck.boolean(),
}).map(({ isEnd, isWorded, n }) => {
  const event = isEnd ? Sample.callFinished(n) : Sample.callStarted(n)
  return isWorded ? worded(event) : event
})

const told = (encoded: Batch.Encoded) => {
  const { bytes, event, eventId, json, op, plain } = encoded
  expect(bytes).toBe(Buffer.byteLength(json))
  const apart = plain === undefined ? [] : [plain.create, ...plain.updates]
  return {
    op,
    eventId,
    event,
    operation: JSON.parse(json),
    apart: apart.map((placed) => JSON.parse(Either.getOrThrow(Batch.encode(placed)).json)),
  }
}

const decoded = (projection: Project.Projection, events: ReadonlyArray<Event>, first: number) =>
  Batch.encodeAll(
    events.flatMap((one, index) =>
      projection.step(one).map(
        (operation): Batch.Placed => ({
          operation,
          event: first + index,
          text: operation.op === "event" ? textOf(one) : undefined,
        }),
      ),
    ),
  ).map((encoded) => told(Either.getOrThrow(encoded)))

const CLIENT = { backlog: 0, dropped: 0, dead_letters: 0, log_head: null, run_id: "r" }

describe("the contents of a window", () => {
  it("calls are sent as decoded events are, to the last member, wherever the window begins", () => {
    let together = 0
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(call, { maxLength: 20 }),
        FastCheck.nat({ max: 20 }),
        FastCheck.boolean(),
        (events, cut, isRun) => {
          const before = isRun ? [Sample.runCreated()] : []
          const quick = Project.make()
          const slow = Project.make()
          const stretches = [before, events.slice(0, cut), events.slice(cut)]
          let first = 0
          for (const stretch of stretches) {
            const contents = Contents.encoded(quick, stretch.map(lineOf), first)
            expect(contents.unencodable).toEqual([])
            expect(contents.events).toBe(stretch.length)
            expect(contents.operations.map(told)).toEqual(decoded(slow, stretch, first))
            const body = JSON.parse(Buffer.from(Batch.body(contents.operations, CLIENT)).toString("utf8"))
            expect(body).toEqual({ client: CLIENT, ops: contents.operations.map(({ json }) => JSON.parse(json)) })
            together += contents.operations.filter(
              ({ copy, plain }) => copy !== undefined && plain !== undefined,
            ).length
            first += stretch.length
          }
        },
      ),
      { numRuns: 500 },
    )
    expect(together).toBeGreaterThan(0)
  })

  it("more than was expected of a window still fits", () => {
    const events = Array.from({ length: 400 }, (_, n) => worded(Sample.callStarted(n)))
    const { operations } = Contents.encoded(Project.make(), events.map(lineOf), 0)
    expect(operations.map(told)).toEqual(decoded(Project.make(), events, 0))
  })
})
