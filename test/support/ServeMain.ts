import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import * as Server from "../../src/server/Server.js"
import * as ServerSettings from "../../src/server/ServerSettings.js"

const Serving = Layer.scopedDiscard(
  Effect.gen(function* () {
    const settings = yield* ServerSettings.config
    const { url } = yield* Server.serve(settings)
    yield* Effect.log(`Serving ${url}`)
  }),
)

NodeRuntime.runMain(Layer.launch(Layer.provide(Serving, RunStoreSql.layerConfig)))
