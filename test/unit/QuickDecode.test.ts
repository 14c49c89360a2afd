import { describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { Evidence } from "../../src/domain/Evidence.js"
import { CreateOperation, EventOperation, UpdateOperation } from "../../src/domain/Operation.js"
import * as Project from "../../src/domain/Project.js"
import * as QuickDecode from "../../src/domain/QuickDecode.js"
import * as RecordedRuns from "../support/RecordedRuns.js"

type Json = Record<string, unknown>

const projected: ReadonlyArray<Json> = Project.project(RecordedRuns.events("run-001", 1)).map((operation) =>
  JSON.parse(JSON.stringify(operation)),
)

const CASES = [
  { op: "create", schema: CreateOperation, keepUnknown: false },
  { op: "update", schema: UpdateOperation, keepUnknown: false },
  { op: "event", schema: EventOperation, keepUnknown: true },
] as const

/** Values that schemas like to trip over, and a few that fit somewhere. */
const strange = fc.oneof(
  fc.constantFrom(
    null,
    "",
    0,
    -1,
    1.5,
    2 ** 53,
    true,
    "running",
    "failed",
    "2026-01-01T00:00:00+02:00",
    [],
    {},
    "\u0000",
  ),
  fc.jsonValue({ maxDepth: 1 }),
)

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)

const placesOf = (value: unknown, path: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> =>
  isJson(value) ? Object.keys(value).flatMap((key) => [[...path, key], ...placesOf(value[key], [...path, key])]) : []

const changed = (value: Json, [key, ...rest]: ReadonlyArray<string>, put: unknown): Json => {
  if (key === undefined) return value
  const inner = value[key]
  if (rest.length > 0 && isJson(inner)) return { ...value, [key]: changed(inner, rest, put) }
  if (put !== undefined) return { ...value, [key]: put }
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== key))
}

const mutated = (samples: ReadonlyArray<Json>) =>
  fc.constantFrom(...samples).chain((sample) =>
    fc
      .array(
        fc.record({
          place: fc.oneof(
            fc.constantFrom(...placesOf(sample)),
            fc.constantFrom(["reopen"], ["inferred"], ["duration_ms"], ["items_failed"], ["created_at"], ["unknown"]),
          ),
          put: fc.option(strange, { nil: undefined }),
        }),
        { maxLength: 2 },
      )
      .map((changes) => changes.reduce((value, { place, put }) => changed(value, place, put), sample)),
  )

describe.each(CASES)("QuickDecode of $op operations", ({ op, schema, keepUnknown }) => {
  const samples = projected.filter((operation) => operation["op"] === op)
  const quick: QuickDecode.Quick<unknown> = QuickDecode.make<unknown, unknown>(
    schema as unknown as Schema.Schema<unknown>,
    { keepUnknown },
  )
  const slow = Schema.decodeUnknownEither(schema as unknown as Schema.Schema<unknown>, {
    onExcessProperty: keepUnknown ? "preserve" : "ignore",
  })

  it("vouches for every operation of a real run, so that the slow way is the exception", () => {
    expect(samples.length).toBeGreaterThan(0)
    for (const sample of samples) {
      expect(quick(sample)).not.toBe(QuickDecode.UNSURE)
      expect(Either.right(quick(sample))).toEqual(slow(sample))
    }
  })

  it("takes nothing that the schema refuses, and makes of the rest exactly what the schema makes", () => {
    let refused = 0
    let taken = 0
    fc.assert(
      fc.property(mutated(samples), (value) => {
        const fast = quick(value)
        if (fast === QuickDecode.UNSURE) refused += 1
        else {
          taken += 1
          expect(Either.right(fast)).toEqual(slow(value))
        }
      }),
      { numRuns: 600 },
    )
    expect(Math.min(refused, taken)).toBeGreaterThan(30)
  })
})

describe("QuickDecode of evidence", () => {
  const quick = QuickDecode.make(Evidence, { keepUnknown: false })
  const slow = Schema.decodeUnknownEither(Evidence)

  it("vouches for what is kept of most calls, and makes of it exactly what the schema makes", () => {
    let vouched = 0
    FastCheck.assert(
      FastCheck.property(Arbitrary.make(Evidence), (evidence) => {
        const decoded = quick({ ...evidence, unknown: 1 })
        if (decoded === QuickDecode.UNSURE) return
        vouched += 1
        expect(Either.right(decoded)).toEqual(slow(evidence))
        expect(JSON.stringify(decoded)).toBe(JSON.stringify(Either.getOrThrow(slow(evidence))))
      }),
      { numRuns: 300 },
    )
    expect(vouched).toBeGreaterThan(0)
  })

  it("does not vouch for messages that are none, nor for a tool whose schema has a member that a copy loses", () => {
    const [whole] = FastCheck.sample(Arbitrary.make(Evidence), { numRuns: 1, seed: 1 })
    const request = { model: "m", messages: [{ role: "user", content: "q" }], temperature: 0, maxTokens: 1 }
    expect(quick({ ...whole, request })).not.toBe(QuickDecode.UNSURE)
    expect(quick({ ...whole, request: { ...request, messages: [] } })).toBe(QuickDecode.UNSURE)
    const tools = [{ name: "t", inputSchema: JSON.parse('{"__proto__":1}') }]
    expect(quick({ ...whole, request: { ...request, tools } })).toBe(QuickDecode.UNSURE)
  })
})
