import { describe, expect, it } from "@effect/vitest"
import { mayFollow, RunState } from "../../src/domain/RunState.js"

const path = [
  "CREATED",
  "CLONED_INPUTS",
  "INGESTED",
  "FACTS_READY",
  "PLAN_READY",
  "DRAFTING",
  "DRAFT_READY",
  "DONE",
] as const

describe("RunState", () => {
  it("a run goes forward one step at a time and skips none", () => {
    path.forEach((from, index) => {
      for (const to of path.slice(1)) expect(mayFollow(from, to)).toBe(to === path[index + 1])
    })
  })

  it("a run may fail or be cancelled anywhere but when it is done, and only once", () => {
    for (const end of ["FAILED", "CANCELLED"] as const) {
      for (const from of path) expect(mayFollow(from, end)).toBe(from !== "DONE")
      expect(mayFollow(end, end)).toBe(false)
    }
  })

  it("an ended run begins again at CREATED and nowhere else", () => {
    for (const from of ["FAILED", "CANCELLED"] as const) {
      expect(RunState.literals.filter((to) => mayFollow(from, to) && to !== "FAILED" && to !== "CANCELLED")).toEqual([
        "CREATED",
      ])
    }
  })
})
