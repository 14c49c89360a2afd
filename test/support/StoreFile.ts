import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"

/** A store in a new file, which goes with its folder when `use` is done. */
export const inFile = <A, E>(use: (store: RunStoreService, path: string) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = (yield* Path.Path).join(
      yield* fs.makeTempDirectoryScoped({ prefix: "runledger-reading-" }),
      "s.sqlite",
    )
    const context = yield* Layer.build(RunStoreSql.layer({ path }))
    return yield* Effect.flatMap(RunStore, (store) => use(store, path)).pipe(Effect.provide(context))
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
