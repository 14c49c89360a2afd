import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as ServerLock from "../../layers/ServerLock.js"

/** Holds the lock of the database that its first word names, says so, and waits to be ended. */
const program = Effect.gen(function* () {
  const lock = yield* ServerLock.hold(process.argv[2] ?? "")
  yield* lock.announce("http://127.0.0.1:4321")
  yield* Console.log("held")
  return yield* Effect.never
}).pipe(Effect.scoped)

NodeRuntime.runMain(program)
