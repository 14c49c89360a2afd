import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Span from "../../layers/RunStoreSqlSpan.js"
import { fromMillis } from "../../src/domain/Timestamp.js"

const HOUR = 3_600_000
const DAY = 24 * HOUR
const BASE = Date.UTC(2026, 0, 1)

const Instant = FastCheck.oneof(
  FastCheck.integer({ min: 0, max: 4 * DAY }),
  FastCheck.tuple(FastCheck.integer({ min: 0, max: 96 }), FastCheck.integer({ min: -1, max: 1 })).map(
    ([hours, millis]) => Math.max(0, hours * HOUR + millis),
  ),
).map((millis) => BASE + millis)

const all = (parts: Span.Parts): ReadonlyArray<Span.Range> => [...parts.days, ...parts.hours, ...parts.rest]

describe("RunStoreSqlSpan", () => {
  it.prop(
    "an instant of a span is summed up twice or never, or one outside of it is",
    [Instant, Instant, Instant, FastCheck.boolean()],
    ([from, to, probe, hourly]) => {
      const parts = Span.parts(fromMillis(from), fromMillis(to), hourly)
      const within = all(parts).filter((range) => range.from <= probe && probe < range.to).length
      expect(within).toBe(from <= probe && probe <= to ? 1 : 0)
      for (const { from: start, to: end } of parts.days)
        expect([(start - BASE) % DAY, (end - BASE) % DAY]).toEqual([0, 0])
      for (const { from: start, to: end } of parts.hours) expect([start % HOUR, end % HOUR]).toEqual([0, 0])
      for (const { from: start, to: end } of parts.rest) expect(end - start).toBeLessThan(2 * HOUR)
    },
  )

  it("a span without bounds is read from anything but whole days, or an open end from rows", () => {
    const open = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }
    expect(Span.parts(undefined, undefined, false)).toEqual({ days: [open], hours: [], rest: [] })
    expect(Span.parts(undefined, undefined, true)).toEqual({ days: [], hours: [open], rest: [] })
    const since = Span.parts(fromMillis(BASE + HOUR), undefined, false)
    expect(since).toEqual({
      days: [{ from: BASE + DAY, to: Number.POSITIVE_INFINITY }],
      hours: [{ from: BASE + HOUR, to: BASE + DAY }],
      rest: [],
    })
    expect(Span.bound(Number.POSITIVE_INFINITY)).toBeUndefined()
    expect(Span.bound(Date.UTC(9999, 11, 31, 23, 59, 59, 999) + 1)).toBeUndefined()
    expect(Span.bound(BASE)).toBe("2026-01-01T00:00:00.000Z")
  })

  it("a span that begins on the last day there is counts what came before it", () => {
    const day = Date.UTC(9999, 11, 31)
    const last = day + DAY - 1
    for (const from of [day, day + 1, day + HOUR, day + 23 * HOUR, day + 23 * HOUR + 1, last]) {
      for (const to of [undefined, fromMillis(last)]) {
        for (const hourly of [false, true]) {
          const ranges = all(Span.parts(fromMillis(from), to, hourly))
          expect(ranges.map((range) => Span.bound(range.from))).not.toContain(undefined)
          for (const probe of [day - 1, from - 1, from, last]) {
            const within = ranges.filter((range) => range.from <= probe && probe < range.to).length
            expect(within).toBe(probe < from ? 0 : 1)
          }
        }
      }
    }
  })
})
