import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { type HeaderLookup, retryAfterMillis } from "../../src/domain/HttpRetry.js"

const NOW = Date.parse("2026-01-31T12:00:00Z")
const DAY = Duration.toMillis("24 hours")

const asked = (headers: Readonly<Record<string, string>>) => {
  const header: HeaderLookup = (name) => headers[name] ?? null
  return retryAfterMillis(header, NOW)
}

describe("HttpRetry", () => {
  it("a wait that no clock can count is cut to a day, which can be told in words", () => {
    const absurd = [
      { "retry-after": "1e300" },
      { "retry-after": "1e307" },
      { "retry-after": "86401" },
      { "retry-after-ms": "1e300" },
      { "retry-after": "Sun, 31 Jan 2126 12:00:00 GMT" },
    ]
    for (const headers of absurd) expect(asked(headers), JSON.stringify(headers)).toBe(DAY)
    expect(Duration.format(Duration.millis(asked({ "retry-after": "1e300" }) ?? 0))).toBe("1d")
  })

  it("what can be understood is taken as it is, the rest is nothing", () => {
    expect(asked({ "retry-after": "7" })).toBe(7000)
    expect(asked({ "retry-after": "7", "retry-after-ms": "12" })).toBe(12)
    expect(asked({ "retry-after": "0" })).toBe(0)
    expect(asked({ "retry-after": "Sat, 31 Jan 2026 12:00:09 GMT" })).toBe(9000)
    expect(asked({ "retry-after": "Sat, 31 Jan 2026 11:00:00 GMT" })).toBe(0)
    for (const headers of [{}, { "retry-after": "" }, { "retry-after": "-3" }, { "retry-after": "soon" }])
      expect(asked(headers), JSON.stringify(headers)).toBeNull()
  })
})
