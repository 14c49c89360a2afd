import { describe, expect, it } from "@effect/vitest"
import * as Nearest from "../../src/domain/Nearest.js"

describe("near names", () => {
  it("a name that is another word altogether is offered as if it had been meant", () => {
    expect(Nearest.closest("nomodel", ["command", "ada", "claude-sonnet-4-5"], 3)).toEqual([])
    expect(Nearest.nearest("nomodel", ["command", "ada"])).toBeUndefined()
  })

  it("a slip of the keyboard offers what was meant, the closest first and each once", () => {
    const known = ["claude-sonnet-4-0", "claude-sonnet-4-5", "claude-sonnet-4-5", "gpt-4o"]
    expect(Nearest.closest("claude-sonet-4-5", known, 3)).toEqual(["claude-sonnet-4-5", "claude-sonnet-4-0"])
    expect(Nearest.nearest("claude-sonet-4-5", known)).toBe("claude-sonnet-4-5")
  })
})
