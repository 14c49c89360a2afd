import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { EvidenceStore, type EvidenceStoreService } from "../services/EvidenceStore.js"
import type { Capture, Evidence } from "../src/domain/Evidence.js"
import { fileName } from "../src/domain/Ids.js"
import * as KeptEvidence from "../src/domain/KeptEvidence.js"
import * as Redaction from "../src/domain/Redaction.js"
import * as EvidenceIndex from "./EvidenceIndex.js"

export interface Options {
  readonly capture: Capture
  /** Secrets known beforehand: they are removed wherever they appear, whatever they look like. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

const make = (options: Options): EvidenceStoreService => {
  const redactor = Redaction.make(options.secrets.map(Redacted.value))
  const kept = new Map<string, Evidence>()
  const index = EvidenceIndex.make()
  const find = (callId: string | undefined): Option.Option<Evidence> =>
    callId === undefined ? Option.none() : Option.fromNullable(kept.get(callId))

  return EvidenceStore.of({
    capture: options.capture,
    pathOf: (callId) => (options.capture === "off" ? null : `evidence/llm_calls/${fileName(callId)}.json`),
    put: (evidence) =>
      Effect.sync(() =>
        Option.match(KeptEvidence.keep(evidence, options.capture, redactor), {
          onNone: () => undefined,
          onSome: (safe) => {
            kept.set(safe.call_id, safe)
            index.set(safe)
          },
        }),
      ),
    get: (callId) => Effect.sync(() => find(callId)),
    findByPrompt: (promptHash) => Effect.sync(() => find(index.callsOf(promptHash)[0])),
  })
}

/** Keeps evidence in memory, without a bound: it dies with the process. For tests and runs without a folder. */
export const layer = (options: Options): Layer.Layer<EvidenceStore> => Layer.sync(EvidenceStore, () => make(options))
