import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { fileName } from "../domain/Ids.js"
import { usage } from "./CommandError.js"

const isThere = (file: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.orElseSucceed(fs.exists(file), () => false))

/** The log of a run, named by its folder, by the log's own path, or by a run id in the runs folder. */
export const logOf = (named: string, runsDir: string) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const candidates = [
      ...(path.basename(named) === "events.ndjson" ? [named] : []),
      path.join(named, "events.ndjson"),
      path.join(runsDir, fileName(named), "events.ndjson"),
    ]
    return yield* Option.match(yield* Effect.findFirst(candidates, isThere), {
      onSome: (file) => Effect.succeed(path.resolve(file)),
      onNone: () =>
        usage(
          `No event log in ${named}. Name a run folder such as ${runsDir}/<run_id>; "runledger runs" lists the runs.`,
        ),
    })
  })
