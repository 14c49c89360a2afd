import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { fileName } from "../domain/Ids.js"
import { checkFailed, failure, usage } from "./CommandError.js"
import * as Dress from "./Dress.js"
import * as Environment from "./Environment.js"
import * as Figures from "./Figures.js"
import { DEFAULT_RUNS_DIR } from "./LaunchSettings.js"
import { json, printJson } from "./Reading.js"
import { Wiring } from "./Wiring.js"

/** A run folder, by its path, by its log's path, or by a run id in the runs folder. */
const logOf = (named: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const env = yield* Environment.load
    const runsDir = Option.getOrElse(env.runsDir, () => DEFAULT_RUNS_DIR)
    const candidates = [
      ...(path.basename(named) === "events.ndjson" ? [named] : []),
      path.join(named, "events.ndjson"),
      path.join(runsDir, fileName(named), "events.ndjson"),
    ]
    const isThere = (file: string) => Effect.orElseSucceed(fs.exists(file), () => false)
    const found = yield* Effect.findFirst(candidates, isThere)
    return yield* Option.match(found, {
      onSome: (file) => Effect.succeed(path.resolve(file)),
      onNone: () =>
        usage(
          `No event log in ${named}. Name a run folder such as ${runsDir}/<run_id>; "runledger runs" lists the runs.`,
        ),
    })
  })

/** Checks a log's chain: exit code 3 and the lines concerned when it does not hold. */
export const verify = Command.make(
  "verify",
  { runDir: Args.text({ name: "RUN_DIR" }).pipe(Args.withDescription("A run folder, or a run id")), json },
  (options) =>
    Effect.gen(function* () {
      const file = yield* logOf(options.runDir)
      const wiring = yield* Wiring
      const report = yield* Effect.mapError(wiring.verify(file), (error) => failure(error.message, error))
      const intact = report.problems.length === 0
      if (options.json) {
        yield* printJson({ file, intact, ...report })
      } else {
        const style = yield* Dress.style
        yield* Effect.forEach(report.problems, ({ line, problem }) =>
          Console.log(`line ${line}: ${style.red(problem)}`),
        )
        if (intact) {
          const lines = Figures.plural(report.lines, "line")
          yield* Console.log(`${style.green("intact")}: ${lines} of ${file}, head ${report.head}`)
        }
      }
      if (!intact) {
        return yield* checkFailed(
          `${file} does not verify: ${Figures.plural(report.problems.length, "problem")} in ${Figures.plural(report.lines, "line")}. What stands before line ${report.problems[0]?.line ?? 1} can be trusted.`,
        )
      }
    }),
)
