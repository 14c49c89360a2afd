import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { type AcknowledgedHead, compare } from "../../src/domain/Acknowledged.js"

const hash = (seed: number): string => seed.toString(16).padStart(64, "0")

/** A log of so many lines, of which line n bears the hash n. */
const log = (lines: number, ...looked: ReadonlyArray<number>) => ({
  lines,
  lineOf: new Map([[hash(0), 0], ...looked.filter((n) => n <= lines).map((n) => [hash(n), n] as const)]),
})

const head = (source: AcknowledgedHead["source"], lines: number, of = lines): AcknowledgedHead => ({
  source,
  lines,
  hash: hash(of),
})

describe("what was acknowledged of a log", () => {
  it.prop(
    "is found again in any log that still has it, and cut off in any that ends before",
    [FastCheck.constantFrom("cursor" as const, "server" as const), FastCheck.nat(50), FastCheck.nat(50)],
    ([source, lines, acknowledged]) => {
      const found = compare(head(source, acknowledged), log(lines, acknowledged))
      expect(found.found).toBe(acknowledged <= lines)
      expect(found.line).toBe(acknowledged <= lines ? acknowledged : null)
      if (acknowledged <= lines) expect(found.problem).toBeNull()
      else expect(found.problem).toContain(`shorter than what the server acknowledged (${acknowledged} lines`)
    },
  )

  it("another line in its place means a file written anew", () => {
    expect(compare(head("cursor", 5, 99), log(8)).problem).toMatch(/^the file was rewritten: line 5 /)
    expect(compare(head("server", 5, 99), log(8)).problem).toMatch(/^the file was rewritten: line 5 /)
  })

  it("its line in another place means that lines before it were taken away or put in", () => {
    expect(compare(head("cursor", 5, 4), log(8, 4)).problem).toMatch(/line 5 is not .* stands at line 4 now/)
  })

  it("a server that refused some events counts fewer than the log has up to there, which is no problem", () => {
    expect(compare(head("server", 5, 7), log(8, 7))).toMatchObject({ line: 7, found: true, problem: null })
  })

  it("a server that has more events than the log has lines knows of a tail that was cut", () => {
    expect(compare(head("server", 9, 7), log(8, 7))).toMatchObject({
      line: 7,
      found: true,
      problem: expect.stringContaining("its tail was cut"),
    })
  })
})
