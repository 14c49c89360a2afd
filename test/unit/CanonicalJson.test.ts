import { createHash } from "node:crypto"
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as CanonicalJson from "../../src/domain/CanonicalJson.js"

const shuffled = (value: unknown, seed: number): unknown => {
  if (Array.isArray(value)) return value.map((member) => shuffled(member, seed))
  if (typeof value !== "object" || value === null) return value
  const entries = Object.entries(value).map(([key, member]): [string, unknown] => [key, shuffled(member, seed)])
  const turned = seed % 2 === 0 ? entries.toReversed() : [...entries.slice(1), ...entries.slice(0, 1)]
  return Object.fromEntries(turned)
}

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== "object" || value === null) return value
  return new Map(
    Object.entries(value)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, member]) => [key, sorted(member)]),
  )
}

const plainly = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(plainly).join(",")}]`
  if (!(value instanceof Map)) return JSON.stringify(value)
  return `{${[...value].map(([key, member]) => `${JSON.stringify(key)}:${plainly(member)}`).join(",")}}`
}

const anyJson = FastCheck.jsonValue({ noUnicodeString: false })

describe("CanonicalJson", () => {
  it("the same value in another key order gives the same text", () => {
    FastCheck.assert(
      FastCheck.property(anyJson, FastCheck.nat(), (value, seed) => {
        expect(CanonicalJson.stringify(shuffled(value, seed))).toBe(CanonicalJson.stringify(value))
      }),
    )
  })

  it("the text is what a plain writer gives for sorted keys", () => {
    FastCheck.assert(
      FastCheck.property(anyJson, (value) => {
        expect(CanonicalJson.stringify(value)).toBe(plainly(sorted(value)))
      }),
    )
  })

  it("the text parses back to the value, and writing that again changes nothing", () => {
    FastCheck.assert(
      FastCheck.property(anyJson, (value) => {
        const text = CanonicalJson.stringify(value)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(CanonicalJson.stringify(JSON.parse(text))).toBe(text)
      }),
    )
  })

  it("numeric keys, __proto__, quotes, control characters, lone surrogates, holes and undefined are written one way", () => {
    const odd: Record<string, unknown> = JSON.parse('{"__proto__":1,"10":2,"9":3,"a\\"b":4}')
    expect(CanonicalJson.stringify(odd)).toBe('{"10":2,"9":3,"__proto__":1,"a\\"b":4}')
    expect(CanonicalJson.stringify(["\u0000\u007f\ud800é", -0, 1e21, Number.NaN, undefined, () => 1])).toBe(
      '["\\u0000\u007f\\ud800é",0,1e+21,null,null,null]',
    )
    expect(CanonicalJson.stringify({ a: undefined, b: () => 1, c: new Array(2) })).toBe('{"c":[null,null]}')
  })

  it("what is no JSON is refused, not written wrongly", () => {
    const cycle: Array<unknown> = []
    cycle.push(cycle)
    expect(() => CanonicalJson.stringify(cycle)).toThrow(RangeError)
    expect(() => CanonicalJson.stringify({ n: 1n })).toThrow(TypeError)
  })

  it("what is remembered of a place is never an old value, whatever comes after what", () => {
    const scalar = FastCheck.oneof(
      FastCheck.constantFrom(null, "", "a", "b", 0, -0, 1, Number.NaN, true, false),
      FastCheck.string({ unit: "binary" }),
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.array(scalar), (values) => {
        const remembered = CanonicalJson.remembering()
        expect(values.map((value) => remembered(value))).toEqual(values.map(CanonicalJson.stringify))
      }),
    )
  })

  it("what is remembered of a stretch is never an old value, and an object that changes is written anew", () => {
    const scalar = FastCheck.constantFrom(null, "", "a", "\n", 0, -0, 1, Number.NaN, true, false)
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.tuple(scalar, scalar, scalar)), (values) => {
        const remembered = CanonicalJson.rememberingStretch((a, b, c) => `[${a},${b},${c}]`)
        expect(values.map((one) => remembered(...one))).toEqual(values.map((one) => CanonicalJson.stringify(one)))
      }),
    )
    const changing = { a: 1 }
    const remembered = CanonicalJson.rememberingStretch((a) => a)
    expect(remembered(changing as unknown as string)).toBe('{"a":1}')
    changing.a = 2
    expect(remembered(changing as unknown as string)).toBe('{"a":2}')
  })

  it("what stands between quotes is the text of a string without them", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit: "binary" }), (text) => {
        expect(`"${CanonicalJson.inQuotes(text)}"`).toBe(JSON.stringify(text))
      }),
    )
  })

  it("the hash is the sha256 of the text's UTF-8", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit: "binary" }), (text) => {
        expect(CanonicalJson.sha256Hex(text)).toBe(createHash("sha256").update(text, "utf8").digest("hex"))
      }),
    )
    expect(CanonicalJson.hash({})).toBe("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
  })
})
