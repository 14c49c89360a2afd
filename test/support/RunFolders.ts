import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"

/** A runs folder that is gone when the scope closes. */
export const temporary = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()).pipe(
  Effect.provide(NodeFileSystem.layer),
)

/** A new folder-backed run in a temporary runs folder. */
export const run = Layer.unwrapScoped(
  Effect.map(temporary, (runsDir) => CurrentRunFolder.layer({ runsDir, runId: "run-001", resume: false, config: {} })),
)
