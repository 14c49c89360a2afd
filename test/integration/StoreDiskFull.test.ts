import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import type { PruneGoal, PrunePlace } from "../../src/domain/Pruning.js"
import * as Disks from "../support/Disks.js"
import { run } from "../support/RunStores.js"

const LARGE = "x".repeat(3000)

const using = <A, E>(path: string, use: (store: RunStoreService) => Effect.Effect<A, E>, ballastBytes: number) =>
  Effect.flatMap(RunStore, use).pipe(Effect.provide(RunStoreSql.layer({ path, house: { ballastBytes } })))

const prune = (store: RunStoreService, goal: PruneGoal) =>
  Effect.gen(function* () {
    let place: PrunePlace | null | undefined
    do {
      const quietSince = "9999-01-01T00:00:00.000Z"
      const step = yield* store.keeping.prune({ goal, dryRun: false, quietSince, place: place ?? undefined })
      place = step.next
    } while (place !== null)
  })

const ids = (store: RunStoreService) =>
  Effect.map(store.list({}, {}), (rows) => rows.map((row) => row.event_id).toSorted())

describe.skipIf(!Disks.canMount())("keeping house: a full disk (as root; skipped where no disk may be mounted)", () => {
  const BALLAST = 1024 * 1024

  it.live(
    "every acknowledged row is there, writes are refused as full, reads go on, and space brings the service back",
    () =>
      Effect.acquireUseRelease(
        Effect.sync(() => Disks.small(8192)),
        ({ folder }) =>
          using(
            nodePath.join(folder, "s.sqlite"),
            (store) =>
              Effect.gen(function* () {
                expect((yield* store.keeping.condition).ballast_bytes).toBe(BALLAST)
                const giveBack = Disks.fill(folder, 2048)
                const acknowledged: Array<string> = []
                const write = (n: number) =>
                  Effect.gen(function* () {
                    yield* store.insert([
                      run({ event_id: `w${n}`, run_id: `w${n}`, status: "success", input_summary: LARGE }),
                    ])
                    acknowledged.push(`w${n}`)
                    return n + 1
                  })
                const error = yield* Effect.flip(Effect.iterate(0, { while: (n) => n < 20_000, body: write }))
                expect(error.reason).toBe("full")
                expect(acknowledged.length).toBeGreaterThan(10)
                expect(yield* ids(store)).toEqual(acknowledged.toSorted())
                expect((yield* store.keeping.condition).disk_full).toBe(true)
                expect((yield* Effect.flip(store.ping)).reason).toBe("full")
                giveBack()
                yield* Effect.retry(
                  store.ping,
                  Schedule.spaced("100 millis").pipe(Schedule.compose(Schedule.recurs(200))),
                )
                yield* write(30_000)
                expect(yield* ids(store)).toEqual(acknowledged.toSorted())
                expect(yield* store.keeping.condition).toMatchObject({ disk_full: false, ballast_bytes: BALLAST })
              }),
            BALLAST,
          ),
        (disk) => Effect.sync(disk.remove),
      ),
  )

  it.live("a ballast for which there was no room at the start is never put by, although room came", () =>
    Effect.acquireUseRelease(
      Effect.sync(() => Disks.small(8192)),
      ({ folder }) =>
        Effect.gen(function* () {
          const giveBack = Disks.fill(folder, 2000)
          yield* using(
            nodePath.join(folder, "s.sqlite"),
            (store) =>
              Effect.gen(function* () {
                expect(yield* store.keeping.condition).toMatchObject({ disk_full: false, ballast_bytes: 0 })
                giveBack()
                yield* store.keeping.condition.pipe(
                  Effect.filterOrFail(({ ballast_bytes }) => ballast_bytes === BALLAST),
                  Effect.retry(Schedule.spaced("100 millis").pipe(Schedule.compose(Schedule.recurs(200)))),
                )
                yield* store.ping
              }),
            BALLAST,
          )
        }),
      (disk) => Effect.sync(disk.remove),
    ),
  )

  it.live("removing old runs digs the service out without any new space", () =>
    Effect.acquireUseRelease(
      Effect.sync(() => Disks.small(10_240)),
      ({ folder }) =>
        using(
          nodePath.join(folder, "s.sqlite"),
          (store) =>
            Effect.gen(function* () {
              const write = (n: number) =>
                Effect.as(
                  store.insert([run({ event_id: `w${n}`, run_id: `w${n}`, status: "success", input_summary: LARGE })]),
                  n + 1,
                )
              expect((yield* Effect.flip(Effect.iterate(0, { while: (n) => n < 20_000, body: write }))).reason).toBe(
                "full",
              )
              const before = yield* store.keeping.condition
              yield* prune(store, { kind: "size", to_bytes: Math.round(before.size.used_bytes / 3) })
              yield* Effect.retry(
                store.ping,
                Schedule.spaced("100 millis").pipe(Schedule.compose(Schedule.recurs(200))),
              )
              yield* write(30_000)
              const after = yield* store.keeping.condition
              expect(after).toMatchObject({ disk_full: false, ballast_bytes: BALLAST })
            }),
          BALLAST,
        ),
      (disk) => Effect.sync(disk.remove),
    ),
  )
})
