import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Batch from "../../layers/RunStoreSqlBatch.js"
import * as Groups from "../../layers/RunStoreSqlGroups.js"
import type { Share } from "../../layers/RunStoreSqlWrites.js"
import { RunStoreError } from "../../services/RunStore.js"
import { creating } from "../support/RunStores.js"

const share = (name: string, operations = 1): Share<string> => ({
  operations: Array.from({ length: operations }, () => creating(name)),
  client: {},
  fold: () => name,
})

const namesOf = (shares: ReadonlyArray<Share<unknown>>) => shares.map(({ operations }) => operations[0]?.event_id)

/** A commit that folds every share, notes who was in it, and fails when one of the unwelcome is. */
const recording = (unwelcome: ReadonlyArray<string> = [], gate: Effect.Effect<void> = Effect.void) => {
  const commits: Array<ReadonlyArray<string | undefined>> = []
  const commit = (shares: ReadonlyArray<Share<void>>) =>
    Effect.gen(function* () {
      const names = namesOf(shares)
      commits.push(names)
      for (const one of shares) one.fold(Batch.make({ now: "", rows: new Map() }))
      yield* gate
      if (names.some((name) => name !== undefined && unwelcome.includes(name))) {
        return yield* new RunStoreError({ operation: "write", message: "no" })
      }
    })
  return { commits, commit }
}

describe("RunStoreSql, many requests in one transaction", () => {
  it.live("answers each with its own, in the order in which they came", () =>
    Effect.gen(function* () {
      const { commits, commit } = recording()
      const write = yield* Groups.make(commit)
      const names = Array.from({ length: 50 }, (_, n) => `n${n}`)
      expect(yield* Effect.forEach(names, (name) => write(share(name)), { concurrency: "unbounded" })).toEqual(names)
      expect(commits).toEqual([names])
    }).pipe(Effect.scoped),
  )

  it.live("gathers those that come while one is written, and takes no more than fit", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const { commits, commit } = recording([], Deferred.await(gate))
      const write = yield* Groups.make(commit)
      const first = yield* Effect.fork(write(share("first")))
      while (commits.length === 0) yield* Effect.yieldNow()
      const others = yield* Effect.fork(
        Effect.forEach(["a", "b", "c"], (name) => write(share(name, 900)), { concurrency: "unbounded" }),
      )
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(first)).toBe("first")
      expect(yield* Fiber.join(others)).toEqual(["a", "b", "c"])
      expect(commits).toEqual([["first"], ["a", "b"], ["c"]])
    }).pipe(Effect.scoped),
  )

  it.live("lets one that cannot be written fail alone", () =>
    Effect.gen(function* () {
      const { commit } = recording(["bad"])
      const write = yield* Groups.make(commit)
      const exits = yield* Effect.forEach(["a", "bad", "b"], (name) => Effect.exit(write(share(name))), {
        concurrency: "unbounded",
      })
      expect(exits.map(Exit.isSuccess)).toEqual([true, false, true])
      expect(yield* write(share("later"))).toBe("later")
    }).pipe(Effect.scoped),
  )

  it.live(
    "leaves out who went away before its turn, and turns nobody's request into a wait for ever when it closes",
    () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<void>()
        const { commits, commit } = recording([], Deferred.await(gate))
        const scope = yield* Scope.make()
        const write = yield* Scope.extend(Groups.make(commit), scope)
        const first = yield* Effect.fork(write(share("first")))
        while (commits.length === 0) yield* Effect.yieldNow()
        const gone = yield* Effect.fork(write(share("gone")))
        const second = yield* Effect.fork(write(share("second")))
        yield* Effect.yieldNow()
        yield* Fiber.interrupt(gone)
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(first)
        expect(yield* Fiber.join(second)).toBe("second")
        expect(commits).toEqual([["first"], ["second"]])
        yield* Scope.close(scope, Exit.void)
        expect((yield* Effect.flip(write(share("late")))).message).toContain("closing")
      }),
  )
})
