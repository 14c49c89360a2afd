import * as Effect from "effect/Effect"
import type { RunStoreError } from "../../services/RunStore.js"
import { Refused } from "./ApiErrors.js"

const CANNOT = "The store cannot do this now. Its log says why; try again later."
const FULL =
  "The server's disk is full: nothing can be written until there is room there, reading goes on. Keep it and try again later."
const BUSY = "Too many reads wait already. Try again later."
const TOO_LARGE =
  "What was asked for is larger than one answer may be. Ask for fewer rows at a time (limit), for a tree list its runs page by page instead, or export them."

const refusal = ({ reason }: RunStoreError): Refused => {
  switch (reason) {
    case "full":
      return new Refused({ status: 503, detail: FULL })
    case "busy":
      return new Refused({ status: 503, detail: BUSY })
    case "too large":
      return new Refused({ status: 413, detail: TOO_LARGE })
    default:
      return new Refused({ status: 503, detail: CANNOT })
  }
}

/** Whoever asks too much, or together with too many, is no failure of the store. */
const logged = ({ reason, message }: RunStoreError): Effect.Effect<void> =>
  reason === "busy" || reason === "too large" ? Effect.logWarning(message) : Effect.logError(message)

/** A store that fails is logged here in full; the outside learns only whether it may ask again, or for less. */
export const hidden = <A, E, R>(
  self: Effect.Effect<A, E | RunStoreError, R>,
): Effect.Effect<A, Exclude<E, RunStoreError> | Refused, R> =>
  Effect.catchIf(
    self,
    (error): error is Extract<E | RunStoreError, RunStoreError> => isStoreError(error),
    (error) => Effect.zipRight(logged(error), Effect.fail(refusal(error))),
  )

const isStoreError = (error: unknown): error is RunStoreError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "RunStoreError"
