import * as nodePath from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { EvidenceError } from "../services/EvidenceStore.js"
import type { Evidence } from "../src/domain/Evidence.js"
import { fileName } from "../src/domain/Ids.js"
import * as EvidenceStoreFiles from "./EvidenceStoreFiles.js"

/** Evidence and the file where it stands. */
export interface FiledEvidence {
  readonly file: string
  readonly evidence: Evidence
}

/**
 * What a call of a run asked and got, as the run's folder has it; none when there is no such file. The place follows from the two
 * ids alone, no link is followed, and nothing outside of the run's folder is read.
 */
export const find = (
  runsDir: string,
  runId: string,
  callId: string,
): Effect.Effect<Option.Option<FiledEvidence>, EvidenceError> =>
  Effect.gen(function* () {
    const directory = nodePath.join(runsDir, fileName(runId))
    const store = yield* EvidenceStoreFiles.fromDirectory(directory, { capture: "redacted", secrets: [] })
    const file = nodePath.join(directory, store.pathOf(callId) ?? "")
    return Option.map(yield* store.get(callId), (evidence) => ({ file, evidence }))
  })
