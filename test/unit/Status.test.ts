import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Status from "../../src/domain/Status.js"

describe("Status", () => {
  it.each([
    ["failed", "failure"],
    ["completed", "success"],
    ["succeeded", "success"],
    ["canceled", "cancelled"],
  ])("%s is read as %s", (word, status) => {
    expect(Status.parse(word)).toEqual(Option.some(status))
    expect(Schema.decodeUnknownEither(Status.StatusFromAlias)(word)).toEqual(Either.right(status))
  })

  it("every status is read as itself, and only running is not terminal", () => {
    for (const status of Status.Status.literals) expect(Status.parse(status)).toEqual(Option.some(status))
    expect(Status.Status.literals.filter((status) => !Status.isTerminal(status))).toEqual(["running"])
  })

  it("any other word is refused, names of object members too", () => {
    const known = new Set<string>([...Status.Status.literals, "failed", "completed", "succeeded", "canceled"])
    const word = FastCheck.oneof(FastCheck.string(), FastCheck.constantFrom("constructor", "__proto__", "Success", ""))
    FastCheck.assert(
      FastCheck.property(word, (text) => {
        FastCheck.pre(!known.has(text))
        expect(Status.parse(text)).toEqual(Option.none())
        expect(Either.isLeft(Schema.decodeUnknownEither(Status.StatusFromAlias)(text))).toBe(true)
      }),
    )
  })
})
