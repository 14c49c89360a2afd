import { describe, expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as OperationsText from "../../src/server/OperationsText.js"

const scanned = (text: string) => {
  const bytes = Buffer.from(text)
  const scan = OperationsText.scan(bytes)
  return {
    ...scan,
    textAt: (operation: number) => {
      const span = scan.eventAt(operation)
      return span === undefined ? undefined : bytes.toString("utf8", ...span)
    },
  }
}

const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0

const key = fc.oneof(fc.constantFrom("event", "ops", "op", "\\", '"', "é", "event_id"), fc.string({ maxLength: 4 }))
const member = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.dictionary(key, fc.jsonValue({ maxDepth: 2 })))
const operation = fc.oneof(
  fc.record({ op: member, event: fc.dictionary(fc.string(), member), x: member }),
  fc.dictionary(key, member),
  fc.jsonValue({ maxDepth: 2 }),
)
const body = fc.record({ before: member, ops: fc.array(operation, { maxLength: 5 }), other: member })

const eventOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value) && "event" in value ? value.event : undefined

describe("OperationsText", () => {
  it("finds the very text of each event, wherever strings pretend to be structure", () => {
    let found = 0
    fc.assert(
      fc.property(body, fc.constantFrom(undefined, 1), (value, space) => {
        const scan = scanned(JSON.stringify(value, null, space))
        expect(scan.depth).toBe(depthOf(value))
        for (const [index, each] of value.ops.entries()) {
          const text = scan.textAt(index)
          const event = eventOf(each)
          if (typeof event !== "object" || event === null || text === undefined) continue
          found += 1
          expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(event)))
        }
      }),
      { numRuns: 200 },
    )
    expect(found).toBeGreaterThan(20)
  })

  it("gives the text that the parser means when a name stands twice, and none when a name is written with escapes", () => {
    expect(scanned('{"ops":[{"event":{"a":1},"event":{"b":2}}]}').textAt(0)).toBe('{"b":2}')
    expect(scanned('{"ops":[{"event":{"a":1}}],"ops":[{"event":{"c":3}}]}').textAt(0)).toBe('{"c":3}')
    expect(scanned('{"ops":[{"event":{"a":1},"\\u0065vent":{"b":2}}]}').textAt(0)).toBeUndefined()
    expect(scanned('{"ops":[{"event":{"a":1}}],"\\u006fps":[{"event":{"c":3}}]}').textAt(0)).toBeUndefined()
    expect(scanned('{"ops":[{"x":1,"event":{ "a" : [ {} ] } , "y":{}},7,{"event":{"z":"}"}}]}').textAt(2)).toBe(
      '{"z":"}"}',
    )
  })

  it("suspects every number that a double cannot hold", () => {
    const long = "9".repeat(309)
    for (const number of ["1e400", "-1E+400", "0.1e999", long, `-${long}.5`]) {
      expect(Number.isFinite(JSON.parse(number)), number).toBe(false)
      expect(scanned(`{"ops":[{"n":${number}}]}`).hasOddNumber, number).toBe(true)
      expect(scanned(`{"ops":[[${number},1]]}`).hasOddNumber, number).toBe(true)
    }
    expect(scanned('{"ops":[{"n":12.5,"t":true,"f":false,"s":"1e400"}]}').hasOddNumber).toBe(false)
  })
})
