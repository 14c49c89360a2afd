import { toUsd } from "../domain/Cost.js"
import { add, NOTHING, type RunTotals } from "../domain/RunTotals.js"
import type { CostedCall } from "./CostedCall.js"

/** What costs are grouped by. */
export const KEYS = ["model", "day", "worker", "launch", "commit", "branch"] as const
export type Key = (typeof KEYS)[number]

/** What some calls used and cost, added up as trees and stats add. `cost_usd` is real money only, null when some of it is unknown. */
export interface Totals extends Omit<RunTotals, "cost_usd"> {
  readonly group: string
  readonly cost_usd: number | null
}

/**
 * Calls that share a key, with what caching saved them: `cache_savings_nanousd` of real money, the sandbox's apart. Of
 * `cache_savings_unknown_calls`, which read or wrote `cache_savings_unknown_tokens`, nobody can tell.
 */
export interface CostGroup extends Totals {
  /** Of all prompt tokens, those read from a cache; null without prompt tokens. */
  readonly cache_read_share: number | null
  readonly cache_savings_nanousd: number
  readonly cache_savings_usd: number
  readonly simulated_cache_savings_nanousd: number
  readonly simulated_cache_savings_usd: number
  readonly cache_savings_unknown_calls: number
  readonly cache_savings_unknown_tokens: number
}

/** The totals under a name. */
export const totals = (group: string, sums: RunTotals): Totals => ({
  group,
  ...sums,
  cost_usd: sums.unpriced_calls > 0 ? null : sums.cost_usd,
})

interface Saved {
  readonly real: number
  readonly simulated: number
  readonly unknownCalls: number
  readonly unknownTokens: number
}

const NOTHING_SAVED: Saved = { real: 0, simulated: 0, unknownCalls: 0, unknownTokens: 0 }

const plus = (left: Saved, right: Saved): Saved => ({
  real: left.real + right.real,
  simulated: left.simulated + right.simulated,
  unknownCalls: left.unknownCalls + right.unknownCalls,
  unknownTokens: left.unknownTokens + right.unknownTokens,
})

const savedBy = ({ savings, costStatus }: CostedCall): Saved => {
  switch (savings.kind) {
    case "none":
      return NOTHING_SAVED
    case "known":
      return { ...NOTHING_SAVED, [costStatus === "simulated" ? "simulated" : "real"]: savings.nanoUsd }
    case "unknown":
      return { ...NOTHING_SAVED, unknownCalls: 1, unknownTokens: savings.cachedTokens }
  }
}

interface Sums {
  readonly spent: RunTotals
  readonly saved: Saved
}

const both = (left: Sums, right: Sums): Sums => ({
  spent: add(left.spent, right.spent),
  saved: plus(left.saved, right.saved),
})

const EMPTY: Sums = { spent: NOTHING, saved: NOTHING_SAVED }

const groupOf = (group: string, { spent, saved }: Sums): CostGroup => ({
  ...totals(group, spent),
  cache_read_share: spent.input_tokens === 0 ? null : spent.cache_read_tokens / spent.input_tokens,
  cache_savings_nanousd: saved.real,
  cache_savings_usd: toUsd(saved.real),
  simulated_cache_savings_nanousd: saved.simulated,
  simulated_cache_savings_usd: toUsd(saved.simulated),
  cache_savings_unknown_calls: saved.unknownCalls,
  cache_savings_unknown_tokens: saved.unknownTokens,
})

const repoName = (repo: string): string => repo.replace(/^[a-z+]+:\/\//i, "").replace(/\.git$/, "")

/** Under which name a call is counted. Its model is the one that answered. A branch is one of its repository: two that are both called main are two. */
export const keyOf = (call: CostedCall, by: Key): string => {
  switch (by) {
    case "model":
      return call.answeredBy ?? "(unknown model)"
    case "day":
      return call.startTime.slice(0, 10)
    case "worker":
      return call.worker ?? "(no worker)"
    case "launch":
      return call.launch
    case "commit":
      return call.commit?.toLowerCase() ?? "(no commit)"
    case "branch":
      if (call.branch === null) return "(no branch)"
      return call.repo === null ? call.branch : `${call.branch} (${repoName(call.repo)})`
  }
}

/** Sums under their keys while calls stream by; the number of groups is all it holds. */
export type Groups = Map<string, Sums>

/** The groups with one more call. */
export const step =
  (by: Key) =>
  (groups: Groups, call: CostedCall): Groups => {
    const key = keyOf(call, by)
    return groups.set(key, both(groups.get(key) ?? EMPTY, { spent: call.totals, saved: savedBy(call) }))
  }

/** No calls yet. */
export const none = (): Groups => new Map()

/** All calls of some groups together. */
export const total = (groups: Groups): CostGroup => groupOf("total", [...groups.values()].reduce(both, EMPTY))

/** Dearest first; days newest first. */
export const sorted = (groups: Groups, by: Key): ReadonlyArray<CostGroup> =>
  Array.from(groups, ([name, sums]) => groupOf(name, sums)).sort((left, right) =>
    by === "day"
      ? right.group.localeCompare(left.group)
      : right.cost_nanousd - left.cost_nanousd ||
        right.simulated_cost_nanousd - left.simulated_cost_nanousd ||
        right.total_tokens - left.total_tokens ||
        left.group.localeCompare(right.group),
  )
