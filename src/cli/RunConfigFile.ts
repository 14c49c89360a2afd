import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { fileName } from "../domain/Ids.js"
import { nearest } from "../domain/Nearest.js"
import type { RunConfigWire } from "../domain/RunConfig.js"
import * as RunConfigText from "../domain/RunConfigText.js"
import { type CommandError, usage } from "./CommandError.js"

type Needs = FileSystem.FileSystem | Path.Path

const read = (file: string): Effect.Effect<RunConfigWire, CommandError, Needs> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const text = yield* Effect.mapError(fs.readFileString(file), (cause) =>
      usage(
        cause._tag === "SystemError" && cause.reason === "NotFound"
          ? `There is no run config ${file}. Check the path given to --config.`
          : `The run config ${file} cannot be read. Check its permissions, and that it is a file.`,
        cause,
      ),
    )
    return yield* Either.mapLeft(RunConfigText.parse(text), (error) =>
      usage(
        `The run config ${file} cannot be used.\n${error.message}\n"runledger schema config" prints what it may hold.`,
        error,
      ),
    )
  })

const ofRun = (runsDir: string, runId: string): Effect.Effect<RunConfigWire, CommandError, Needs> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = path.join(runsDir, fileName(runId))
    if (yield* Effect.orElseSucceed(fs.exists(folder), () => false)) {
      const kept = path.join(folder, "run_config.json")
      const isKept = yield* Effect.orElseSucceed(fs.exists(kept), () => false)
      return isKept ? yield* read(kept) : {}
    }
    const others = yield* Effect.orElseSucceed(fs.readDirectory(runsDir), () => [])
    const guess = nearest(runId, others)
    const hint = guess === undefined ? `"runledger runs --local" lists the runs.` : `Did you mean ${guess}?`
    return yield* usage(`There is no run ${runId} in ${path.resolve(runsDir)} to resume. ${hint}`)
  })

/** The run config that a launch starts from: the file named, else the resumed run's own, else an empty one. */
export const load = (options: {
  readonly file: Option.Option<string>
  readonly resume: Option.Option<string>
  readonly runsDir: string
}): Effect.Effect<RunConfigWire, CommandError, Needs> =>
  Effect.gen(function* () {
    const ownConfig = yield* Option.match(options.resume, {
      onNone: () => Effect.succeed<RunConfigWire>({}),
      onSome: (runId) => ofRun(options.runsDir, runId),
    })
    return yield* Option.match(options.file, { onNone: () => Effect.succeed(ownConfig), onSome: read })
  })
