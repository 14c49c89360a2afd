import { describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../../src/domain/CanonicalJson.js"
import * as Chain from "../../src/domain/Chain.js"
import { ChainedEvent, type Event } from "../../src/domain/Event.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import * as EventSamples from "../support/EventSamples.js"

const linesOf = (events: ReadonlyArray<Event>): Array<string> => {
  let head = Chain.empty
  return events.map((event) => {
    const link = Chain.link(head, event)
    head = link.head
    return link.line.slice(0, -1)
  })
}

const problemsOf = (lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  let walk = Chain.begin
  return lines.flatMap((line) => {
    const step = Chain.check(walk, line)
    walk = step.walk
    return step.problems.map((problem) => `${walk.lines}: ${problem}`)
  })
}

const blamed = (lines: ReadonlyArray<string>): ReadonlyArray<number> => [
  ...new Set(problemsOf(lines).map((problem) => Number.parseInt(problem, 10))),
]

const five = linesOf([
  EventSamples.event(0, EventSamples.created),
  EventSamples.event(1),
  EventSamples.event(2),
  EventSamples.event(3),
  EventSamples.event(4, EventSamples.completed),
])
const at = (index: number): string => five[index] ?? ""

type Json = Readonly<Record<string, unknown>>

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const placesOf = (value: unknown, path: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...placesOf(inner, [...path, key])])
    : []

const changed = (value: Json, [key = "", ...rest]: ReadonlyArray<string>, put: unknown): Json => {
  const inner = value[key]
  if (rest.length > 0 && isJson(inner)) return { ...value, [key]: changed(inner, rest, put) }
  if (rest.length > 0 && Array.isArray(inner))
    return { ...value, [key]: Object.values(changed({ ...inner }, rest, put)) }
  return put === undefined
    ? Object.fromEntries(Object.entries(value).filter(([name]) => name !== key))
    : { ...value, [key]: put }
}

const strange = FastCheck.constantFrom(
  ...[undefined, null, "", "priced", "x".repeat(300), 0, -1, 1.5, 2 ** 53, true, [], {}, [1], "\u0000"],
)

/** An event with up to three members replaced or removed, wherever they stand. */
const damaged = FastCheck.record({
  event: Arbitrary.make(ChainedEvent),
  hits: FastCheck.array(FastCheck.tuple(FastCheck.nat(), strange), { maxLength: 3 }),
}).map(({ event, hits }) =>
  hits.reduce(
    (record: Json, [at, put]) => {
      const places = placesOf(record)
      const place = places[at % Math.max(1, places.length)]
      return place === undefined ? record : changed(record, place, put)
    },
    JSON.parse(JSON.stringify(event)) as Json,
  ),
)

describe("Chain", () => {
  it("a line is taken exactly when the published schema takes it, and comes back whole", () => {
    const isOfSchema = Schema.is(ChainedEvent)
    const taken = { yes: 0, no: 0 }
    FastCheck.assert(
      FastCheck.property(damaged, (record) => {
        const parsed = Chain.parse(JSON.stringify(record))
        expect(Either.isRight(parsed)).toBe(isOfSchema(record))
        if (Either.isRight(parsed)) expect(parsed.right).toEqual(record)
        taken[Either.isRight(parsed) ? "yes" : "no"] += 1
      }),
      { numRuns: 1000 },
    )
    expect(taken.yes).toBeGreaterThan(50)
    expect(taken.no).toBeGreaterThan(50)
  })

  it("a line is the canonical text of its record, and its hash that of the record without event_hash", () => {
    FastCheck.assert(
      FastCheck.property(EventSamples.arbitrary, FastCheck.nat(), (event, lines) => {
        const { line, event: chained } = Chain.link({ lines, hash: CanonicalJson.hash(lines) }, event)
        const { event_hash, ...record } = chained
        expect(line).toBe(`${CanonicalJson.stringify(chained)}\n`)
        expect(event_hash).toBe(CanonicalJson.hash(record))
        expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(chained)))
      }),
    )
  })

  it("any events make a log without problems, and every line gives its event back", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(EventSamples.arbitrary, { maxLength: 8 }), (events) => {
        const lines = linesOf(events)
        expect(problemsOf(lines)).toEqual([])
        expect(lines.map((line) => Either.getOrThrow(Chain.parse(line)).event_id)).toEqual(
          events.map((event) => event.event_id),
        )
      }),
    )
  })

  it("the first line follows 64 zeros, a closing event counts the lines before it", () => {
    expect(JSON.parse(at(0)).prev_hash).toBe(GENESIS_HASH)
    expect(JSON.parse(at(4)).payload.lines_before).toBe(4)
  })

  it("any change of any byte of a line is noticed at that line", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.nat(),
        FastCheck.nat({ max: 4 }),
        FastCheck.constantFrom("0", "x", '"', " "),
        (n, index, by) => {
          const line = at(index)
          const position = n % line.length
          FastCheck.pre(line[position] !== by)
          const changed = `${line.slice(0, position)}${by}${line.slice(position + 1)}`
          expect(blamed(five.with(index, changed))[0]).toBe(index + 1)
        },
      ),
      { numRuns: 400 },
    )
  })

  it("an edited line is named alone, a rehashed one makes its successor stand out", () => {
    expect(blamed(five.with(2, at(2).replace("1500", "1501")))).toEqual([3])
    const forged = Chain.link({ lines: 2, hash: JSON.parse(at(1)).event_hash }, EventSamples.event(99)).line.slice(
      0,
      -1,
    )
    expect(blamed(five.with(2, forged))).toEqual([4])
  })

  it("removed, moved, repeated and inserted lines are named", () => {
    expect(blamed(five.toSpliced(2, 1))).toContain(3)
    expect(blamed(five.toSpliced(0, 1))).toContain(1)
    expect(blamed([at(0), at(2), at(1), at(3), at(4)])).toEqual([2, 3, 4])
    expect(blamed(five.toSpliced(2, 0, at(1)))).toContain(3)
    expect(blamed(five.toSpliced(2, 0, "garbage"))).toContain(3)
    expect(blamed(five.toSpliced(3, 1))).toContain(4)
  })

  it("a duplicate key, white space or another spelling of the same record is a change", () => {
    expect(blamed(five.with(1, at(1).replace("{", '{"event_id":"x",')))).toEqual([2])
    expect(blamed(five.with(1, at(1).replace(":", ": ")))).toEqual([2])
    expect(blamed(five.with(1, `${at(1)}\r`))).toEqual([2])
  })

  it("a record that is well chained but no event of the schema says where it does not fit", () => {
    const odd = Chain.link(Chain.empty, { ...EventSamples.event(1), ...EventSamples.finished(1), trace_id: "short" })
    expect(problemsOf([odd.line.slice(0, -1)]).join()).toMatch(/1: is not an event .*trace_id/)
    expect(Either.isLeft(Chain.parse("[]"))).toBe(true)
    expect(Either.isLeft(Chain.parse(""))).toBe(true)
  })

  it("a payload that is no JSON is refused", () => {
    const context: Record<string, unknown> = { n: 1n }
    const event = EventSamples.event(1, {
      type: "RUN_CREATED",
      payload: { agent_name: "a", job_type: "b", context_json: context },
    })
    expect(() => Chain.link(Chain.empty, event)).toThrow(TypeError)
  })
})
