import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type { Cost, CostStatus } from "../domain/Cost.js"
import type { LlmError } from "../domain/Llm.js"
import * as Usage from "../domain/Usage.js"
import type { RecordedCall } from "../telemetry/LlmSpan.js"

/** One call of a launch as its report shows it. */
export interface LedgerEntry {
  readonly callId: string
  readonly worker: string
  readonly status: "success" | "failure"
  readonly inputTokens: number
  readonly outputTokens: number
  readonly latencyMs: number | null
  readonly attempts: number
  readonly costStatus: CostStatus
  /** Nano-dollars; null when unpriced. */
  readonly nanoUsd: number | null
  readonly error: string | null
}

export interface CallLedger {
  readonly succeeded: (call: RecordedCall, worker: string) => Effect.Effect<void>
  readonly failed: (callId: string, worker: string, error: LlmError, cost: Cost) => Effect.Effect<void>
  /** In the order in which they ended. */
  readonly entries: Effect.Effect<ReadonlyArray<LedgerEntry>>
}

/** Adds up the calls of one launch, for its report. What is recorded of them is not its affair. */
export const make: Effect.Effect<CallLedger> = Effect.map(Ref.make<ReadonlyArray<LedgerEntry>>([]), (ref) => ({
  succeeded: (call, worker) =>
    Ref.update(ref, (entries) => [
      ...entries,
      {
        callId: call.callId,
        worker,
        status: "success" as const,
        inputTokens: Usage.inputTokens(call.usage),
        outputTokens: Usage.outputTokens(call.usage),
        latencyMs: call.latencyMs,
        attempts: call.attempts.length,
        costStatus: call.cost.status,
        nanoUsd: call.cost.nanoUsd,
        error: null,
      },
    ]),
  failed: (callId, worker, error, cost) =>
    Ref.update(ref, (entries) => [
      ...entries,
      {
        callId,
        worker,
        status: "failure" as const,
        inputTokens: Usage.inputTokens(error.usage),
        outputTokens: Usage.outputTokens(error.usage),
        latencyMs: null,
        attempts: error.attempts.length,
        costStatus: cost.status,
        nanoUsd: cost.nanoUsd,
        error: `${error.reason}: ${error.message}`,
      },
    ]),
  entries: Ref.get(ref),
}))

/** `mixed` is real money beside calls that cost none or whose price is unknown. `none` when no call was made. */
export type LedgerCostStatus = CostStatus | "mixed" | "none"

export interface LedgerTotals {
  readonly calls: number
  readonly failed: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Real money; null when a call's price is unknown and none is known. */
  readonly costUsd: number | null
  readonly simulatedCostUsd: number
  readonly unpricedCalls: number
  readonly replayedCalls: number
  readonly simulatedCalls: number
  readonly costStatus: LedgerCostStatus
}

const sum = (entries: ReadonlyArray<LedgerEntry>, of: (entry: LedgerEntry) => number): number =>
  entries.reduce((total, entry) => total + of(entry), 0)

const usedTokens = (entry: LedgerEntry): boolean => entry.inputTokens + entry.outputTokens > 0

const statusOf = (entries: ReadonlyArray<LedgerEntry>): LedgerCostStatus => {
  const statuses = [...new Set(entries.filter(usedTokens).map((entry) => entry.costStatus))]
  const [only] = statuses
  if (only === undefined) return "none"
  return statuses.length === 1 ? only : "mixed"
}

/** Sums by kind of money: simulated money never counts as real. */
export const totals = (entries: ReadonlyArray<LedgerEntry>): LedgerTotals => {
  const having = (status: CostStatus) => entries.filter((entry) => entry.costStatus === status)
  const priced = having("priced")
  const unpriced = having("unpriced").filter(usedTokens)
  const real = sum(priced, (entry) => entry.nanoUsd ?? 0) / 1e9
  return {
    calls: entries.length,
    failed: entries.filter((entry) => entry.status === "failure").length,
    inputTokens: sum(entries, (entry) => entry.inputTokens),
    outputTokens: sum(entries, (entry) => entry.outputTokens),
    costUsd: priced.length === 0 && unpriced.length > 0 ? null : real,
    simulatedCostUsd: sum(having("simulated"), (entry) => entry.nanoUsd ?? 0) / 1e9,
    unpricedCalls: unpriced.length,
    replayedCalls: having("replayed").length,
    simulatedCalls: having("simulated").length,
    costStatus: statusOf(entries),
  }
}
