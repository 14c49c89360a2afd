import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Ids from "../../src/domain/Ids.js"

describe("Ids", () => {
  it("a plain id is its own file name, a repeat's too", () => {
    for (const id of ["run-001", "enrich_claims_batch_001", "a.b", "x~2", "x".repeat(120), `${"x".repeat(120)}~12`]) {
      expect(Ids.fileName(id)).toBe(id)
    }
  })

  it("any id gives a file name that is safe in any folder, the same each time", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit: "binary", maxLength: 300 }), (id) => {
        const name = Ids.fileName(id)
        expect(name).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9._~-]{0,139}$/)
        expect(name).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i)
        expect(name.endsWith(".")).toBe(false)
        expect(Ids.fileName(id)).toBe(name)
      }),
    )
  })

  it("two ids that need replacing never share a file name", () => {
    const odd = ["a/b", "a b", "a:b", "A/b", "../a", ".", "..", "", "con", "CON.txt", "x.", `x${"y".repeat(120)}`]
    expect(new Set(odd.map(Ids.fileName)).size).toBe(odd.length)
  })

  it("a launch's run id has every part sanitised", () => {
    const id = Ids.launchRunId({
      startedAtMillis: Date.UTC(2026, 0, 31, 12, 5, 9, 123),
      product: "Größe & Co. / ../x",
      ref: "0123456789abcdef",
      configHash: "f".repeat(64),
    })
    expect(id).toBe("r_20260131T120509Z_launch_gro-e-co-x_0123456_ffffffff")
    expect(Ids.fileName(id)).toBe(id)
  })

  it("worker and call ids follow from the run's, repeats count from two", () => {
    expect(Ids.workerRunId("run-001", "W2.FactsBuilder", 1)).toBe("run-001:W2.FactsBuilder:1")
    expect(Ids.callRunId("run-001", "test_call")).toBe("run-001-llm-test_call")
    expect([1, 2, 3].map((use) => Ids.repeated("x", use))).toEqual(["x", "x~2", "x~3"])
  })
})
