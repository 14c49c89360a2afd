import * as Effect from "effect/Effect"
import type { CurrentRunService } from "../services/CurrentRun.js"
import type { Event } from "../src/domain/Event.js"
import { repeated } from "../src/domain/Ids.js"

/** The names that a run has given out: call ids and worker attempts. */
export interface RunNames extends Pick<CurrentRunService, "uniqueCallId" | "nextAttempt"> {
  /** Learns the names that an event of an earlier process used. */
  readonly learn: (event: Event) => void
}

/** No name is taken yet. */
export const make = (): RunNames => {
  const taken = new Set<string>()
  const uses = new Map<string, number>()
  const attempts = new Map<string, number>()

  const unique = (callId: string): string => {
    if (!taken.has(callId)) {
      taken.add(callId)
      return callId
    }
    let use = (uses.get(callId) ?? 1) + 1
    while (taken.has(repeated(callId, use))) use++
    uses.set(callId, use)
    const name = repeated(callId, use)
    taken.add(name)
    return name
  }

  const attempted = (worker: string, attempt: number): number => {
    attempts.set(worker, Math.max(attempt, attempts.get(worker) ?? 0))
    return attempt
  }

  return {
    uniqueCallId: Object.assign((callId: string) => Effect.sync(() => unique(callId)), { unsafe: unique }),
    nextAttempt: (worker) => Effect.sync(() => attempted(worker, (attempts.get(worker) ?? 0) + 1)),
    learn: (event) => {
      switch (event.type) {
        case "LLM_CALL_STARTED":
          taken.add(event.payload.call_id)
          break
        case "WORK_ITEM_QUEUED":
        case "WORK_ITEM_STARTED":
          attempted(event.payload.worker, event.payload.attempt)
      }
    },
  }
}
