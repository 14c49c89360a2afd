import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import { CurrentRun } from "../../services/CurrentRun.js"
import { EventLog, type EventLogService, type LogPosition } from "../../services/EventLog.js"
import { GENESIS_HASH } from "../domain/Ids.js"
import * as Snapshot from "../domain/Snapshot.js"
import * as Artifacts from "./Artifacts.js"

const READ_BYTES = 1024 * 1024

interface Folded {
  readonly snapshot: Snapshot.Snapshot
  readonly position: LogPosition
}

const START: LogPosition = { offset: 0, lines: 0, hash: GENESIS_HASH }

const catchUp = (log: EventLogService, from: Folded) =>
  Effect.iterate(
    { ...from, done: false },
    {
      while: ({ done }) => !done,
      body: ({ snapshot, position }) =>
        Effect.map(log.read(position, READ_BYTES), ({ events, end }) => ({
          snapshot: Snapshot.fold(events, snapshot),
          position: end,
          done: end.offset <= position.offset,
        })),
    },
  )

export interface SnapshotFile {
  /** The run as its log tells it now. */
  readonly current: Effect.Effect<Snapshot.Snapshot>
  /** Rewrites `snapshot.json` from the log. What goes wrong is a warning: the log can always make it again. */
  readonly write: Effect.Effect<void, never, CurrentRun | FileSystem.FileSystem | Path.Path>
}

/** Keeps `snapshot.json` a fold of the log; only what is new in the log is read. Without a log there is nothing to fold. */
export const make: Effect.Effect<SnapshotFile, never, CurrentRun> = Effect.gen(function* () {
  const run = yield* CurrentRun
  const log = yield* Effect.serviceOption(EventLog)
  const folded = yield* Ref.make<Folded>({ snapshot: Snapshot.empty(run.runId), position: START })
  const current = Effect.gen(function* () {
    const before = yield* Ref.get(folded)
    if (Option.isNone(log)) return before.snapshot
    const { snapshot, position } = yield* catchUp(log.value, before)
    yield* Ref.set(folded, { snapshot, position })
    return snapshot
  }).pipe(
    Effect.catchAll((error) =>
      Effect.zipRight(
        Effect.logWarning(`The run's log cannot be read for its snapshot. ${error.message}`),
        Effect.map(Ref.get(folded), ({ snapshot }) => snapshot),
      ),
    ),
  )
  const write =
    Option.isNone(log) || Option.isNone(run.directory)
      ? Effect.void
      : Effect.flatMap(current, (snapshot) => Artifacts.writeState("snapshot.json", Snapshot.Snapshot, snapshot)).pipe(
          Effect.catchAll((error) => Effect.logWarning(`The snapshot is not up to date. ${error.message}`)),
        )
  return { current, write }
})
