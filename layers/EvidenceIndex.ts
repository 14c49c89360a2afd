import type { Evidence } from "../src/domain/Evidence.js"
import * as KeptEvidence from "../src/domain/KeptEvidence.js"

/** Which calls have an answer that may stand for a prompt. Knows ids only; the evidence stays where it is. */
export interface EvidenceIndex {
  /** Takes up a call's evidence, in place of what it knew of that call. */
  readonly set: (evidence: Evidence) => void
  /** The calls that can answer a prompt, the earliest first. */
  readonly callsOf: (promptHash: string) => ReadonlyArray<string>
}

/** An index of nothing. */
export const make = (): EvidenceIndex => {
  const promptOf = new Map<string, string>()
  const calls = new Map<string, ReadonlyArray<KeptEvidence.Call>>()

  const forget = (callId: string): void => {
    const promptHash = promptOf.get(callId)
    if (promptHash === undefined) return
    promptOf.delete(callId)
    calls.set(
      promptHash,
      (calls.get(promptHash) ?? []).filter((call) => call.call_id !== callId),
    )
  }

  return {
    set: (evidence) => {
      const { call_id, timestamp, prompt_hash } = evidence
      forget(call_id)
      if (!KeptEvidence.mayAnswer(evidence)) return
      promptOf.set(call_id, prompt_hash)
      calls.set(
        prompt_hash,
        [...(calls.get(prompt_hash) ?? []), { call_id, timestamp }].sort(KeptEvidence.earliestFirst),
      )
    },
    callsOf: (promptHash) => (calls.get(promptHash) ?? []).map((call) => call.call_id),
  }
}
