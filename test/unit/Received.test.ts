import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import * as Received from "../../src/domain/Received.js"

/** A chain of events whose hashes are made of a letter and their number. */
const chain = (
  letter: string,
  length: number,
): ReadonlyArray<Received.ReceivedEvent & { readonly event_hash: string }> =>
  Array.from({ length }, (_, n) => ({
    event_id: `${letter}${n + 1}`,
    prev_hash: n === 0 ? GENESIS_HASH : `hash-${letter}${n}`,
    event_hash: `hash-${letter}${n + 1}`,
  }))

const compare = (
  log: ReadonlyArray<{ readonly event_id: string; readonly event_hash: string }>,
  server: ReadonlyArray<Received.ReceivedEvent>,
): Received.Received => {
  let line = 0
  const { take, result } = Received.make(() => {
    const event = log[line]
    if (event === undefined) return undefined
    line += 1
    return { line, event_id: event.event_id, event_hash: event.event_hash }
  })
  for (const event of server) take(event)
  return result()
}

const problem = (...given: Parameters<typeof compare>) => Received.problemOf(compare(...given))

const a = chain("a", 9)

describe("what a server received, held against the log", () => {
  it("proves nothing where it is any part of the log in any order", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.shuffledSubarray([...a]), (server) => {
        expect(problem(a, server)).toBeNull()
        expect(compare(a, server).events).toBe(server.length)
      }),
    )
  })

  it("proves nothing by events that never had a place in a chain", () => {
    expect(problem(a, [...a, { event_id: "loose", prev_hash: null, event_hash: null }])).toBeNull()
  })

  it("names the first line that was rewritten, in whatever order the events came", () => {
    const log = a.map((event, n) => (n < 4 ? event : { ...event, event_hash: `forged-${n}` }))
    for (const server of [a, a.toReversed()])
      expect(problem(log, server)).toMatch(/^line 5: .* for event a5: .*rewritten/)
  })

  it("tells a cut tail from lines that were removed and went on otherwise", () => {
    expect(problem(a.slice(0, 6), a)).toBe(
      "3 events that the server received are not in the log, from a7 on: its tail was cut",
    )
    expect(problem(a.slice(0, 8), a)).toContain("1 event that the server received is not in the log, from a9 on")
    expect(problem([], a)).toContain("its tail was cut")
    expect(problem([...a.slice(0, 6), ...chain("b", 2)], a)).toContain("cut off, removed or replaced")
  })

  it("tells two logs under one run id from one that was cut, and one from the other", () => {
    const b = chain("b", 4)
    const mixed = compare(a, [...b, ...a])
    expect(Received.problemOf(mixed)).toMatch(/^the server holds two logs under this run id: 4 events .* from b1 on/)
    expect(Received.problemOf(mixed)).not.toContain("tail was cut")
    expect(Received.isOnlyMixed(mixed)).toBe(true)
    const cut = compare(a.slice(0, 5), [...a, ...b])
    expect(Received.problemOf(cut)).toMatch(/two logs .*; its tail was cut as well$/)
    expect(Received.isOnlyMixed(cut)).toBe(false)
    expect(problem(a, b)).toMatch(/^the server holds another log under this run id: 4 events/)
  })
})
