import * as Schema from "effect/Schema"

const Count = Schema.NonNegativeInt
const NanoUsd = Schema.Number.pipe(Schema.nonNegative())

/** Which calls are looked at. Absent fields do not filter; the two instants are the first and the last of `start_time`. */
export const RepriceFilter = Schema.Struct({
  model: Schema.optional(Schema.String),
  provider: Schema.optional(Schema.String),
  /** The run whose calls they are, or a call's own run_id. */
  run_id: Schema.optional(Schema.String),
  start_time_from: Schema.optional(Schema.String),
  start_time_to: Schema.optional(Schema.String),
  /** `unpriced`: only calls without a price; `all`: also those that have one. */
  scope: Schema.Literal("unpriced", "all"),
  /** At the prices of the day on which each call began, or at today's. */
  prices: Schema.Literal("of_the_call", "of_today"),
}).annotations({ identifier: "RepriceFilter" })
export type RepriceFilter = typeof RepriceFilter.Type

/** What repricing did, or would do, to calls of one model. Sums are nano-dollars over calls that bear cost. */
export const ModelRepriced = Schema.Struct({
  model: Schema.NullOr(Schema.String),
  provider: Schema.NullOr(Schema.String),
  /** Calls that change. */
  calls: Count,
  /** Those of them that had no price. */
  newly_priced: Count,
  old_cost_nanousd: NanoUsd,
  new_cost_nanousd: NanoUsd,
  /** Calls that were looked at and stay without a price. */
  still_unpriced: Count,
  /** Calls that keep the price they have, since what they would cost is not known. */
  kept: Count,
}).annotations({ identifier: "ModelRepriced" })
export type ModelRepriced = typeof ModelRepriced.Type

type Figures = Omit<ModelRepriced, "model" | "provider">

/** Why calls stay as they are although they were asked for, and how many. */
export const Unknown = Schema.Struct({ reason: Schema.String, calls: Count }).annotations({ identifier: "Unknown" })
export type Unknown = typeof Unknown.Type

/** What repricing did, or would do. */
export const Repriced = Schema.Struct({
  ...ModelRepriced.omit("model", "provider").fields,
  models: Schema.Array(ModelRepriced),
  /** Those that are still unpriced or kept, by what is not known; at most {@link MOST_REASONS}, the rest as one. */
  unknown: Schema.Array(Unknown),
}).annotations({ identifier: "Repriced" })
export type Repriced = typeof Repriced.Type

export const NOTHING: Repriced = {
  calls: 0,
  newly_priced: 0,
  old_cost_nanousd: 0,
  new_cost_nanousd: 0,
  still_unpriced: 0,
  kept: 0,
  models: [],
  unknown: [],
}

const MOST_REASONS = 50
const OTHERS = "other reasons"

/** Names that callers make up decide how many reasons there are: only so many are told apart. */
const addReasons = (left: ReadonlyArray<Unknown>, right: ReadonlyArray<Unknown>): ReadonlyArray<Unknown> => {
  const calls = new Map(left.map((one) => [one.reason, one.calls]))
  for (const one of right) {
    const reason = calls.has(one.reason) || calls.size < MOST_REASONS ? one.reason : OTHERS
    calls.set(reason, (calls.get(reason) ?? 0) + one.calls)
  }
  return Array.from(calls, ([reason, count]) => ({ reason, calls: count }))
}

const sum = (left: Figures, right: Figures): Figures => ({
  calls: left.calls + right.calls,
  newly_priced: left.newly_priced + right.newly_priced,
  old_cost_nanousd: left.old_cost_nanousd + right.old_cost_nanousd,
  new_cost_nanousd: left.new_cost_nanousd + right.new_cost_nanousd,
  still_unpriced: left.still_unpriced + right.still_unpriced,
  kept: left.kept + right.kept,
})

const nameOf = ({ provider, model }: ModelRepriced): string => JSON.stringify([provider, model])

/** Both together, model by model. */
export const add = (left: Repriced, right: Repriced): Repriced => {
  const models = new Map(left.models.map((one) => [nameOf(one), one]))
  for (const one of right.models) {
    const known = models.get(nameOf(one))
    models.set(nameOf(one), known === undefined ? one : { ...one, ...sum(known, one) })
  }
  return {
    ...sum(left, right),
    models: [...models.values()],
    unknown: addReasons(left.unknown, right.unknown),
  }
}

/** One call as repricing found it. `newNanoUsd` is null when what it would cost is not known, for a reason. */
export interface Judged {
  readonly model: string | null
  readonly provider: string | null
  /** False for a call that another one ran inside of: its cost is in no sum. */
  readonly bears: boolean
  readonly oldNanoUsd: number | null
  readonly newNanoUsd: number | null
  readonly reason?: string | undefined
}

const figuresOf = ({ bears, oldNanoUsd, newNanoUsd }: Judged): Figures => ({
  calls: newNanoUsd === null ? 0 : 1,
  newly_priced: newNanoUsd !== null && oldNanoUsd === null ? 1 : 0,
  old_cost_nanousd: bears && newNanoUsd !== null ? (oldNanoUsd ?? 0) : 0,
  new_cost_nanousd: bears ? (newNanoUsd ?? 0) : 0,
  still_unpriced: newNanoUsd === null && oldNanoUsd === null ? 1 : 0,
  kept: newNanoUsd === null && oldNanoUsd !== null ? 1 : 0,
})

/** Calls as figures: those that change, and those that stay without a price. */
export const counted = (calls: ReadonlyArray<Judged>): Repriced => {
  const models = new Map<string, ModelRepriced>()
  let total: Figures = NOTHING
  let unknown: ReadonlyArray<Unknown> = []
  for (const call of calls) {
    if (call.reason !== undefined) unknown = addReasons(unknown, [{ reason: call.reason, calls: 1 }])
    const figures = figuresOf(call)
    const one: ModelRepriced = { model: call.model, provider: call.provider, ...figures }
    const known = models.get(nameOf(one))
    models.set(nameOf(one), known === undefined ? one : { ...one, ...sum(known, figures) })
    total = sum(total, figures)
  }
  return { ...total, models: [...models.values()], unknown }
}

/** Where repricing stands between two steps: rows after `after`, up to `last`, under the number of the repricing once it has one. */
export const RepricePlace = Schema.Struct({
  after: Schema.Int,
  last: Schema.Int,
  repricing_id: Schema.NullOr(Count),
})
export type RepricePlace = typeof RepricePlace.Type

/** One step: what it changed, the number under which that is kept (null when nothing is), and where the next one begins. */
export const RepriceStep = Schema.Struct({
  repriced: Repriced,
  repricing_id: Schema.NullOr(Count),
  next: Schema.NullOr(RepricePlace),
}).annotations({ identifier: "RepriceStep" })
export type RepriceStep = typeof RepriceStep.Type

/** One repricing that was done: when, of which calls, by which prices, and what it came to. */
export const Repricing = Schema.Struct({
  id: Count,
  begun_at: Schema.String,
  /** When it had looked at all that it was asked for; null for one that was broken off. */
  finished_at: Schema.NullOr(Schema.String),
  /** When calls were last given back what they cost before; null for never. */
  undone_at: Schema.NullOr(Schema.String),
  filter: RepriceFilter,
  /** The price tables of which it took the prices. */
  price_tables: Schema.String,
  calls: Count,
  newly_priced: Count,
  old_cost_nanousd: NanoUsd,
  new_cost_nanousd: NanoUsd,
  /** Calls that were given back what they cost before. */
  undone_calls: Count,
}).annotations({ identifier: "Repricing" })
export type Repricing = typeof Repricing.Type

/** One call of a repricing: what its metrics said of its cost before, and what they say since. */
export const RepricedCall = Schema.Struct({
  event_id: Schema.String,
  before: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  after: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  undone: Schema.Boolean,
}).annotations({ identifier: "RepricedCall" })
export type RepricedCall = typeof RepricedCall.Type

/** One step of undoing: calls that cost again what they did before, and calls that were changed or went since and stay. */
export const UndoStep = Schema.Struct({
  restored: Count,
  changed_since: Count,
  /** The event_id after which the next step begins; null at the end. */
  next: Schema.NullOr(Schema.String),
}).annotations({ identifier: "UndoStep" })
export type UndoStep = typeof UndoStep.Type
