import * as Effect from "effect/Effect"

/** Goes on one turn of the event loop later, when timers, sockets and the rest of the program have had theirs. */
export const nextTurn: Effect.Effect<void> = Effect.async((resume) => {
  const turn = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(turn))
})
