import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import * as Moment from "../../src/cli/Moment.js"

const NOON = Date.UTC(2026, 0, 31, 12)

describe("instants on the command line", () => {
  it.effect("an age is not that long ago, or a day is not its beginning, or its end where that is meant", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(NOON)
      expect(yield* Moment.parse("--since", "1d")).toBe(NOON - 86_400_000)
      expect(yield* Moment.parse("--since", "12h")).toBe(Date.UTC(2026, 0, 31))
      expect(yield* Moment.parse("--since", "9999w")).toBe(0)
      expect(yield* Moment.parse("--since", "2026-01-31")).toBe(Date.UTC(2026, 0, 31))
      expect(yield* Moment.parse("--to", "2026-01-31", true)).toBe(Date.UTC(2026, 1, 1) - 1)
      expect(yield* Moment.parse("--since", "2026-01-31T13:00:00+01:00")).toBe(NOON)
    }),
  )

  it.effect("what is none of these is taken for one, or the message does not say what is", () =>
    Effect.gen(function* () {
      for (const text of ["", "30", "1 fortnight", "yesterday", "2026-13-01"]) {
        const refused = yield* Effect.flip(Moment.parse("--since", text))
        expect(refused.message).toMatch(/--since wants a day .* an instant .* or an age such as 30d/)
      }
    }),
  )
})
