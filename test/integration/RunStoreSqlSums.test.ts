import * as Reactivity from "@effect/experimental/Reactivity"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Connection from "../../layers/RunStoreSqlConnection.js"
import { migrate } from "../../layers/RunStoreSqlMigrations.js"
import * as Writes from "../../layers/RunStoreSqlWrites.js"
import { RunPatch } from "../../src/domain/Run.js"
import { creating, updating } from "../support/RunStores.js"
import { kept, scanned } from "../support/StoreSums.js"

const using = <A, E>(use: (sql: Connection.Connection) => Effect.Effect<A, E>) =>
  Connection.make(":memory:").pipe(
    Effect.tap((sql) => migrate(sql)),
    Effect.flatMap(use),
    Effect.withTracerEnabled(false),
    Effect.scoped,
    Effect.provide(Reactivity.layer),
  )

const id = FastCheck.integer({ min: 1, max: 8 })
const spanOf = FastCheck.option(FastCheck.constantFrom("s1", "s2", "s3", "s4"), { nil: null })
const amount = FastCheck.oneof(
  { weight: 9, arbitrary: FastCheck.nat(5000) },
  { weight: 1, arbitrary: FastCheck.constantFrom(Number.MAX_SAFE_INTEGER, 2 ** 52 + 1) },
)
const metrics = FastCheck.option(
  FastCheck.record({
    input_tokens: amount,
    output_tokens: amount,
    cost_nanousd: amount,
    cost_status: FastCheck.constantFrom("priced", "unpriced", "simulated", "replayed"),
    time_to_first_token_ms: FastCheck.double({ min: 0, max: 1e6, noNaN: true }),
  }),
  { nil: null },
)
const context = FastCheck.record({
  trace_id: FastCheck.constantFrom("t1", "t2", null),
  span_id: spanOf,
  parent_span_id: spanOf,
  model: FastCheck.constantFrom("m1", "m2", null),
  provider: FastCheck.constantFrom("p", null),
})
const status = FastCheck.constantFrom("running", "success", "failure", "timeout", "cancelled")
const duration = FastCheck.nat(100_000)

const created = FastCheck.record({
  event: id,
  fields: FastCheck.record({
    run_id: FastCheck.constantFrom("r1", "r2", "r3", "r4"),
    parent_run_id: FastCheck.constantFrom(null, "r1", "r2", "r9"),
    agent_name: FastCheck.constantFrom("a", "b"),
    job_type: FastCheck.constantFrom("llm_call", "llm_call", "llm_call", "worker"),
    product: FastCheck.constantFrom(null, "x", ""),
    start_time: FastCheck.constantFrom("2026-01-01T00:10:00Z", "2026-01-01T01:00:00Z", "2026-01-02T00:00:00Z"),
    status,
    duration_ms: duration,
    metrics_json: metrics,
    context_json: context,
  }),
})
const changed = FastCheck.record({
  event: id,
  fields: FastCheck.record(
    { status, duration_ms: duration, metrics_json: metrics, context_json: context, output_summary: FastCheck.string() },
    { requiredKeys: [] },
  ),
})

const operation = FastCheck.oneof(
  created.map(({ event, fields }) => creating(`e${event}`, fields)),
  changed.map(({ event, fields }) => updating(`e${event}`, { ...fields, reopen: true })),
)

const step = FastCheck.oneof(
  { weight: 6, arbitrary: FastCheck.array(operation, { minLength: 1, maxLength: 8 }).map((ops) => ({ ops })) },
  { weight: 1, arbitrary: changed.map((patch) => ({ patch })) },
  { weight: 2, arbitrary: FastCheck.array(id, { minLength: 1, maxLength: 3 }).map((gone) => ({ gone })) },
)

const toPatch = Schema.decodeUnknownSync(RunPatch)

type Step = typeof step extends FastCheck.Arbitrary<infer A> ? A : never

const perform = (sql: Connection.Connection, writes: ReturnType<typeof Writes.make>, one: Step) => {
  const write = <A>(share: Writes.Share<A>) =>
    writes.commitTogether([{ ...share, fold: (batch) => void share.fold(batch) }])
  if ("ops" in one) return write(Writes.applying(one.ops, {}))
  if ("gone" in one) return sql.withTransaction(writes.removeRows(one.gone.map((event) => `e${event}`)))
  return write(Writes.patching(`e${one.patch.event}`, toPatch(one.patch.fields)))
}

describe("RunStoreSql, its sums", () => {
  it.effect.prop(
    "are what a scan of the rows says, whatever was created, changed, nested and removed in whichever order",
    [FastCheck.array(step, { minLength: 1, maxLength: 12 })],
    ([steps]) =>
      using((sql) =>
        Effect.gen(function* () {
          const writes = Writes.make(sql)
          const seen = new Set<number>()
          let last = 0
          for (const one of steps) {
            yield* perform(sql, writes, one)
            expect(yield* kept(sql)).toEqual(yield* scanned(sql))
            const revisions = yield* sql<{
              readonly revision: number
            }>`SELECT revision FROM runs WHERE revision > ${last} ORDER BY revision`
            for (const { revision } of revisions) {
              expect(seen.has(revision)).toBe(false)
              seen.add(revision)
              last = revision
            }
          }
          const twice = yield* sql<{ readonly n: number }>`SELECT count(*) - count(DISTINCT revision) AS n FROM runs`
          expect(twice).toEqual([{ n: 0 }])
        }),
      ),
    { fastCheck: { numRuns: 60 } },
  )
})
