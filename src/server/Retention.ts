import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { RunStoreError } from "../../services/RunStore.js"
import { RunStore } from "../../services/RunStore.js"
import * as ByteSize from "../domain/ByteSize.js"
import { add, NOTHING, type Pruned, type PruneGoal, type PrunePlace } from "../domain/Pruning.js"
import { fromMillis } from "../domain/Timestamp.js"
import type { RetentionSettings } from "./RetentionSettings.js"

/** Between two looks; on a full disk every {@link LOOK_EVERY}. */
const EVERY = Duration.minutes(10)
const LOOK_EVERY = Duration.seconds(5)
/** Between two steps, so that clients hardly notice. */
const PACE = Duration.millis(20)

/** A run of which nothing was received for so long, and of which no row runs, has had its last word. */
export const QUIET = Duration.seconds(30)

/** The instant since which a run must not have been heard of to go. */
export const quietSince: Effect.Effect<string> = Effect.map(Clock.currentTimeMillis, (now) =>
  fromMillis(Math.max(0, now - Duration.toMillis(QUIET))),
)

const goalsOf = (settings: RetentionSettings, now: number): ReadonlyArray<PruneGoal> => [
  ...Option.match(settings.maxAge, {
    onNone: () => [],
    onSome: (age) => [{ kind: "age" as const, before: fromMillis(Math.max(0, now - Duration.toMillis(age))) }],
  }),
  ...Option.match(settings.maxBytes, {
    onNone: () => [],
    onSome: (bytes) => [{ kind: "size" as const, to_bytes: bytes }],
  }),
]

const reach = (goal: PruneGoal): Effect.Effect<Pruned, RunStoreError, RunStore> =>
  Effect.gen(function* () {
    const { keeping } = yield* RunStore
    const quiet = yield* quietSince
    let pruned = NOTHING
    let place: PrunePlace | null | undefined
    do {
      const step = yield* keeping.prune({ goal, quietSince: quiet, dryRun: false, place: place ?? undefined })
      pruned = add(pruned, step.pruned)
      place = step.next
      yield* Effect.sleep(PACE)
    } while (place !== null)
    return pruned
  })

const inWords = ({ runs, emptied_runs, rows, events, bytes }: Pruned): string =>
  `${runs} runs (${rows} rows), the texts of ${emptied_runs} more, ${events} events, about ${ByteSize.format(bytes)}`

const pruneOnce = (settings: RetentionSettings) =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const pruned = Effect.forEach(goalsOf(settings, now), reach)
    const all = (yield* pruned).reduce(add, NOTHING)
    if (all.rows + all.events + all.emptied_runs > 0) yield* Effect.logInfo(`Retention removed ${inWords(all)}.`)
  }).pipe(
    Effect.catchAllCause((cause) =>
      Effect.logWarning("Old runs could not be removed now; the server goes on and tries again.", cause),
    ),
  )

/**
 * Removes what is too old or too much, in the background until the scope closes: soon after the start, then every ten minutes, and
 * every few seconds while the disk is full. In small steps with pauses, so that writers hardly wait. A failure is a warning.
 */
export const watch = (settings: RetentionSettings): Effect.Effect<void, never, RunStore | Scope.Scope> =>
  Effect.gen(function* () {
    if (Option.isNone(settings.maxAge) && Option.isNone(settings.maxBytes)) return
    const { keeping } = yield* RunStore
    let due = 0
    yield* Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const isFull = yield* Effect.match(keeping.condition, {
        onFailure: () => false,
        onSuccess: ({ disk_full }) => disk_full,
      })
      if (now < due && !isFull) return
      yield* pruneOnce(settings)
      due = now + Duration.toMillis(EVERY)
    }).pipe(Effect.repeat(Schedule.spaced(LOOK_EVERY)), Effect.delay(LOOK_EVERY), Effect.forkScoped)
  })
