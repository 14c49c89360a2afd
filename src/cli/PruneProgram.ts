import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { StoreKeeping } from "../../services/StoreKeeping.js"
import * as Age from "../domain/Age.js"
import * as ByteSize from "../domain/ByteSize.js"
import type { FolderPruned } from "../domain/FolderPruning.js"
import { add, NOTHING, type PruneGoal, type PrunePlace, type PruneStep } from "../domain/Pruning.js"
import { fromMillis } from "../domain/Timestamp.js"
import * as Retention from "../server/Retention.js"
import { failure, usage } from "./CommandError.js"
import * as Environment from "./Environment.js"
import * as OwnStore from "./OwnStore.js"
import type { PruneOptions } from "./PruneCommand.js"
import * as PruneReport from "./PruneReport.js"
import * as PruneServer from "./PruneServer.js"
import { printJson } from "./Reading.js"
import { DEFAULT_DB_PATH } from "./ServeProgram.js"
import * as ServerProbe from "./ServerProbe.js"
import { Wiring } from "./Wiring.js"

const failed = (error: { readonly message: string }) => failure(error.message, error)

/** What was asked for, understood. */
interface Asked {
  readonly before: string | null
  readonly toBytes: number | null
}

const understood = (options: PruneOptions) =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const age = yield* Effect.transposeMapOption(options.olderThan, (text) =>
      Effect.mapError(Age.parse(text), () =>
        usage(`--older-than must be an age such as 30d, 12h or 2w; it is "${text}".`),
      ),
    )
    const size = yield* Effect.transposeMapOption(options.toSize, (text) =>
      Effect.mapError(ByteSize.parse(text), () =>
        usage(`--to-size must be a size such as 500MB or 2GiB; it is "${text}".`),
      ),
    )
    const before = Option.map(age, (millis) => fromMillis(Math.max(0, now - millis)))
    if (Option.isNone(before) && Option.isNone(size) && !options.vacuum) {
      return yield* usage("Say what is to go: --older-than AGE, --to-size SIZE, or both. --dry-run shows it first.")
    }
    const asked: Asked = { before: Option.getOrNull(before), toBytes: Option.getOrNull(size) }
    return asked
  })

const goalsOf = ({ before, toBytes }: Asked): ReadonlyArray<PruneGoal> => [
  ...(before === null ? [] : [{ kind: "age" as const, before }]),
  ...(toBytes === null ? [] : [{ kind: "size" as const, to_bytes: toBytes }]),
]

/** Whoever does the work, one step at a time. */
export type Stepper<E, R> = (
  goal: PruneGoal,
  place: PrunePlace | undefined,
  dryRun: boolean,
) => Effect.Effect<PruneStep, E, R>

const direct =
  (keeping: StoreKeeping): Stepper<ReturnType<typeof failed>, never> =>
  (goal, place, dryRun) =>
    Effect.flatMap(Retention.quietSince, (quietSince) =>
      Effect.mapError(keeping.prune({ goal, quietSince, dryRun, place }), failed),
    )

/** All goals one after the other, each to its end. */
const through = <E, R>(step: Stepper<E, R>, goals: ReadonlyArray<PruneGoal>, dryRun: boolean) =>
  Effect.gen(function* () {
    let pruned = NOTHING
    let size: PruneStep["size"] | null = null
    for (const goal of goals) {
      let place: PrunePlace | null | undefined
      do {
        const done: PruneStep = yield* step(goal, place ?? undefined, dryRun)
        pruned = add(pruned, done.pruned)
        place = done.next
        size = done.size
      } while (place !== null)
    }
    return { pruned, size }
  })

const inDatabase = (options: PruneOptions, asked: Asked) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const env = yield* Environment.load
    const goals = goalsOf(asked)
    const probe = yield* ServerProbe.probe(Environment.serverOf(env))
    const named = Option.map(options.db, (file) => path.resolve(file))
    const isServers = probe.kind === "runledger" && Option.getOrElse(named, () => probe.dbPath) === probe.dbPath
    if (isServers && options.vacuum) {
      return yield* usage(
        `${probe.dbPath} is in use by the server: stop it, then run this again with --vacuum --db ${probe.dbPath}.`,
      )
    }
    if (isServers) {
      const done = yield* through(PruneServer.stepper(env), goals, options.dryRun)
      return { database: probe.dbPath, ...done }
    }
    const file = Option.getOrElse(named, () => path.resolve(Option.getOrElse(env.dbPath, () => DEFAULT_DB_PATH)))
    if (!(yield* PruneServer.isThere(file))) {
      return Option.isSome(options.db) || options.vacuum
        ? yield* usage(`There is no database ${file}.`)
        : { database: null, pruned: NOTHING, size: null }
    }
    const { keeping } = yield* OwnStore.open(file)
    const done = yield* through(direct(keeping), goals, options.dryRun)
    if (!options.vacuum || options.dryRun) return { database: file, ...done }
    yield* Effect.mapError(keeping.vacuum, failed)
    const { size } = yield* Effect.mapError(keeping.condition, failed)
    return { database: file, pruned: done.pruned, size }
  })

const inFolders = (options: PruneOptions, asked: Asked) =>
  Effect.gen(function* () {
    const none: ReadonlyArray<FolderPruned> = []
    if (Option.isNone(options.runsDir)) return none
    const wiring = yield* Wiring
    const goal = { ...asked, dryRun: options.dryRun, force: options.force }
    return yield* Effect.mapError(wiring.pruneFolders(options.runsDir.value, goal), failed)
  })

/** `prune`: lets old runs go, from the database and on demand from a runs folder, or says what would go. */
export const program = (options: PruneOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const asked = yield* understood(options)
      const done = yield* inDatabase(options, asked)
      const folders = yield* inFolders(options, asked)
      const report: PruneReport.PruneReport = { ...done, dry_run: options.dryRun, folders }
      yield* options.json ? printJson(report) : Console.log(PruneReport.inWords(report))
    }),
  )
