import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as DeadLetterFile from "../../layers/DeadLetterFile.js"
import type { DeadLetter } from "../../src/domain/DeadLetter.js"

const letter = (n: number): DeadLetter => ({
  at: "2026-01-31T12:00:00.000Z",
  run_id: "run-001",
  op: "create",
  event_id: `e-${n}`,
  status: 422,
  reason: "no such field",
  operation: { op: "create", n },
})

const letters = (from: number, to: number): ReadonlyArray<DeadLetter> =>
  Array.from({ length: to - from }, (_, n) => letter(from + n))

const place = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(nodePath.join(tmpdir(), "letters-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true })),
  ),
  (folder) => nodePath.join(folder, DeadLetterFile.FILE),
)

const kept = (path: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  DeadLetterFile.forEach(path, ({ event_id }) => found.push(event_id))
  return found
}

const all = (to: number): ReadonlyArray<string> => letters(0, to).map(({ event_id }) => event_id)

describe("the file of dead letters", () => {
  it.scopedLive("letters added at the same time, twice and by a later process stand there once, in order", () =>
    Effect.gen(function* () {
      const path = yield* place
      const file = DeadLetterFile.make(path)
      yield* Effect.promise(() =>
        Promise.all([file.add(letters(0, 2000)), file.add(letters(1000, 2500)), file.add([letter(1), letter(1)])]),
      )
      yield* Effect.promise(() => DeadLetterFile.make(path).add([...letters(2400, 3000), letter(2999)]))
      expect(kept(path)).toEqual(all(3000))
      expect(statSync(path).mode & 0o777).toBe(0o600)
      expect(DeadLetterFile.make(path).count()).toBe(3000)
      expect(yield* Effect.promise(() => DeadLetterFile.make(path).counted())).toBe(3000)
    }),
  )

  it.scopedLive("the event loop turns while letters are read, written and flushed", () =>
    Effect.gen(function* () {
      const path = yield* place
      let turns = 0
      const turn = (): void => {
        turns += 1
        next = setImmediate(turn)
      }
      let next = setImmediate(turn)
      yield* Effect.promise(() => DeadLetterFile.make(path).add(letters(0, 3000)))
      const [written] = [turns]
      expect(written).toBeGreaterThan(2)
      yield* Effect.promise(() => DeadLetterFile.make(path).counted())
      expect(turns).toBeGreaterThan(written + 1)
      clearImmediate(next)
    }),
  )

  it.scopedLive("a torn last line of a process that died costs no letter after it", () =>
    Effect.gen(function* () {
      const path = yield* place
      yield* Effect.promise(() => DeadLetterFile.make(path).add([letter(0)]))
      appendFileSync(path, '{"at":"2026')
      yield* Effect.promise(() => DeadLetterFile.make(path).add(letters(0, 3)))
      expect(kept(path)).toEqual(all(3))
      expect(readFileSync(path, "utf8").split("\n")).toHaveLength(5)
    }),
  )

  it.scopedLive("a link, or a folder, in its place is an error; afterwards the same letters can be added, once", () =>
    Effect.gen(function* () {
      const path = yield* place
      const victim = `${path}.victim`
      writeFileSync(victim, "")
      symlinkSync(victim, path)
      const file = DeadLetterFile.make(path)
      const add = Effect.either(Effect.tryPromise(() => file.add(letters(0, 3))))
      expect((yield* add)._tag).toBe("Left")
      rmSync(path)
      mkdirSync(path)
      expect((yield* add)._tag).toBe("Left")
      rmSync(path, { recursive: true })
      expect((yield* add)._tag).toBe("Right")
      expect((yield* add)._tag).toBe("Right")
      expect(kept(path)).toEqual(all(3))
      expect(readFileSync(victim, "utf8")).toBe("")
    }),
  )
})
