import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ErrorText from "../domain/ErrorText.js"

/** What a run or a worker says of a result that it reached. Absent counts are 0 in the row. */
export interface Outcome {
  /** `success` when absent. */
  readonly status?: "success" | "partial"
  readonly output_summary?: string | null
  /** Why it is `partial`. */
  readonly error_summary?: string | null
  readonly items_discovered?: number
  readonly items_succeeded?: number
  readonly items_failed?: number
  readonly items_skipped?: number
}

/** How something ended, and after how many monotonic milliseconds. */
export type Ending =
  | { readonly _tag: "Reached"; readonly outcome: Outcome; readonly durationMs: number }
  | { readonly _tag: "Broken"; readonly failure: ErrorText.Failure; readonly durationMs: number }

/** What `describe` says; a description that throws says nothing, because it must not change the result. */
const described = <A>(value: A, describe: (value: A) => Outcome): Effect.Effect<Outcome> =>
  Effect.sync(() => describe(value)).pipe(
    Effect.catchAllDefect((defect) =>
      Effect.as(Effect.logWarning(`A result could not be described. ${ErrorText.line(defect)}`), {}),
    ),
  )

const durationSince = (startedNanos: bigint): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeNanos, (now) => Math.max(0, Math.round(Number(now - startedNanos) / 1e3) / 1e3))

/** Reads the ending off an exit. */
export const of = <A, E>(
  exit: Exit.Exit<A, E>,
  startedNanos: bigint,
  describe: (value: A) => Outcome,
): Effect.Effect<Ending> =>
  Effect.flatMap(durationSince(startedNanos), (durationMs) =>
    Exit.match(exit, {
      onSuccess: (value) =>
        Effect.map(described(value, describe), (outcome): Ending => ({ _tag: "Reached", outcome, durationMs })),
      onFailure: (cause) => Effect.succeed<Ending>({ _tag: "Broken", failure: ErrorText.ofCause(cause), durationMs }),
    }),
  )

/** True when nothing but an interruption ended it. */
export const wasInterrupted = <A, E>(exit: Exit.Exit<A, E>): boolean =>
  Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
