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

  it("an error that throws when it is read still has a text", () => {
    const hostile = [
      Object.defineProperty(new Error(), "message", {
        get: () => {
          throw new Error("no message")
        },
      }),
      new Proxy(new Error("x"), {
        get: () => {
          throw new Error("no member")
        },
        has: () => {
          throw new Error("no member")
        },
        getPrototypeOf: () => {
          throw new Error("no prototype")
        },
      }),
    ]
    for (const error of hostile) {
      expect(ErrorText.line(error)).toBe("Error")
      expect(ErrorText.kindOf(error)).not.toBe("")
      expect(ErrorText.ofCause(Cause.fail(error))).toMatchObject({ kind: "failure", errorClass: "Error" })
      expect(ErrorText.ofCause(Cause.die(error))).toMatchObject({ kind: "defect", errorClass: "Defect" })
    }
  })

  it("an error of many megabytes is cut before it is cleaned, and leaks no part of a secret at the cut", () => {
    const body = `${"A".repeat(64)}\n`
    const huge = new Error(`-----BEGIN RSA PRIVATE KEY-----\n${body.repeat(150_000)}`)
    const failure = ErrorText.ofCause(Cause.fail(huge))
    expect(failure.summary).toBe("[REDACTED:private_key]…")
    expect(ErrorText.ofCause(Cause.die(huge)).summary).toBe("Error: [REDACTED:private_key]…")
    expect(ErrorText.line(huge)).toBe("Error: [REDACTED:private_key]…")
    const key = `sk-ant-api03-${"b".repeat(60)}`
    for (let at = 1900; at < 2000; at++) {
      const block = `-----BEGIN PRIVATE KEY-----\n${body.repeat(28)}-----END PRIVATE KEY----- `
      const text = `${block}${"x".repeat(at - block.length)} ${key} ${"tail ".repeat(100)}`
      expect(ErrorText.line(new Error(text))).not.toMatch(/sk-ant|bbbb/)
    }
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
