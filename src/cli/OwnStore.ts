import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RunStore } from "../../services/RunStore.js"
import { failure } from "./CommandError.js"
import { Wiring } from "./Wiring.js"

const failed = (error: { readonly message: string }) => failure(error.message, error)

/** A database that is this process's own for as long as the scope is open; fails while a server has it. */
export const open = (file: string) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    yield* wiring.serverLock(file)
    const context = yield* Layer.build(wiring.store(file))
    return yield* Effect.provide(RunStore, context)
  }).pipe(Effect.mapError(failed))
