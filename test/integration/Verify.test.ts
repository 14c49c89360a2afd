import * as fs from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as LogAudit from "../../layers/LogAudit.js"
import { type Acknowledged, compare } from "../../src/domain/Acknowledged.js"
import type { EventBody } from "../../src/domain/Event.js"
import * as EventSamples from "../support/EventSamples.js"
import * as RunFolders from "../support/RunFolders.js"
import * as TamperedLog from "../support/TamperedLog.js"

const LENGTH = 30

/** A run of thirty lines, opened and closed. */
const events = Array.from({ length: LENGTH }, (_, n) => {
  const body: EventBody | undefined =
    n === 0 ? EventSamples.created : n === LENGTH - 1 ? EventSamples.completed : undefined
  return EventSamples.event(n, body)
})

const written = Effect.flatMap(RunFolders.temporary, (runsDir) => TamperedLog.write(runsDir, events))

interface Found {
  readonly lines: ReadonlyArray<number>
  readonly acknowledged: ReadonlyArray<Acknowledged>
}

/** What `verify` finds, in this process: the lines that it names, and how the log stands to its cursor. */
const check = (log: TamperedLog.Written): Effect.Effect<Found> =>
  Effect.gen(function* () {
    const { cursor } = yield* LogAudit.surroundings(log.file)
    const head = cursor.kind === "known" ? [{ source: "cursor" as const, lines: cursor.lines, hash: cursor.hash }] : []
    const audit = yield* LogAudit.audit(
      log.file,
      head.map(({ hash }) => hash),
    )
    return {
      lines: [...new Set(audit.problems.map(({ line }) => line))],
      acknowledged: head.map((one) => compare(one, audit)),
    }
  }).pipe(Effect.orDie)

const without = <A>(all: ReadonlyArray<A>, index: number): ReadonlyArray<A> => all.toSpliced(index, 1)

const CUT = /^the log is shorter than what the server acknowledged \(30 lines, head [0-9a-f]{64}\): its tail was cut$/
const REWRITTEN = /^the file was rewritten: line 30 is not the one the server acknowledged/

describe("verify finds and names", () => {
  it.scoped("nothing in a log that nobody touched", () =>
    Effect.gen(function* () {
      const log = yield* written
      expect(yield* check(log)).toMatchObject({
        lines: [],
        acknowledged: [{ lines: LENGTH, line: LENGTH, found: true, problem: null }],
      })
    }),
  )

  it.scoped("an edit of any line: a bit flipped at any place of the file", () =>
    Effect.gen(function* () {
      const log = yield* written
      const bytes = fs.readFileSync(log.file)
      let end = 0
      const ends = log.lines.map((line) => {
        end += Buffer.byteLength(line) + 1
        return end
      })
      const flips = [
        ...ends.flatMap((_end, line) => [0, 1, 40, 100, 300].map((step) => [(ends[line - 1] ?? 0) + step, 1] as const)),
        ...ends.map((end) => [end - 1, 1] as const),
        ...FastCheck.sample(FastCheck.tuple(FastCheck.nat(bytes.length - 1), FastCheck.integer({ min: 1, max: 255 })), {
          numRuns: 300,
          seed: 7,
        }),
      ]
      for (const [at, mask] of flips) {
        const edited = Buffer.from(bytes)
        edited[at] = (edited[at] ?? 0) ^ mask
        fs.writeFileSync(log.file, edited)
        const line = ends.findIndex((end) => at < end) + 1
        const { lines } = yield* check(log)
        expect([at, mask, lines]).toEqual([at, mask, expect.arrayContaining([line])])
      }
    }),
  )

  it.scoped("a removed line, by the one that follows it", () =>
    Effect.gen(function* () {
      const log = yield* written
      for (let index = 0; index < LENGTH - 1; index++) {
        TamperedLog.replace(log, without(log.lines, index))
        const found = yield* check(log)
        expect(found.lines).toContain(index + 1)
        expect(found.acknowledged[0]?.problem).toMatch(/line 30 is not .* which stands at line 29 now/)
      }
    }),
  )

  it.scoped("two neighbours that were swapped", () =>
    Effect.gen(function* () {
      const log = yield* written
      for (let index = 0; index < LENGTH - 1; index++) {
        const swapped = without(log.lines, index).toSpliced(index + 1, 0, log.lines[index] ?? "")
        TamperedLog.replace(log, swapped)
        expect((yield* check(log)).lines).toEqual(expect.arrayContaining([index + 1, index + 2]))
      }
    }),
  )

  it.scoped("a line inserted anywhere: copied from elsewhere, or forged so that it fits the line before it", () =>
    Effect.gen(function* () {
      const log = yield* written
      for (let index = 0; index < LENGTH; index++) {
        const before = log.events[index]
        if (before === undefined) throw new Error("no such event")
        const copied = log.lines[(index * 7) % LENGTH] ?? ""
        TamperedLog.replace(log, log.lines.toSpliced(index, 0, copied))
        expect((yield* check(log)).lines.length).toBeGreaterThan(0)
        const { line } = TamperedLog.forged(before, index + 1, before.event_hash)
        TamperedLog.replace(log, log.lines.toSpliced(index + 1, 0, line.trimEnd()))
        const found = yield* check(log)
        // Behind the last line a forged one only lengthens the log: what was acknowledged still stands.
        if (index < LENGTH - 1) expect(found.lines).toContain(index + 3)
      }
    }),
  )

  it.scoped("a tail cut at any line, by the cursor", () =>
    Effect.gen(function* () {
      const log = yield* written
      for (let kept = 0; kept < LENGTH; kept++) {
        TamperedLog.replace(log, log.lines.slice(0, kept))
        const found = yield* check(log)
        expect(found.lines).toEqual([])
        expect(found.acknowledged).toMatchObject([{ found: false, line: null, problem: expect.stringMatching(CUT) }])
      }
    }),
  )

  it.scoped("a whole file written anew with a chain that holds, by the cursor", () =>
    Effect.gen(function* () {
      const log = yield* written
      TamperedLog.replace(log, TamperedLog.forgery(log.events))
      const found = yield* check(log)
      expect(found.lines).toEqual([])
      expect(found.acknowledged).toMatchObject([{ found: false, problem: expect.stringMatching(REWRITTEN) }])
    }),
  )
})
