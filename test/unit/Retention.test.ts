import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { RunStore, RunStoreError } from "../../services/RunStore.js"
import type { PruneOptions } from "../../services/StoreKeeping.js"
import { NOTHING, type PrunePlace } from "../../src/domain/Pruning.js"
import * as Retention from "../../src/server/Retention.js"
import { KEEP_ALL } from "../../src/server/RetentionSettings.js"

const SIZE = { file_bytes: 1, used_bytes: 1, free_bytes: 0, can_shrink: true }
const PLACE: PrunePlace = { phase: "compact", created_at: "", id: 0, spared: 0 }

/** A store that notes how it is pruned: each pruning takes two steps. */
const noted = () => {
  const asked: Array<PruneOptions> = []
  const state = { full: false, broken: false }
  const unasked = Effect.dieMessage("retention reads no runs")
  const layer = Layer.mock(RunStore, {
    info: { path: "", journalMode: "", synchronous: "" },
    json: {
      page: () => unasked,
      rows: () => Stream.die("retention reads no runs"),
      calls: () => Stream.die("retention reads no runs"),
      tree: () => unasked,
      stats: () => unasked,
    },
    repricing: { reprice: () => unasked, undo: () => unasked, history: unasked, calls: () => unasked },
    keeping: {
      prune: (options) =>
        Effect.suspend(() => {
          asked.push(options)
          if (state.broken) return new RunStoreError({ operation: "remove old runs", message: "the disk is gone" })
          return Effect.succeed({ pruned: NOTHING, next: options.place === undefined ? PLACE : null, size: SIZE })
        }),
      vacuum: Effect.void,
      integrity: Effect.succeed("ok" as const),
      condition: Effect.sync(() => ({
        last_stop: "clean" as const,
        quick_check: "not needed" as const,
        problems: [],
        disk_full: state.full,
        ballast_bytes: 0,
        size: SIZE,
      })),
    },
  })
  return { asked, state, layer }
}

const BOTH = { maxAge: Option.some(Duration.days(30)), maxBytes: Option.some(1000) }

describe("the background's retention", () => {
  it.effect("begins at once, or again before ten minutes, or leaves a pruning half done", () => {
    const { asked, layer } = noted()
    return Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 31))
      yield* Retention.watch(BOTH)
      expect(asked).toEqual([])
      yield* TestClock.adjust("6 seconds")
      expect(asked.map(({ goal, place, dryRun }) => [goal, place, dryRun])).toEqual([
        [{ kind: "age", before: "2026-01-01T00:00:05.000Z" }, undefined, false],
        [{ kind: "age", before: "2026-01-01T00:00:05.000Z" }, PLACE, false],
        [{ kind: "size", to_bytes: 1000 }, undefined, false],
        [{ kind: "size", to_bytes: 1000 }, PLACE, false],
      ])
      expect(asked[0]?.quietSince).toBe("2026-01-30T23:59:35.000Z")
      yield* TestClock.adjust("9 minutes")
      expect(asked.length).toBe(4)
      yield* TestClock.adjust("2 minutes")
      expect(asked.length).toBe(8)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("waits ten minutes on a full disk, or is ended by a failure", () => {
    const { asked, state, layer } = noted()
    return Effect.gen(function* () {
      yield* Retention.watch({ ...KEEP_ALL, maxBytes: BOTH.maxBytes })
      yield* TestClock.adjust("6 seconds")
      expect(asked.length).toBe(2)
      state.full = true
      state.broken = true
      yield* TestClock.adjust("11 seconds")
      expect(asked.length).toBe(4)
      state.broken = false
      yield* TestClock.adjust("6 seconds")
      expect(asked.length).toBe(6)
    }).pipe(Effect.scoped, Effect.provide(layer))
  })

  it.effect("removes something although nothing was set, or goes on after the server has ended", () => {
    const { asked, layer } = noted()
    return Effect.gen(function* () {
      yield* Effect.scoped(Effect.zipRight(Retention.watch(BOTH), TestClock.adjust("6 seconds")))
      const before = asked.length
      yield* Effect.scoped(Effect.zipRight(Retention.watch(KEEP_ALL), TestClock.adjust("30 minutes")))
      expect([before, asked.length]).toEqual([4, 4])
    }).pipe(Effect.provide(layer))
  })
})
