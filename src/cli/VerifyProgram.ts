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
import { printJson } from "./Reading.js"
import type { VerifyOptions } from "./VerifyCommand.js"
import { Wiring } from "./Wiring.js"

/** A run folder, by its path, by its log's path, or by a run id in the runs folder. */
const logOf = (named: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const env = yield* Environment.load
    const runsDir = Environment.runsDirOf(Option.none(), env)
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

/** `verify`: what does not hold, line by line; exit code 3 when something does not. */
export const program = (options: VerifyOptions) =>
  Effect.gen(function* () {
    const file = yield* logOf(options.runDir)
    const wiring = yield* Wiring
    const report = yield* Effect.mapError(wiring.verify(file), (error) => failure(error.message, error))
    const intact = report.problems.length === 0
    if (options.json) {
      yield* printJson({ file, intact, ...report })
    } else {
      const style = yield* Dress.style
      yield* Effect.forEach(report.problems, ({ line, problem }) => Console.log(`line ${line}: ${style.red(problem)}`))
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
  })
