import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as LogWindow from "../../layers/LogWindow.js"
import * as Chain from "../../src/domain/Chain.js"
import type { Event } from "../../src/domain/Event.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import * as EventSamples from "../support/EventSamples.js"

const START = { offset: 0, lines: 0, hash: GENESIS_HASH }

const filled = (events: ReadonlyArray<Event>, maxBytes: number) => {
  const window = LogWindow.make(maxBytes)
  let head = START
  const lines = events.map((event) => {
    const { text } = Chain.draft(head, event)
    const link = Chain.link(head, event)
    const length = Buffer.byteLength(link.line)
    window.add(head.offset, length, link.event, text)
    const at = head
    head = { offset: head.offset + length, ...link.head }
    return { at, end: head, line: link.line.slice(0, -1) }
  })
  return { window, lines, head }
}

describe("LogWindow", () => {
  it("any stretch that it gives has the very lines of the log and ends where they end", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(EventSamples.arbitrary, { minLength: 1, maxLength: 12 }),
        FastCheck.nat({ max: 11 }),
        FastCheck.nat({ max: 8000 }),
        FastCheck.nat({ max: 8000 }),
        (events, start, most, maxBytes) => {
          const { window, lines } = filled(events, maxBytes)
          const from = lines[start % lines.length]?.at ?? START
          const slice = window.read(from, most)
          if (slice === undefined) return
          const expected = lines.slice(from.lines, from.lines + slice.texts.length)
          expect(slice.texts).toEqual(expected.map(({ line }) => line))
          expect(slice.events.map((event) => JSON.parse(JSON.stringify(event)))).toEqual(
            expected.map(({ line }) => JSON.parse(line)),
          )
          expect(slice.end).toEqual(expected.at(-1)?.end)
        },
      ),
    )
  })

  it("it keeps what was appended last within its bound, and nothing beyond either end", () => {
    const { window, lines, head } = filled(
      Array.from({ length: 3000 }, (_, n) => EventSamples.event(n)),
      20_000,
    )
    expect(window.read(START, 1000)).toBeUndefined()
    expect(window.read(head, 1000)).toBeUndefined()
    expect(
      window.read({ ...(lines[2999]?.at ?? START), offset: (lines[2999]?.at.offset ?? 0) + 1 }, 1000),
    ).toBeUndefined()
    expect(window.read(lines[2999]?.at ?? START, 1)?.texts).toHaveLength(1)
    expect(window.read(lines[2990]?.at ?? START, 1_000_000)?.texts).toHaveLength(10)
  })
})
