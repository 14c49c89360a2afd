import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { RunReader } from "../../services/RunReader.js"
import { closest } from "../domain/Nearest.js"
import { inert } from "./Ansi.js"
import { usage } from "./CommandError.js"
import * as Environment from "./Environment.js"
import * as Figures from "./Figures.js"
import { readFailed, type Source, sourceInWords } from "./Reading.js"
import { wholeRuns } from "./WholeRuns.js"

const NAMES_LOOKED_AT = 500
const NAMES_OFFERED = 3

/** That nothing has this name, which names are near it, and where all are listed. */
export const noSuch = (what: string, name: string) =>
  Effect.gen(function* () {
    const { source } = yield* RunReader
    const runs = yield* Effect.mapError(wholeRuns({}, NAMES_LOOKED_AT), readFailed)
    const near = closest(
      name,
      runs.map(({ run_id }) => run_id),
      NAMES_OFFERED,
    ).map(inert)
    const list =
      source.kind === "server"
        ? 'List them with "runledger runs"; --local reads the run folders.'
        : 'List them with "runledger runs --local"; --runs-dir names another runs folder.'
    return yield* usage(
      `No ${what} ${inert(name)} in ${yield* sourceInWords}.${near.length === 0 ? "" : ` Near it: ${near.join(", ")}.`} ${list}`,
    )
  })

/** Refuses a run that nobody knows, so that a slip of the keyboard never reads as a run without calls. */
export const known = ({ run }: { readonly run: Option.Option<string> }) =>
  Effect.gen(function* () {
    if (Option.isNone(run)) return
    const reader = yield* RunReader
    const found = yield* Effect.mapError(reader.get(run.value), readFailed)
    if (Option.isNone(found)) return yield* noSuch("run", run.value)
    const { run_id } = found.value
    if (run_id !== run.value) {
      return yield* usage(`${inert(run.value)} is the event id of ${inert(run_id)}: ask with --run ${inert(run_id)}.`)
    }
  })

/** How many runs have a log in a runs folder. */
const runsIn = (folder: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const names = yield* Effect.orElseSucceed(fs.readDirectory(folder), () => [])
    const logs = yield* Effect.filter(names, (name) =>
      Effect.orElseSucceed(fs.exists(path.join(folder, name, "events.ndjson")), () => false),
    )
    return logs.length
  })

/** What to do about a server without any run: the runs that stand in the runs folder, if there are some. */
export const elsewhere = (source: Source) =>
  Effect.gen(function* () {
    const reader = yield* RunReader
    if (reader.source.kind === "folders") return Option.none<string>()
    if ((yield* Effect.mapError(wholeRuns({}, 1), readFailed)).length > 0) return Option.none<string>()
    const folder = Environment.runsDirOf(source.runsDir, yield* Environment.load)
    const amount = yield* runsIn(folder)
    if (amount === 0) return Option.none<string>()
    return Option.some(
      `${Figures.plural(amount, "run")} ${amount === 1 ? "stands" : "stand"} in the folder ${inert(folder)}: read with --local, or send to this server with: runledger ship ${inert(folder)} --from-start`,
    )
  })

/** Says that there is nothing, and where there is something. */
export const said = (what: string, source: Source) =>
  Effect.gen(function* () {
    const hint = yield* elsewhere(source)
    const nothing = `${what} in ${yield* sourceInWords}.`
    yield* Console.log(Option.match(hint, { onNone: () => nothing, onSome: (more) => `${nothing} ${more}` }))
  })
