import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type LogHead, RunReader, RunReaderError, type RunReaderService } from "../services/RunReader.js"
import { CALL_JOB_TYPE } from "../src/domain/CallMeasure.js"
import { fileName } from "../src/domain/Ids.js"
import * as Leaves from "../src/domain/Leaves.js"
import * as Project from "../src/domain/Project.js"
import type { RunRecord } from "../src/domain/Run.js"
import * as RunFold from "../src/domain/RunFold.js"
import { matches, newestFirst } from "../src/domain/RunMatch.js"
import * as RunTree from "../src/domain/RunTree.js"
import * as EventLogNdjson from "./EventLogNdjson.js"

const FRESH_FOR = "1 second"

const NO_EVENTS: LogHead = { hash: null, events: 0 }

/** The rows of a run and of everything that names it, or one of its descendants, as its parent. */
const family = (all: ReadonlyArray<RunRecord>, runId: string): ReadonlyArray<RunRecord> => {
  const byParent = Arr.groupBy(all, (row) => row.parent_run_id ?? "")
  const found = new Set(all.filter((row) => row.run_id === runId))
  for (const row of found) {
    for (const child of byParent[row.run_id] ?? []) found.add(child)
  }
  return [...found]
}

export interface Options {
  readonly runsDir: string
  /** The name of the only run folder to read; all of them when absent. */
  readonly only?: string | undefined
}

const make = ({ runsDir, only }: Options) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const root = path.resolve(runsDir)

    const unreadable = (what: string, cause: unknown) =>
      new RunReaderError({
        source: what,
        message: `Cannot read ${what}. Check that it exists and may be read, or name another runs folder with --runs-dir.`,
        cause,
      })

    const logs: Effect.Effect<ReadonlyArray<string>, RunReaderError> = Effect.gen(function* () {
      if (!(yield* fs.exists(root))) return []
      const names = only === undefined ? (yield* fs.readDirectory(root)).toSorted() : [only]
      return yield* Effect.filter(
        names.map((name) => path.join(root, name, "events.ndjson")),
        (file) => Effect.orElseSucceed(fs.exists(file), () => false),
      )
    }).pipe(Effect.mapError((cause) => unreadable(root, cause)))

    const eventsOf = (file: string) =>
      EventLogNdjson.readAll(file).pipe(Stream.mapError((cause) => unreadable(file, cause)))

    const rowsOf = (file: string): Effect.Effect<ReadonlyArray<RunRecord>, RunReaderError> =>
      Effect.map(Stream.runCollect(eventsOf(file)), (events) => RunFold.fold(Project.project(events)))

    const isOf = (runId: string) => (file: string) =>
      Effect.map(
        Stream.runHead(eventsOf(file)),
        Option.exists((event) => event.run_id === runId),
      )

    /** The log of a run. Its folder is named after it unless the id does not make a name. */
    const logOf = (runId: string) =>
      Effect.gen(function* () {
        const own = path.join(root, fileName(runId), "events.ndjson")
        const files = Arr.partition(yield* logs, (file) => file === own)
        return yield* Effect.findFirst(files.toReversed().flat(), isOf(runId))
      })

    const headOf = (file: string) =>
      Stream.runFold(eventsOf(file), NO_EVENTS, ({ events }, event) => ({
        hash: event.event_hash,
        events: events + 1,
      }))

    /** All rows, newest first, and which of them bear cost. */
    const recorded = yield* Effect.gen(function* () {
      const files = yield* logs
      const all = (yield* Effect.forEach(files, rowsOf))
        .flat()
        .map((row, index) => ({ ...row, id: index + 1 }))
        .toSorted(newestFirst)
      return { all, bears: Leaves.among(all.map(Leaves.placed)) }
    }).pipe(Effect.cachedWithTTL(FRESH_FOR))

    const rows = Effect.map(recorded, ({ all }) => all)

    const service: RunReaderService = {
      source: { kind: "folders", location: root },
      stream: (filter, limit) =>
        Stream.fromIterableEffect(rows).pipe(
          Stream.filter(matches(filter)),
          limit === undefined ? (all) => all : Stream.take(limit),
        ),
      calls: (filter, under) =>
        Stream.fromIterableEffect(
          Effect.map(recorded, ({ all, bears }) => {
            const asked = matches({ ...filter, job_type: CALL_JOB_TYPE })
            const among = under === undefined ? all : family(all, under).toSorted(newestFirst)
            return among.filter((row) => asked(row) && bears(Leaves.placed(row)))
          }),
        ),
      jobTypes: Effect.map(rows, (all) => [...new Set(all.map((row) => row.job_type))].sort()),
      get: (id) =>
        Effect.map(rows, (all) =>
          Option.fromNullable(all.find((row) => row.event_id === id) ?? all.find((row) => row.run_id === id)),
        ),
      tree: (runId) => Effect.map(recorded, ({ all, bears }) => RunTree.build(family(all, runId), runId, bears)),
      logHead: (runId) =>
        Effect.gen(function* () {
          const file = yield* logOf(runId)
          if (Option.isSome(file)) return Option.some(yield* headOf(file.value))
          const isKnown = (yield* rows).some((row) => row.run_id === runId)
          return isKnown ? Option.some(NO_EVENTS) : Option.none()
        }),
      events: (runId) =>
        Stream.unwrap(Effect.map(logOf(runId), Option.match({ onNone: () => Stream.empty, onSome: eventsOf }))).pipe(
          Stream.map(({ event_id, prev_hash, event_hash }) => ({ event_id, prev_hash, event_hash })),
        ),
    }
    return service
  })

/**
 * Answers from the event logs under `runsDir`, at most a second old; no server is needed. Rows are the same projection
 * of the same events that a server is sent. A folder that does not exist has no runs; a line that is not an event is left
 * out with a warning; a log that is still being written is read as far as it goes.
 */
export const layer = (options: Options): Layer.Layer<RunReader, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(RunReader, make(options))
