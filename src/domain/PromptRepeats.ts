import type { CostStatus } from "./Cost.js"

/** What of a call decides whether its question was paid for twice. */
export interface Asked {
  readonly promptHash: string
  readonly model: string | null
  readonly runId: string
  readonly callId: string
  readonly launch: string
  readonly startTime: string
  readonly answered: boolean
  readonly costStatus: CostStatus | null
  readonly nanoUsd: number | null
}

/** One of the calls that asked a question. */
export interface AskedAt {
  readonly call_id: string
  readonly run_id: string
  readonly launch: string
  readonly start_time: string
  readonly cost_status: CostStatus
  readonly cost_nanousd: number | null
}

/**
 * A question that was asked more than once. Money is nano-dollars. `wasted_nanousd` is what was spent after the first call that
 * was answered (the first of all when none was): unknown prices are in neither sum, and counted. What the sandbox simulated
 * stands apart; answers from evidence cost nothing and are only counted.
 */
export interface PromptRepeat {
  readonly prompt_hash: string
  readonly model: string | null
  readonly calls: number
  readonly unpriced_calls: number
  readonly spent_nanousd: number
  readonly wasted_nanousd: number
  readonly simulated_calls: number
  readonly simulated_spent_nanousd: number
  readonly simulated_wasted_nanousd: number
  readonly replayed_calls: number
  /** The oldest of them, at most {@link MOST_SHOWN}. */
  readonly asked: ReadonlyArray<AskedAt>
}

/** Calls that are named of one question. */
export const MOST_SHOWN = 10

interface Kind {
  calls: number
  spent: number
  first: Asked | undefined
}

const noneOf = (): Kind => ({ calls: 0, spent: 0, first: undefined })

/** What is known of one question while calls stream by. */
interface Open {
  readonly real: Kind
  readonly simulated: Kind
  model: string | null
  unpriced: number
  replayed: number
  asked: Array<Asked>
}

export type Repeats = Map<string, Open>

const isBefore = (left: Asked, right: Asked): boolean =>
  left.startTime === right.startTime ? left.runId < right.runId : left.startTime < right.startTime

const isFirst = (call: Asked, first: Asked | undefined): boolean => {
  if (first === undefined) return true
  return call.answered === first.answered ? isBefore(call, first) : call.answered
}

const count = (kind: Kind, call: Asked): void => {
  kind.calls += 1
  kind.spent += call.nanoUsd ?? 0
  if (isFirst(call, kind.first)) kind.first = call
}

const keep = (open: Open, call: Asked): void => {
  const place = open.asked.findIndex((other) => isBefore(call, other))
  open.asked.splice(place < 0 ? open.asked.length : place, 0, call)
  open.asked.length = Math.min(open.asked.length, MOST_SHOWN)
}

/** Counts one more call. One that used nothing asked for no money: it is left out. */
export const step = (repeats: Repeats, call: Asked): Repeats => {
  if (call.costStatus === null) return repeats
  const open = repeats.get(call.promptHash) ?? {
    real: noneOf(),
    simulated: noneOf(),
    model: call.model,
    unpriced: 0,
    replayed: 0,
    asked: [],
  }
  repeats.set(call.promptHash, open)
  keep(open, call)
  if (call.costStatus === "replayed") open.replayed += 1
  else count(call.costStatus === "simulated" ? open.simulated : open.real, call)
  if (call.costStatus === "unpriced") open.unpriced += 1
  return repeats
}

const wasted = ({ calls, spent, first }: Kind): number => (calls < 2 ? 0 : spent - (first?.nanoUsd ?? 0))

const shown = ({ callId, runId, launch, startTime, costStatus, nanoUsd }: Asked): ReadonlyArray<AskedAt> =>
  costStatus === null
    ? []
    : [
        {
          call_id: callId,
          run_id: runId,
          launch,
          start_time: startTime,
          cost_status: costStatus,
          cost_nanousd: nanoUsd,
        },
      ]

/** The questions that were asked of a provider, or of the sandbox, more than once; the dearest waste first. */
export const found = (repeats: Repeats): ReadonlyArray<PromptRepeat> =>
  Array.from(repeats)
    .filter(([, { real, simulated }]) => real.calls > 1 || simulated.calls > 1)
    .map(([prompt_hash, open]) => ({
      prompt_hash,
      model: open.model,
      calls: open.real.calls,
      unpriced_calls: open.unpriced,
      spent_nanousd: open.real.spent,
      wasted_nanousd: wasted(open.real),
      simulated_calls: open.simulated.calls,
      simulated_spent_nanousd: open.simulated.spent,
      simulated_wasted_nanousd: wasted(open.simulated),
      replayed_calls: open.replayed,
      asked: open.asked.flatMap(shown),
    }))
    .sort(dearestFirst)

/** The order of {@link found}. */
export const dearestFirst = (left: PromptRepeat, right: PromptRepeat): number =>
  right.wasted_nanousd - left.wasted_nanousd ||
  right.simulated_wasted_nanousd - left.simulated_wasted_nanousd ||
  right.calls + right.simulated_calls - left.calls - left.simulated_calls ||
  (left.prompt_hash < right.prompt_hash ? -1 : 1)

/** All repeated questions together. */
export type RepeatTotals = Omit<PromptRepeat, "prompt_hash" | "model" | "asked"> & { readonly prompts: number }

export const NO_REPEATS: RepeatTotals = {
  prompts: 0,
  calls: 0,
  unpriced_calls: 0,
  spent_nanousd: 0,
  wasted_nanousd: 0,
  simulated_calls: 0,
  simulated_spent_nanousd: 0,
  simulated_wasted_nanousd: 0,
  replayed_calls: 0,
}

/** The totals with one more question. */
export const add = (sums: RepeatTotals, one: PromptRepeat): RepeatTotals => ({
  prompts: sums.prompts + 1,
  calls: sums.calls + one.calls,
  unpriced_calls: sums.unpriced_calls + one.unpriced_calls,
  spent_nanousd: sums.spent_nanousd + one.spent_nanousd,
  wasted_nanousd: sums.wasted_nanousd + one.wasted_nanousd,
  simulated_calls: sums.simulated_calls + one.simulated_calls,
  simulated_spent_nanousd: sums.simulated_spent_nanousd + one.simulated_spent_nanousd,
  simulated_wasted_nanousd: sums.simulated_wasted_nanousd + one.simulated_wasted_nanousd,
  replayed_calls: sums.replayed_calls + one.replayed_calls,
})
