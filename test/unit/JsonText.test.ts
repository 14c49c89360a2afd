import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as JsonText from "../../src/domain/JsonText.js"

const bytes = (text: string) => new TextEncoder().encode(text)
const reason = (input: Uint8Array) =>
  Either.match(JsonText.parse(input), { onLeft: (error) => error.reason, onRight: () => "read" })

describe("JsonText", () => {
  it.prop("reads back every JSON value exactly", [FastCheck.jsonValue()], ([value]) => {
    expect(JSON.stringify(Either.getOrThrow(JsonText.parse(bytes(JSON.stringify(value)))))).toBe(JSON.stringify(value))
  })

  it("refuses what is not UTF-8, even where a lenient reader would put a replacement character", () => {
    for (const input of [
      [0x22, 0xff, 0x22],
      [0x22, 0xc3, 0x28, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0xff, 0xfe, 0x31, 0x00],
    ]) {
      expect(reason(new Uint8Array(input))).toBe("encoding")
    }
  })

  it("refuses more than 100 levels before it parses, and does not count brackets inside texts", () => {
    const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels)
    expect(reason(bytes(nested(100)))).toBe("read")
    expect(reason(bytes(nested(101)))).toBe("nesting")
    expect(reason(bytes('{"a":'.repeat(1_000_000)))).toBe("nesting")
    expect(reason(bytes(JSON.stringify(`${"[".repeat(500)}"\\`)))).toBe("read")
    expect(reason(bytes(`[${Array.from({ length: 500 }, () => "[]").join(",")}]`))).toBe("read")
  })

  it("refuses broken JSON", () => {
    for (const text of ["", "{", "NaN", "[1,]", '{"a":1} x', "]"]) expect(reason(bytes(text)), text).toBe("syntax")
  })

  it("keeps __proto__ as a member and no prototype is touched", () => {
    const value = Either.getOrThrow(JsonText.parse(bytes('{"__proto__":{"polluted":1}}')))
    const object = Schema.decodeUnknownSync(JsonText.JsonObject)(value)
    expect(Object.hasOwn(object, "__proto__")).toBe(true)
    expect(Object.getPrototypeOf(object)).toBe(Object.prototype)
    expect(JSON.stringify(object)).toBe('{"__proto__":{"polluted":1}}')
    expect(Schema.is(JsonText.JsonObject)([])).toBe(false)
  })

  it.prop(
    "makes every text plain, and leaves plain ones as they are",
    [FastCheck.string({ unit: "binary" })],
    ([text]) => {
      expect(JsonText.isPlainText(JsonText.toPlainText(`${text}\ud83d\u0000`))).toBe(true)
      if (JsonText.isPlainText(text)) expect(JsonText.toPlainText(text)).toBe(text)
    },
  )
})
