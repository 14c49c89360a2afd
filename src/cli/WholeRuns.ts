import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { RunReader } from "../../services/RunReader.js"
import { CALL_JOB_TYPE } from "../domain/CallMeasure.js"
import type { RunFilter } from "../domain/Run.js"
import { newestFirst } from "../domain/RunMatch.js"

/** What runs are made of; every other row is a run. */
const PARTS: ReadonlySet<string> = new Set([CALL_JOB_TYPE, "worker", "orchestrator_node", "gate", "commit_service"])

/** Launches and the runs of other programs, newest first. */
export const wholeRuns = (filter: RunFilter, most: number) =>
  Effect.gen(function* () {
    const reader = yield* RunReader
    const types = (yield* reader.jobTypes).filter((type) => !PARTS.has(type))
    const found = yield* Effect.forEach(types, (job_type) =>
      Effect.map(Stream.runCollect(reader.stream({ ...filter, job_type }, most)), (rows) => Array.from(rows)),
    )
    return found.flat().sort(newestFirst).slice(0, most)
  })
