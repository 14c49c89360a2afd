import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { RunStoreError } from "../services/RunStore.js"
import * as NextTurn from "./NextTurn.js"
import type * as Batch from "./RunStoreSqlBatch.js"
import type { Share } from "./RunStoreSqlWrites.js"

/** Operations of one transaction, so that none keeps those that wait, and the reading of sockets, for long. */
const OPERATIONS_AT_ONCE = 2000

/** Turns of the event loop for which a transaction waits at most while more requests come in. */
const TURNS = 8

/** A share whose answer goes to whoever waits for it. */
interface Waiting extends Share<void> {
  readonly answer: (exit: Exit.Exit<void, RunStoreError>) => void
  /** Whoever waited has gone. */
  isForgotten: boolean
}

const weight = (share: Share<unknown>): number => Math.max(1, share.operations.length)

const closed = new RunStoreError({ operation: "write", message: "The store is closing. Ask again once it is open." })

/** Takes the shares that fit into one transaction, in their order; at least one. */
const take = (queue: Array<Waiting>): ReadonlyArray<Waiting> => {
  let size = 0
  let operations = 0
  for (const share of queue) {
    operations += weight(share)
    if (size > 0 && operations > OPERATIONS_AT_ONCE) break
    size += 1
  }
  return queue.splice(0, size).filter((share) => !share.isForgotten)
}

/**
 * Writes of many requests in one transaction: while one is written, others gather, and the next transaction takes them all, in
 * the order in which they came, up to 2,000 operations. Each is answered when its transaction is durable. When a transaction
 * fails, its requests are tried again one by one, so that one that cannot be written fails alone. Whoever goes away before its
 * turn is left out. Closing the scope lets the transaction under way finish, and fails what still waits.
 */
export const make = (
  commit: (shares: ReadonlyArray<Share<void>>) => Effect.Effect<void, RunStoreError>,
): Effect.Effect<<A>(share: Share<A>) => Effect.Effect<A, RunStoreError>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const queue: Array<Waiting> = []
    let wake: (() => void) | undefined
    let isOpen = true

    const something = Effect.async<void>((resume) => {
      if (queue.length > 0) return resume(Effect.void)
      wake = () => resume(Effect.void)
      return Effect.sync(() => {
        wake = undefined
      })
    })

    const alone = (share: Waiting) => Effect.map(Effect.exit(commit([share])), share.answer)

    const together = (shares: ReadonlyArray<Waiting>): Effect.Effect<void> =>
      shares.length === 0
        ? Effect.void
        : Effect.flatMap(Effect.exit(commit(shares)), (exit) => {
            if (Exit.isFailure(exit) && shares.length > 1) return Effect.forEach(shares, alone, { discard: true })
            return Effect.sync(() => {
              for (const share of shares) share.answer(exit)
            })
          })

    /** Going on some turns later, as long as each brings more, lets every request that stands in a socket take part. */
    const gathered = (turns: number): Effect.Effect<void> =>
      Effect.suspend(() => {
        const before = queue.length
        const more = Effect.suspend(() => (turns > 1 && queue.length > before ? gathered(turns - 1) : Effect.void))
        return Effect.zipRight(NextTurn.nextTurn, more)
      })

    const next = something.pipe(
      Effect.zipRight(gathered(TURNS)),
      Effect.zipRight(Effect.uninterruptible(Effect.suspend(() => together(take(queue))))),
    )

    yield* Effect.forkScoped(Effect.forever(next))
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        isOpen = false
        for (const share of queue.splice(0)) share.answer(Exit.fail(closed))
      }),
    )

    return <A>(share: Share<A>) =>
      Effect.async<A, RunStoreError>((resume) => {
        if (!isOpen) return resume(Effect.fail(closed))
        let answer: { readonly value: A } | undefined
        const waiting: Waiting = {
          ...share,
          fold: (batch: Batch.Batch) => {
            answer = { value: share.fold(batch) }
          },
          answer: (exit) => {
            if (Exit.isFailure(exit)) resume(Effect.failCause(exit.cause))
            else if (answer !== undefined) resume(Effect.succeed(answer.value))
          },
          isForgotten: false,
        }
        queue.push(waiting)
        const waker = wake
        wake = undefined
        waker?.()
        return Effect.sync(() => {
          waiting.isForgotten = true
        })
      })
  })
