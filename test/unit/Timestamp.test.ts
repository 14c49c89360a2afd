import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Timestamp from "../../src/domain/Timestamp.js"

const decode = Schema.decodeUnknownEither(Timestamp.Timestamp)

describe("Timestamp", () => {
  it.each([
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"],
    ["2026-01-31T12:00Z", "2026-01-31T12:00:00.000Z"],
    ["2026-01-31 12:00:00.5+02:00", "2026-01-31T10:00:00.500Z"],
    ["2026-01-31T12:00:00,123456789-0530", "2026-01-31T17:30:00.123Z"],
    ["2026-01-01T00:30:00+01", "2025-12-31T23:30:00.000Z"],
    ["2024-02-29T00:00:00z", "2024-02-29T00:00:00.000Z"],
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"],
  ])("%s is stored as %s", (text, stored) => {
    expect(decode(text)).toEqual(Either.right(stored))
  })

  it.each([
    "2026-01-31T12:00:00",
    "2026-01-31",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-31T24:00:00Z",
    "2026-01-31T12:60:00Z",
    "2026-01-31T12:00:00+99:00",
    "9999-12-31T23:59:59-01:00",
    "0000-01-01T00:00:00+01:00",
    "yesterday",
    "",
  ])("%j names no instant and is refused", (text) => {
    expect(Either.isLeft(decode(text))).toBe(true)
  })

  it("what is stored is read back as the same instant", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.integer({ min: Date.UTC(1000, 0), max: Date.UTC(9999, 0) }), (millis) => {
        expect(Timestamp.parseMillis(Timestamp.fromMillis(millis))).toBe(millis)
      }),
    )
  })
})
