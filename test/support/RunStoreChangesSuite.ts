import type { PlatformError } from "@effect/platform/Error"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { RunStoreError, RunStoreService } from "../../services/RunStore.js"
import type { CommitAssociation } from "../../src/domain/CommitAssociation.js"
import { call, creating, found, run, updating } from "./RunStores.js"

type WithStore = <A, E>(
  use: (store: RunStoreService) => Effect.Effect<A, E>,
) => Effect.Effect<A, E | RunStoreError | PlatformError>

const COMMIT: CommitAssociation = {
  commit_hash: "abcdef1",
  commit_source: "ci",
  commit_author: null,
  commit_timestamp: null,
}

const idsAfter = (store: RunStoreService, revision: number, filter = {}) =>
  Effect.map(store.changes(filter, revision), ({ changes }) =>
    changes.map(({ text }): string => JSON.parse(text).event_id),
  )

/** What every store promises of commits and of its changes. */
export const changes = (withStore: WithStore): void => {
  it.live("a row changes unseen, or is told twice for one look", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { revision: start } = yield* store.position
        yield* store.insert([run({ event_id: "a" }), run({ event_id: "b" }), call("c")])
        const after = yield* store.position
        expect(after.revision).toBe(start + 3)
        expect(yield* idsAfter(store, start)).toEqual(["a", "b", "c"])
        expect(yield* idsAfter(store, start, { job_type: "llm_call" })).toEqual(["c"])
        yield* store.apply([updating("a", { status: "success" }), updating("a", { duration_ms: 3 })], {})
        yield* store.update("b", { status: "failure" })
        expect(yield* idsAfter(store, after.revision)).toEqual(["a", "b"])
        const { revision } = yield* store.position
        expect(yield* store.changes({ job_type: "nothing" }, start)).toEqual({ changes: [], revision, more: false })
        yield* store.insert([run({ event_id: "a" })])
        expect(yield* store.position).toEqual({ ...after, revision })
        yield* store.apply([updating("waits", { status: "success" })], {})
        expect(yield* idsAfter(store, revision)).toEqual([])
        yield* store.apply([creating("waits")], {})
        expect(yield* idsAfter(store, revision)).toEqual(["waits"])
      }),
    ),
  )

  it.live("who waits for a change sleeps through it, or wakes without one", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { revision } = yield* store.position
        const waiting = yield* Effect.fork(store.awaitChange(revision))
        yield* store.apply([], { run_id: "quiet", backlog: 1 })
        yield* Effect.yieldNow()
        expect(Option.isNone(yield* Fiber.poll(waiting))).toBe(true)
        yield* store.insert([run({ event_id: "a" })])
        yield* Fiber.join(waiting).pipe(Effect.timeout("20 seconds"))
        yield* store.awaitChange(revision).pipe(Effect.timeout("20 seconds"))
      }),
    ),
  )

  it.live("a lot of large rows is held as a whole", () =>
    withStore((store) =>
      Effect.gen(function* () {
        const { revision } = yield* store.position
        yield* store.insert(
          Array.from({ length: 12 }, (_, n) => run({ event_id: `e${n}`, output_summary: "x".repeat(1_000_000) })),
        )
        const first = yield* store.changes({}, revision)
        expect([first.changes.length < 12, first.more]).toEqual([true, true])
        const rest = yield* store.changes({}, first.revision)
        expect(first.changes.length + rest.changes.length).toBeGreaterThan(first.changes.length)
        expect(rest.changes[0]?.revision).toBe(first.revision + 1)
      }),
    ),
  )

  it.live("a commit takes rows that it was not given, or forgets what was known of it", () =>
    withStore((store) =>
      Effect.gen(function* () {
        yield* store.insert([
          run({ event_id: "root", run_id: "run-001", git_commit_author: "A" }),
          ...Array.from({ length: 1200 }, (_, n) => call(`c${n}`)),
          run({ event_id: "deep", parent_run_id: "c7" }),
          run({ event_id: "stranger" }),
        ])
        const { revision } = yield* store.position
        const one = yield* store.associateCommit("root", COMMIT, { propagate: false })
        expect(one).toEqual(Option.some({ runId: "run-001", rows: 1 }))
        const again = yield* store.associateCommit("root", COMMIT, { propagate: false })
        expect(again).toEqual(Option.some({ runId: "run-001", rows: 1 }))
        expect(yield* idsAfter(store, revision)).toEqual(["root"])
        const all = yield* store.associateCommit("root", { ...COMMIT, commit_author: "B" }, { propagate: true })
        expect(all).toEqual(Option.some({ runId: "run-001", rows: 1202 }))
        for (const id of ["root", "c0", "c1199", "deep"]) {
          expect(yield* found(store, id)).toMatchObject({ git_commit_hash: "abcdef1", git_commit_author: "B" })
        }
        expect((yield* found(store, "stranger")).git_commit_hash).toBe(null)
        yield* store.associateCommit("root", { ...COMMIT, commit_hash: "1234567" }, { propagate: false })
        expect(yield* found(store, "root")).toMatchObject({ git_commit_hash: "1234567", git_commit_author: "B" })
        expect(yield* store.associateCommit("nobody", COMMIT, { propagate: true })).toEqual(Option.none())
      }),
    ),
  )
}
