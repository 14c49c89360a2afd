import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as FastCheck from "effect/FastCheck"
import * as FiberId from "effect/FiberId"
import * as ErrorText from "../../src/domain/ErrorText.js"
import * as Occurrences from "../../src/domain/Occurrences.js"

describe("ErrorText", () => {
  it("a cut text is never longer than its limit and never ends in half a code point", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.fullUnicodeString({ maxLength: 60 }),
        FastCheck.integer({ min: 2, max: 50 }),
        (text, limit) => {
          const cut = ErrorText.truncate(text, limit)
          expect(cut.length).toBeLessThanOrEqual(Math.max(limit, 0))
          expect(cut).not.toMatch(/\p{Cs}/u)
          if (text.length <= limit) expect(cut).toBe(text)
        },
      ),
    )
  })

  it("a failure goes before a defect, a defect before an interruption", () => {
    const interrupt = Cause.interrupt(FiberId.none)
    const all = Cause.parallel(
      Cause.parallel(interrupt, Cause.die(new Error("bug"))),
      Cause.fail(new RangeError("far")),
    )
    expect(ErrorText.ofCause(all)).toMatchObject({ kind: "failure", errorClass: "RangeError", summary: "far" })
    expect(ErrorText.ofCause(Cause.parallel(interrupt, Cause.die(new Error("bug"))))).toMatchObject({
      kind: "defect",
      errorClass: "Defect",
      summary: "Error: bug",
    })
    expect(ErrorText.ofCause(interrupt)).toMatchObject({ kind: "interruption", errorClass: "Interrupted" })
  })

  it("secrets do not reach an error's text", () => {
    const key = `sk-ant-api03-${"A".repeat(40)}`
    const failure = ErrorText.ofCause(Cause.fail(new Error(`refused ${key}`, { cause: new Error(`Bearer ${key}`) })))
    expect(JSON.stringify(failure)).not.toContain(key)
    expect(ErrorText.line(new Error(key))).not.toContain(key)
  })

  it("two errors of one cause are of one kind, whatever they were doing", () => {
    const full = Object.assign(new Error("ENOSPC: no space left, write '/a'"), { code: "ENOSPC" })
    const kind = (message: string) => ErrorText.kindOf(new Error(message, { cause: full }))
    expect(kind("cannot append A")).toBe(kind("cannot append B"))
    expect(kind("cannot append A")).not.toBe(ErrorText.kindOf(new Error("cannot append A")))
  })
})

describe("Occurrences", () => {
  it("tells of a cause once, counts the rest, and holds a bounded number of causes", () => {
    const occurrences = Occurrences.make(2)
    expect(["a", "a", "b", "c", "d"].map(occurrences.note)).toEqual([true, false, true, true, false])
    expect(occurrences.takeRepeats()).toEqual([
      { cause: "a", times: 1 },
      { cause: "other causes", times: 1 },
    ])
    expect(occurrences.takeRepeats()).toEqual([])
  })
})
