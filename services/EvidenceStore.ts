import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Capture, Evidence } from "../src/domain/Evidence.js"

/** Evidence could not be written or read. `message` names the file and the next step. */
export class EvidenceError extends Schema.TaggedError<EvidenceError>()("EvidenceError", {
  operation: Schema.Literal("put", "get"),
  path: Schema.String,
  message: Schema.String,
  cause: Schema.optional(Schema.Defect),
}) {}

export interface EvidenceStoreService {
  /** What is kept of a call. */
  readonly capture: Capture
  /** Where a call's evidence is or will be, relative to the run's folder with `/`; null when nothing is kept. */
  readonly pathOf: (callId: string) => string | null
  /** Keeps one call's evidence: redacted before it touches the disk, whole or not at all, replacing an earlier one of that call. */
  readonly put: (evidence: Evidence) => Effect.Effect<void, EvidenceError>
  /** The evidence of a call. */
  readonly get: (callId: string) => Effect.Effect<Option.Option<Evidence>, EvidenceError>
  /**
   * Evidence whose answer may stand for this prompt: a success under this prompt hash, captured whole, in which redaction
   * changed nothing of the answer. The earliest call wins, so that the choice is the same each time.
   */
  readonly findByPrompt: (promptHash: string) => Effect.Effect<Option.Option<Evidence>, EvidenceError>
}

/** Keeps what each call asked and got, once per call, with secrets removed; also the cache that replay answers from. */
export class EvidenceStore extends Context.Tag("runledger/services/EvidenceStore")<
  EvidenceStore,
  EvidenceStoreService
>() {}
