import * as fs from "node:fs/promises"
import * as nodePath from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { EventLogError } from "../services/EventLog.js"
import type { FolderGoal, FolderPruned } from "../src/domain/FolderPruning.js"
import * as BacklogSurvey from "./BacklogSurvey.js"
import * as EventLogNdjson from "./EventLogNdjson.js"
import * as FileProblem from "./FileProblem.js"
import * as RunLock from "./RunLock.js"

/** A folder that is on its way out: hidden, so that nobody takes it for a run any more. */
const GOING = ".pruned-"

interface Measured {
  readonly found: BacklogSurvey.Found
  readonly bytes: number
  readonly lastWritten: string
}

const sizeOf = async (folder: string): Promise<number> => {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true })
  let bytes = 0
  for (const entry of entries) {
    if (!entry.isFile()) continue
    bytes += await fs.lstat(nodePath.join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    )
  }
  return bytes
}

const measured = async (found: BacklogSurvey.Found): Promise<Measured> => {
  const { mtime } = await fs.stat(nodePath.join(found.directory, EventLogNdjson.FILE))
  return { found, bytes: await sizeOf(found.directory), lastWritten: mtime.toISOString() }
}

const obstacle = ({ owner, doubt, undelivered, offline, openSpans, problem }: BacklogSurvey.Found, force: boolean) => {
  if (owner !== null) return `its process (${owner}) still runs`
  if (doubt !== null) return doubt
  if (force) return null
  if (undelivered === null) return problem ?? "its log cannot be read"
  if (undelivered > 0) return `${undelivered} of its events are ${offline ? "recorded offline" : "not delivered"}`
  return openSpans > 0
    ? `${openSpans} spans that a dead process left open are not closed; runledger ship does that`
    : null
}

/** Removes a folder under its own lock, so that nobody resumes what is going. */
const remove = async (folder: string): Promise<string | null> => {
  const held = await RunLock.acquire(folder)
  if (Either.isLeft(held)) return "somebody has just taken it"
  const going = nodePath.join(nodePath.dirname(folder), `${GOING}${nodePath.basename(folder)}`)
  await fs.rename(folder, going)
  await fs.rm(going, { recursive: true, force: true })
  return null
}

/** What an earlier removal was interrupted in. */
const sweep = async (runsDir: string): Promise<void> => {
  const names = await fs.readdir(runsDir).catch(() => [])
  for (const name of names.filter((one) => one.startsWith(GOING))) {
    await fs.rm(nodePath.join(runsDir, name), { recursive: true, force: true })
  }
}

const one = async ({ found, bytes, lastWritten }: Measured, { dryRun, force }: FolderGoal): Promise<FolderPruned> => {
  const why = obstacle(found, force)
  const kept = why ?? (dryRun ? null : await remove(found.directory))
  return {
    run_id: found.runId,
    run_dir: found.directory,
    bytes,
    last_written: lastWritten,
    removed: kept === null && !dryRun,
    kept,
  }
}

const goingBy = async (all: ReadonlyArray<Measured>, goal: FolderGoal): Promise<ReadonlyArray<FolderPruned>> => {
  const results: Array<FolderPruned> = []
  let left = all.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const run of all.toSorted((a, b) => a.lastWritten.localeCompare(b.lastWritten))) {
    const isOld = goal.before !== null && run.lastWritten < goal.before
    if (!isOld && (goal.toBytes === null || left <= goal.toBytes)) continue
    const result = await one(run, goal)
    if (result.kept === null) left -= run.bytes
    results.push(result)
  }
  return results
}

/**
 * Removes run folders with all that is in them, the oldest first: never one with a living owner or one that may have one, and
 * without `force` never one with events that no server has. Gives every folder that was to go, also those that stay, and why.
 * Fails with {@link EventLogError} when one cannot be removed; those before it are gone then.
 */
export const prune = (runsDir: string, goal: FolderGoal): Effect.Effect<ReadonlyArray<FolderPruned>, EventLogError> =>
  Effect.gen(function* () {
    const found = yield* BacklogSurvey.survey(runsDir, { gaps: false })
    return yield* Effect.tryPromise({
      try: async () => {
        if (!goal.dryRun) await sweep(runsDir)
        return goingBy(await Promise.all(found.map(measured)), goal)
      },
      catch: (cause) =>
        new EventLogError({
          operation: "read",
          path: runsDir,
          message: FileProblem.explain("remove run folders of", runsDir, cause),
          cause,
        }),
    })
  })
