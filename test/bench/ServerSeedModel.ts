import * as Schema from "effect/Schema"
import { CALL_JOB_TYPE } from "../../src/domain/CallMeasure.js"
import { percentile } from "./DeliveryStage.js"
import type { Seed, SeedRow } from "./ServerSeed.js"
import { WINDOW } from "./ServerSeed.js"

const Sums = Schema.Struct({
  calls: Schema.Int,
  errors: Schema.Int,
  input_tokens: Schema.Int,
  output_tokens: Schema.Int,
  total_tokens: Schema.Int,
  cache_read_tokens: Schema.Int,
  cache_write_5m_tokens: Schema.Int,
  reasoning_tokens: Schema.Int,
  cost_nanousd: Schema.Int,
  simulated_cost_nanousd: Schema.Int,
  unpriced_calls: Schema.Int,
  replayed_calls: Schema.Int,
})
export type Sums = typeof Sums.Type

const Percentiles = Schema.Struct({ p50: Schema.Number, p95: Schema.Number, p99: Schema.Number })

const Group = Schema.Struct({ group: Schema.String, sums: Sums, latency_ms: Percentiles })
export type Group = typeof Group.Type

const Newest = Schema.Struct({ total: Schema.Int, ids: Schema.Array(Schema.String) })

/** What the server must answer, from the seed alone. */
export const SeedModel = Schema.Struct({
  /** Rows of each job type, and the newest 100 of them. */
  byJobType: Schema.Record({ key: Schema.String, value: Newest }),
  failedCalls: Newest,
  byModel: Schema.Array(Group),
  byDay: Schema.Array(Group),
  big: Sums,
})
export type SeedModel = typeof SeedModel.Type

type Counting = { -readonly [Name in keyof Sums]: number }

const nothing = (): Counting => ({
  calls: 0,
  errors: 0,
  input_tokens: 0,
  output_tokens: 0,
  total_tokens: 0,
  cache_read_tokens: 0,
  cache_write_5m_tokens: 0,
  reasoning_tokens: 0,
  cost_nanousd: 0,
  simulated_cost_nanousd: 0,
  unpriced_calls: 0,
  replayed_calls: 0,
})

const TOKENS = [
  "input_tokens",
  "output_tokens",
  "total_tokens",
  "cache_read_tokens",
  "cache_write_5m_tokens",
  "reasoning_tokens",
] as const

const count = (sums: Counting, row: SeedRow): void => {
  const metrics = row.metrics_json ?? {}
  sums.calls += 1
  if (row.status === "failure" || row.status === "timeout") sums.errors += 1
  for (const name of TOKENS) sums[name] += Number(metrics[name])
  const cost = Number(metrics["cost_nanousd"] ?? 0)
  if (metrics["cost_status"] === "priced") sums.cost_nanousd += cost
  if (metrics["cost_status"] === "simulated") sums.simulated_cost_nanousd += cost
  if (metrics["cost_status"] === "unpriced") sums.unpriced_calls += 1
  if (metrics["cost_status"] === "replayed") sums.replayed_calls += 1
}

/** Groups of calls with the latency of each one kept. */
class Groups {
  private readonly groups = new Map<string, { readonly sums: Counting; readonly latencies: Array<number> }>()

  add(name: string, row: SeedRow): void {
    const group = this.groups.get(name) ?? { sums: nothing(), latencies: [] }
    this.groups.set(name, group)
    count(group.sums, row)
    group.latencies.push(row.duration_ms)
  }

  all(): ReadonlyArray<Group> {
    const names = [...this.groups.keys()].sort()
    return names.flatMap((group) => {
      const found = this.groups.get(group)
      if (found === undefined) return []
      const { sums, latencies } = found
      const at = (share: number): number => percentile(latencies, share)
      return [{ group, sums, latency_ms: { p50: at(0.5), p95: at(0.95), p99: at(0.99) } }]
    })
  }
}

const PAGE = 100

class Newests {
  private readonly found: { total: number; ids: Array<string> } = { total: 0, ids: [] }

  /** Rows come oldest first. */
  add(row: SeedRow): void {
    this.found.total += 1
    this.found.ids.push(row.event_id)
    if (this.found.ids.length > 10 * PAGE) this.found.ids.splice(0, 9 * PAGE)
  }

  newest(): typeof Newest.Type {
    return { total: this.found.total, ids: this.found.ids.slice(-PAGE).reverse() }
  }
}

/** Rows go in as they are seeded, the model comes out. */
export const counter = (seed: Seed) => {
  const byJobType = new Map<string, Newests>()
  const failedCalls = new Newests()
  const byModel = new Groups()
  const byDay = new Groups()
  const big = nothing()
  const bigRun = seed.runIdOf(seed.big)

  const add = (row: SeedRow): void => {
    const newests = byJobType.get(row.job_type) ?? new Newests()
    byJobType.set(row.job_type, newests)
    newests.add(row)
    if (row.job_type !== CALL_JOB_TYPE) return
    if (row.status === "failure") failedCalls.add(row)
    if (row.parent_run_id === bigRun) count(big, row)
    if (row.start_time < WINDOW.from || row.start_time > WINDOW.to) return
    byModel.add(String(row.context_json?.["model"]), row)
    byDay.add(row.start_time.slice(0, 10), row)
  }

  const model = (): SeedModel => ({
    byJobType: Object.fromEntries(Array.from(byJobType, ([name, newests]) => [name, newests.newest()])),
    failedCalls: failedCalls.newest(),
    byModel: byModel.all(),
    byDay: byDay.all(),
    big,
  })

  return { add, model }
}
