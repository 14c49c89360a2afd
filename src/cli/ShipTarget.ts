import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { fileName } from "../domain/Ids.js"
import { usage } from "./CommandError.js"

/** Whose backlog is meant. */
export interface Target {
  readonly runsDir: string
  /** The name of the only run that is meant. */
  readonly only?: string
}

const LOG = "events.ndjson"

/** What to give instead of what was given. */
const HOW =
  "Name a runs folder, a run's folder, or a run id in the runs folder: runledger ship [RUNS_DIR|RUN_DIR|RUN_ID]. Without one it is RUNLEDGER_RUNS_DIR, or runs, where you stand."

const typeOf = (place: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    fs.stat(place).pipe(
      Effect.map(({ type }): FileSystem.File.Type | "Nothing" => type),
      Effect.orElseSucceed(() => "Nothing" as const),
    ),
  )

const hasLog = (folder: string) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    return (yield* typeOf(path.join(folder, LOG))) === "File"
  })

const only = (folder: string) =>
  Effect.map(Path.Path, (path): Target => ({ runsDir: path.dirname(folder), only: path.basename(folder) }))

/** A runs folder, the folder of one run, its log, or the id of a run in the runs folder. */
export const of = (given: Option.Option<string>, runsDir: string) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const place = path.resolve(Option.getOrElse(given, () => runsDir))
    const type = yield* typeOf(place)
    if (type === "Directory") return (yield* hasLog(place)) ? yield* only(place) : { runsDir: place }
    if (type === "File" && path.basename(place) === LOG) return yield* only(path.dirname(place))
    if (Option.isNone(given)) return yield* usage(`There is no folder ${place} to look for runs in. ${HOW}`)
    if (type !== "Nothing") return yield* usage(`${place} is no folder and no run's ${LOG}. ${HOW}`)
    const run = path.resolve(runsDir, fileName(given.value))
    if (yield* hasLog(run)) return yield* only(run)
    return yield* usage(`There is no folder ${place}, and no run ${given.value} in ${path.resolve(runsDir)}. ${HOW}`)
  })

/** True when at least one folder of a runs folder holds a run. */
export const hasRuns = ({ runsDir, only: run }: Target) =>
  Effect.gen(function* () {
    if (run !== undefined) return true
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const names = yield* Effect.orElseSucceed(fs.readDirectory(runsDir), () => [])
    return yield* Effect.exists(
      names.filter((name) => !name.startsWith(".")),
      (name) => hasLog(path.join(runsDir, name)),
    )
  })
