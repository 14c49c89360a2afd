import type { PlatformError } from "@effect/platform/Error"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RunStoreError, RunStoreService } from "../../services/RunStore.js"
import type * as Repricing from "../../src/domain/Repricing.js"
import { ALL, pricing, repriced, UNPRICED, undone } from "./Repricings.js"
import { call, found, updating } from "./RunStores.js"

type WithStore = <A, E>(
  use: (store: RunStoreService) => Effect.Effect<A, E>,
) => Effect.Effect<A, E | RunStoreError | PlatformError>

const tokens = (input: number, output: number, more: object = {}) => ({
  input_tokens: input,
  output_tokens: output,
  ...more,
})

const UNTOLD = { api_cost_usd: null, cost_nanousd: null, cost_status: "unpriced" }
const priced = (nano: number) => ({ api_cost_usd: nano / 1e9, cost_nanousd: nano, cost_status: "priced" })

/** Calls of every kind of cost, two of them inside of each other. */
const CALLS = [
  call("unpriced", {}, { ...tokens(10, 5, UNTOLD), usage_source: "provider", finish_reason: "stop" }),
  call("untold", {}, { prompt_tokens: 7, completion_tokens: 3, note: "kept" }),
  call("priced", {}, tokens(10, 5, priced(1000))),
  call("theirs", {}, tokens(1, 1, { api_cost_usd: 0.25 })),
  call("simulated", {}, tokens(10, 5, { ...priced(7), cost_status: "simulated" })),
  call("replayed", {}, tokens(10, 5, { ...priced(0), cost_status: "replayed" })),
  call("stranger", {}, tokens(10, 5, UNTOLD), { model: "nobody's" }),
  call("unused", {}, { ...UNTOLD, usage_source: "none", input_tokens: 0, output_tokens: 0 }),
  call("later", { start_time: "2026-02-02T00:00:00Z" }, tokens(10, 5, UNTOLD)),
  call("outer", { run_id: "outer" }, tokens(10, 5, UNTOLD)),
  call("inner", {}, tokens(4, 1, UNTOLD), { parent_span_id: "outer" }),
]

const everything = (store: RunStoreService) => Effect.map(store.list({}, {}), (rows) => JSON.stringify(rows))

const costs = (store: RunStoreService) =>
  Effect.map(store.list({}, {}), (rows) =>
    Object.fromEntries(
      rows.map(({ event_id, metrics_json }) => [
        event_id,
        [metrics_json?.["cost_status"] ?? null, metrics_json?.["cost_nanousd"] ?? null],
      ]),
    ),
  )

const total = (store: RunStoreService) =>
  Effect.gen(function* () {
    const groups = yield* store.stats("provider", {})
    const tree = yield* store.stats("day", {})
    const sum = (all: typeof groups) => ({
      cost: all.reduce((left, { cost_nanousd }) => left + cost_nanousd, 0),
      unpriced: all.reduce((left, { unpriced_calls }) => left + unpriced_calls, 0),
    })
    expect(sum(tree)).toEqual(sum(groups))
    return sum(groups)
  })

/** What every store promises of repricing. */
export const repricing = (using: WithStore): void => {
  describe("repricing", () => {
    it.live("a dry run writes something, or says other figures than the repricing after it", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert(CALLS)
          const before = yield* everything(store)
          const { revision } = yield* store.position
          const options = { filter: UNPRICED, priceOf: pricing(2, 3) }
          const dry = yield* repriced(store, { ...options, dryRun: true })
          expect([yield* everything(store), (yield* store.position).revision]).toEqual([before, revision])
          expect(yield* store.repricing.history).toEqual([])
          const done = yield* repriced(store, options)
          expect(done.sum).toEqual(dry.sum)
          expect(done.sum).toMatchObject({
            calls: 5,
            newly_priced: 5,
            old_cost_nanousd: 0,
            new_cost_nanousd: 30 + 20 + 45 + 10,
            still_unpriced: 2,
          })
        }),
      ),
    )

    it.live("prices what must stay, leaves what must change, or a roll-up differs from the sum of its leaves", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert(CALLS)
          const { revision } = yield* store.position
          expect(yield* total(store)).toEqual({ cost: 1000 + 250_000_000, unpriced: 6 })
          yield* repriced(store, { filter: UNPRICED, priceOf: pricing(2, 3) })
          expect(yield* costs(store)).toMatchObject({
            unpriced: ["priced", 30],
            untold: ["priced", 20],
            priced: ["priced", 1000],
            simulated: ["simulated", 7],
            replayed: ["replayed", 0],
            stranger: ["unpriced", null],
            later: ["priced", 45],
            outer: ["priced", 30],
            inner: ["priced", 10],
          })
          expect(yield* total(store)).toEqual({ cost: 1000 + 250_000_000 + 30 + 20 + 45 + 10, unpriced: 2 })
          expect((yield* store.changes({}, revision)).changes).toHaveLength(5)
          const changed = yield* found(store, "unpriced")
          expect(changed.metrics_json).toEqual({
            ...tokens(10, 5),
            usage_source: "provider",
            finish_reason: "stop",
            api_cost_usd: 3e-8,
            cost_nanousd: 30,
            cost_status: "priced",
            cost_breakdown: { uncached_input: 20, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, output: 10 },
            price_id: "test:p/m@first",
            priced_by: "reprice:1",
          })
          expect((yield* found(store, "later")).metrics_json).toMatchObject({ price_effective_from: "2026-02-01" })
        }),
      ),
    )

    it.live("a second repricing changes something, or one with other prices does not", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert(CALLS)
          yield* repriced(store, { filter: ALL, priceOf: pricing(2) })
          const once = yield* everything(store)
          const again = yield* repriced(store, { filter: ALL, priceOf: pricing(2) })
          expect(again).toMatchObject({ id: -1, sum: { calls: 0, new_cost_nanousd: 0 } })
          expect(yield* everything(store)).toBe(once)
          const dearer = yield* repriced(store, { filter: ALL, priceOf: pricing(4) })
          expect(dearer.sum).toMatchObject({ calls: 7, newly_priced: 0, old_cost_nanousd: 124, new_cost_nanousd: 248 })
          expect((yield* total(store)).cost).toBe(248)
        }),
      ),
    )

    it.live("looks at other calls than it is asked to", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert(CALLS)
          yield* store.insert([call("elsewhere", { parent_run_id: "run-002" }, tokens(1, 1, UNTOLD))])
          const counted = (filter: Partial<Repricing.RepriceFilter>) =>
            Effect.map(
              repriced(store, { filter: { ...UNPRICED, ...filter }, priceOf: pricing(2), dryRun: true }),
              ({ sum }) => sum.calls,
            )
          expect(yield* counted({})).toBe(6)
          expect(yield* counted({ model: "m" })).toBe(6)
          expect(yield* counted({ model: "nobody's" })).toBe(0)
          expect(yield* counted({ provider: "q" })).toBe(0)
          expect(yield* counted({ run_id: "run-002" })).toBe(1)
          expect(yield* counted({ run_id: "elsewhere" })).toBe(1)
          expect(yield* counted({ start_time_from: "2026-02-01T00:00:00.000Z" })).toBe(1)
          expect(yield* counted({ start_time_to: "2026-02-01T00:00:00.000Z" })).toBe(5)
          const today = yield* repriced(store, {
            filter: { ...UNPRICED, prices: "of_today" },
            priceOf: pricing(2, 3),
            dryRun: true,
          })
          expect(today.sum.new_cost_nanousd).toBe(45 + 30 + 45 + 15 + 6)
        }),
      ),
    )

    it.live("an undone repricing leaves a trace in a row or a sum, or cannot be looked up", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert(CALLS)
          const before = [yield* everything(store), yield* total(store)]
          const { id, sum } = yield* repriced(store, { filter: ALL, priceOf: pricing(2, 3) })
          expect(sum.calls).toBe(7)
          expect(yield* store.repricing.history).toMatchObject([
            {
              id,
              filter: ALL,
              price_tables: "test",
              calls: 7,
              newly_priced: 5,
              old_cost_nanousd: 250_001_000,
              new_cost_nanousd: sum.new_cost_nanousd,
              finished_at: expect.any(String),
              undone_at: null,
              undone_calls: 0,
            },
          ])
          const calls = Option.getOrThrow(yield* store.repricing.calls(id, { limit: 100 }))
          expect(calls.find(({ event_id }) => event_id === "priced")).toMatchObject({
            before: priced(1000),
            after: { cost_nanousd: 30, priced_by: `reprice:${id}` },
            undone: false,
          })
          expect(Option.getOrThrow(yield* store.repricing.calls(id, { limit: 2, after: "later" }))).toHaveLength(2)
          expect(yield* undone(store, id, true)).toEqual({ restored: 7, changed_since: 0 })
          expect(yield* undone(store, id)).toEqual({ restored: 7, changed_since: 0 })
          expect([yield* everything(store), yield* total(store)]).toEqual(before)
          expect(yield* store.repricing.history).toMatchObject([{ undone_at: expect.any(String), undone_calls: 7 }])
          expect(yield* undone(store, id)).toEqual({ restored: 0, changed_since: 0 })
          expect(yield* store.repricing.undo({ repricingId: 99, dryRun: false })).toEqual(Option.none())
          expect(yield* store.repricing.calls(99, { limit: 1 })).toEqual(Option.none())
        }),
      ),
    )

    it.live("an older repricing is undone under a newer one, or what a client changed since is taken back", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert([call("a", {}, tokens(1, 1, UNTOLD)), call("b", {}, tokens(1, 1, UNTOLD))])
          const before = yield* everything(store)
          const first = yield* repriced(store, { filter: ALL, priceOf: pricing(2) })
          const between = yield* everything(store)
          const second = yield* repriced(store, { filter: ALL, priceOf: pricing(3) })
          expect(yield* undone(store, first.id)).toEqual({ restored: 0, changed_since: 2 })
          expect(yield* undone(store, second.id)).toEqual({ restored: 2, changed_since: 0 })
          expect(yield* everything(store)).toBe(between)
          yield* store.update("b", { metrics_json: tokens(9, 9, priced(5)) })
          expect(yield* undone(store, first.id)).toEqual({ restored: 1, changed_since: 1 })
          expect((yield* costs(store))["b"]).toEqual(["priced", 5])
          yield* store.update("b", { metrics_json: tokens(1, 1, UNTOLD) })
          expect(JSON.parse(yield* everything(store)).length).toBe(JSON.parse(before).length)
        }),
      ),
    )

    it.live("a log that is delivered once more undoes a repricing, or a client's new figures do not count", () =>
      using((store) =>
        Effect.gen(function* () {
          const metrics = { ...tokens(10, 5, UNTOLD), finish_reason: "stop" }
          yield* store.insert([call("a", {}, metrics)])
          yield* repriced(store, { filter: UNPRICED, priceOf: pricing(2) })
          const after = yield* everything(store)
          const delivered = updating("a", { status: "success", metrics_json: metrics })
          expect(yield* store.apply([delivered], {})).toMatchObject([{ status: "duplicate" }])
          expect(yield* store.insert([call("a", {}, metrics)])).toEqual(["duplicate"])
          expect(yield* everything(store)).toBe(after)
          yield* store.apply([updating("a", { metrics_json: { ...metrics, finish_reason: "length" } })], {})
          expect((yield* found(store, "a")).metrics_json).toMatchObject({ finish_reason: "length", cost_nanousd: 30 })
          yield* store.apply([updating("a", { metrics_json: tokens(11, 5, priced(9)) })], {})
          expect((yield* found(store, "a")).metrics_json).toEqual(tokens(11, 5, priced(9)))
        }),
      ),
    )

    it.live("calls that are pruned stay behind in a repricing, or take more than themselves with them", () =>
      using((store) =>
        Effect.gen(function* () {
          yield* store.insert([
            call("old", { created_at: "2026-01-01T00:00:00Z" }, tokens(1, 1, UNTOLD)),
            call("new", { parent_run_id: "run-002", created_at: "2026-01-03T00:00:00Z" }, tokens(1, 1, UNTOLD)),
          ])
          const { id } = yield* repriced(store, { filter: UNPRICED, priceOf: pricing(2) })
          const goal = { kind: "age" as const, before: "2026-01-02T00:00:00.000Z" }
          yield* store.keeping.prune({ goal, quietSince: "2999-01-01T00:00:00.000Z", dryRun: false })
          const left = Option.getOrThrow(yield* store.repricing.calls(id, { limit: 10 }))
          expect(left.map(({ event_id }) => event_id)).toEqual(["new"])
          expect(yield* store.repricing.history).toMatchObject([{ id, calls: 2 }])
          expect(yield* undone(store, id)).toEqual({ restored: 1, changed_since: 0 })
        }),
      ),
    )

    it.live("keeps other writers out while many calls are priced, or loses one of them", () =>
      using((store) =>
        Effect.gen(function* () {
          const many = Array.from({ length: 1200 }, (_, n) => call(`c-${n}`, {}, tokens(n, 1, UNTOLD)))
          yield* store.insert(many)
          const [{ sum }, written] = yield* Effect.all(
            [
              repriced(store, { filter: UNPRICED, priceOf: pricing(1) }),
              Effect.forEach(many.slice(0, 50), ({ event_id }) => store.update(event_id, { output_summary: "read" })),
            ],
            { concurrency: 2 },
          )
          expect([sum.calls, written.filter(Option.isSome).length]).toEqual([1200, 50])
          expect(yield* total(store)).toEqual({ cost: (1200 * 1199) / 2 + 1200, unpriced: 0 })
          expect((yield* store.list({}, {})).filter(({ output_summary }) => output_summary === "read")).toHaveLength(50)
        }),
      ),
    )
  })
}
