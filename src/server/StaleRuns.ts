import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { RunStore } from "../../services/RunStore.js"
import { fromMillis } from "../domain/Timestamp.js"
import type { ServerSettings } from "./ServerSettings.js"

const SOONEST = Duration.seconds(1)
const LATEST = Duration.minutes(15)
/** A server that was away heard nobody: its clients get this long to speak first. */
const LONGEST_GRACE = Duration.minutes(1)

/** How often is looked: a quarter of the silence that is allowed, within bounds. */
export const interval = (staleAfter: Duration.Duration): Duration.Duration =>
  Duration.clamp(Duration.times(staleAfter, 0.25), { minimum: SOONEST, maximum: LATEST })

const closeOnce = (staleAfter: Duration.Duration) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const now = yield* Clock.currentTimeMillis
    const ended = yield* store.closeStale({ before: fromMillis(Math.max(0, now - Duration.toMillis(staleAfter))) })
    if (ended > 0) {
      yield* Effect.logInfo(
        `Ended ${ended} running row${ended === 1 ? "" : "s"} as timeout: no sign of life for ${Duration.format(staleAfter)} (TELEMETRY_STALE_AFTER).`,
      )
    }
  }).pipe(
    Effect.catchAllCause((cause) =>
      Effect.logWarning("Runs without a sign of life could not be ended; the server goes on and tries again.", cause),
    ),
  )

/**
 * Ends runs without a sign of life, in the background until the scope closes: first soon after the start, then at every
 * {@link interval}. A failure is a warning and never more.
 */
export const watch = ({ staleAfter }: ServerSettings): Effect.Effect<void, never, RunStore | Scope.Scope> =>
  Option.match(staleAfter, {
    onNone: () => Effect.void,
    onSome: (silence) =>
      closeOnce(silence).pipe(
        Effect.repeat(Schedule.spaced(interval(silence))),
        Effect.delay(Duration.min(interval(silence), LONGEST_GRACE)),
        Effect.forkScoped,
        Effect.asVoid,
      ),
  })
