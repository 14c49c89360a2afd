import * as FastCheck from "effect/FastCheck"
import type { RunFilter } from "../../src/domain/Run.js"

const BASE = Date.UTC(2026, 0, 1)
const HOUR = 3_600_000

/** Instants on, right before and right after the ends of hours and days, and some anywhere. */
const Instant = FastCheck.oneof(
  FastCheck.tuple(FastCheck.integer({ min: 0, max: 60 }), FastCheck.integer({ min: -1, max: 1 })).map(
    ([hours, millis]) => hours * HOUR + millis,
  ),
  FastCheck.integer({ min: 0, max: 60 * HOUR }),
).map((millis) => new Date(BASE + millis).toISOString())

const few = (...names: ReadonlyArray<string>) => FastCheck.constantFrom(...names)
const perhaps = <A>(arbitrary: FastCheck.Arbitrary<A>) => FastCheck.option(arbitrary, { nil: undefined, freq: 1 })
const STATUSES = ["running", "success", "failure", "timeout", "cancelled"] as const

/** A row of a small world, in which filters, groups and spans meet often. */
export const Row = FastCheck.record({
  job_type: FastCheck.constantFrom("llm_call", "llm_call", "llm_call", "worker", "launch"),
  agent_name: few("a", "b"),
  run_id: few("r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9"),
  parent_run_id: FastCheck.option(few("r0", "r1", "r2", "r3")),
  product: FastCheck.option(few("x", "y")),
  status: FastCheck.constantFrom(...STATUSES),
  start_time: Instant,
  created_at: Instant,
  duration_ms: FastCheck.integer({ min: 0, max: 90_000 }),
  model: FastCheck.option(few("m", "n")),
  trace_id: few("t", "u"),
  span: FastCheck.integer({ min: 0, max: 200 }),
  parentSpan: FastCheck.option(FastCheck.integer({ min: 0, max: 200 }), { freq: 1 }),
  metrics: FastCheck.option(
    FastCheck.record({
      input_tokens: FastCheck.nat(9000),
      output_tokens: FastCheck.nat(900),
      cost_nanousd: FastCheck.nat(1_000_000_000),
      cost_status: few("priced", "simulated", "unpriced", "replayed"),
      time_to_first_token_ms: FastCheck.option(FastCheck.double({ min: 0, max: 900, noNaN: true })),
    }),
    { freq: 5 },
  ),
}).map(({ model, trace_id, span, parentSpan, metrics, ...fields }) => ({
  ...fields,
  metrics_json: metrics,
  context_json: {
    trace_id,
    span_id: `s${span}`,
    ...(parentSpan === null ? {} : { parent_span_id: `s${parentSpan}` }),
    ...(model === null ? {} : { model, provider: "p" }),
  },
}))

/** Any members of a filter. */
export const Filter: FastCheck.Arbitrary<RunFilter> = FastCheck.record({
  run_id: perhaps(few("r0", "r5", "none")),
  parent_run_id: perhaps(few("r0", "r1")),
  trace_id: perhaps(few("t")),
  agent_name: perhaps(few("a")),
  job_type: perhaps(few("llm_call", "worker", "none")),
  status: perhaps(FastCheck.constantFrom(...STATUSES)),
  product: perhaps(few("x")),
  model: perhaps(few("m")),
  created_after: perhaps(Instant),
  created_before: perhaps(Instant),
  start_time_from: perhaps(Instant),
  start_time_to: perhaps(Instant),
})

/** Few members at a time: a filter with all of them matches nothing. */
export const Sparse = FastCheck.tuple(Filter, FastCheck.infiniteStream(FastCheck.nat(11))).map(([filter, places]) => {
  const names = Object.keys(filter) as ReadonlyArray<keyof RunFilter>
  const kept = [...places.take(3)].map((place) => names[place])
  return Object.fromEntries(
    Object.entries(filter).filter(([name]) => kept.includes(name as keyof RunFilter)),
  ) as RunFilter
})

/** Only what roll-ups tell apart, so that they are what is tested. */
export const Kept: FastCheck.Arbitrary<RunFilter> = FastCheck.record({
  job_type: perhaps(few("llm_call", "worker")),
  product: perhaps(few("x")),
  start_time_from: perhaps(Instant),
  start_time_to: perhaps(Instant),
})
