import * as Effect from "effect/Effect"
import type { RunStoreError } from "../../services/RunStore.js"
import { Refused } from "./ApiErrors.js"

const CANNOT = "The store cannot do this now. Its log says why; try again later."
const FULL =
  "The server's disk is full: nothing can be written until there is room there, reading goes on. Keep it and try again later."

/** A store that fails is logged here in full; the outside learns only that it may ask again. */
export const hidden = <A, E, R>(
  self: Effect.Effect<A, E | RunStoreError, R>,
): Effect.Effect<A, Exclude<E, RunStoreError> | Refused, R> =>
  Effect.catchIf(
    self,
    (error): error is Extract<E | RunStoreError, RunStoreError> => isStoreError(error),
    (error) =>
      Effect.zipRight(
        Effect.logError(error.message),
        Effect.fail(new Refused({ status: 503, detail: error.reason === "full" ? FULL : CANNOT })),
      ),
  )

const isStoreError = (error: unknown): error is RunStoreError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "RunStoreError"
