import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { PriceBook } from "../../services/PriceBook.js"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import type { PriceOf } from "../../src/domain/CallPricing.js"
import * as PlainClient from "../support/PlainClient.js"
import * as Repository from "../support/Repository.js"
import { pricing } from "../support/Repricings.js"
import { creating, found, updating } from "../support/RunStores.js"

const folder = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.makeTempDirectoryScoped({ prefix: "runledger-ingest-" }),
)

const call = (event_id: string, metrics_json: unknown, context_json: unknown = { model: "m", provider: "p" }) => ({
  event_id,
  run_id: event_id,
  agent_name: "a",
  job_type: "llm_call",
  status: "success",
  start_time: "2026-01-31T12:00:00.000Z",
  metrics_json,
  context_json,
})

const using = <A, E>(priceOf: PriceOf, use: (store: RunStoreService) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const path = `${yield* folder}/s.sqlite`
    return yield* Effect.flatMap(RunStore, use).pipe(Effect.provide(RunStoreSql.layer({ path, priceOf })))
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const served = (priceOf: PriceOf, use: (client: PlainClient.PlainClient) => Promise<void>) =>
  Effect.gen(function* () {
    const path = `${yield* folder}/s.sqlite`
    const client = yield* PlainClient.serve(Effect.succeed(RunStoreSql.layer({ path, priceOf })))
    yield* Effect.promise(() => use(client))
  }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

const metricsOf = (store: RunStoreService, id: string) =>
  Effect.map(found(store, id), ({ metrics_json }) => metrics_json)

const TOKENS = { prompt_tokens: 10, completion_tokens: 5 }
const PRICED = {
  ...TOKENS,
  api_cost_usd: 3e-8,
  cost_nanousd: 30,
  cost_status: "priced",
  cost_breakdown: { uncached_input: 20, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, output: 10 },
  price_id: "test:p/m@first",
  priced_by: "server",
}

describe("a call that comes with tokens and without a word about its cost", () => {
  it.live("costs something else, or nothing, on one of the ways in which it may come", () =>
    served(pricing(2), async ({ post, patch, get }) => {
      await post("/api/v1/runs", call("run", TOKENS))
      await post("/api/v1/runs/batch", [call("batch", TOKENS)])
      await post("/api/v1/runs/batch", { runs: [call("runs", TOKENS)] })
      await post("/api/v1/runs?past=the-hot-route", call("routed", TOKENS))
      await post("/api/v1/ops", { ops: [{ op: "create", ...call("op", TOKENS) }] })
      await post("/api/v1/ops", {
        ops: [
          { op: "create", ...call("both", null) },
          { op: "update", event_id: "both", metrics_json: TOKENS },
        ],
      })
      await post("/api/v1/ops", { ops: [{ op: "update", event_id: "waiting", metrics_json: TOKENS }] })
      await post("/api/v1/ops", { ops: [{ op: "create", ...call("waiting", null) }] })
      await post("/api/v1/runs", call("patched", null))
      await patch("/api/v1/runs/patched", { metrics_json: TOKENS })
      await post("/api/v1/runs", call("named late", TOKENS, null))
      expect((await get("/api/v1/runs/named%20late")).json.metrics_json).toMatchObject({
        cost_status: "unpriced",
        cost_nanousd: null,
        unpriced_reason: expect.stringContaining("context_json.model"),
      })
      await patch("/api/v1/runs/named%20late", { context_json: { model: "m", provider: "p" } })
      const rows = (await get("/api/v1/runs?job_type=llm_call")).json
      expect(rows).toHaveLength(9)
      for (const row of rows) expect(row.metrics_json, row.event_id).toEqual(PRICED)
      expect((await get("/api/v1/stats")).json).toMatchObject([{ cost_nanousd: 270, unpriced_calls: 0, calls: 9 }])
    }),
  )

  it.live("is not priced as the server's README shows it, or without its model's name has no word about why", () =>
    Effect.gen(function* () {
      const { unsafePriceOf } = yield* PriceBook
      const [, body = ""] =
        /<!-- a call -->[^']*'[^']*'[^']*'([^']*)'/.exec(Repository.read("src/server/README.md")) ?? []
      const shown = JSON.parse(body)
      yield* served(unsafePriceOf, async ({ post, get }) => {
        expect((await post("/api/v1/runs", shown)).status).toBe(201)
        expect((await get(`/api/v1/runs/${shown.event_id}`)).json.metrics_json).toMatchObject({
          cost_nanousd: 1200 * 3000 + 90 * 15_000,
          cost_status: "priced",
          priced_by: "server",
        })
        const { model, provider } = shown.context_json
        const misplaced = { ...shown, event_id: "misplaced", model, context_json: null }
        await post("/api/v1/runs", { ...misplaced, metrics_json: { ...shown.metrics_json, model, provider } })
        expect((await get("/api/v1/runs/misplaced")).json.metrics_json).toMatchObject({
          cost_status: "unpriced",
          unpriced_reason: expect.stringContaining("context_json.model"),
        })
        const { schemas } = (await get("/openapi.json")).json.components
        expect(schemas.ContextJson.description).toContain("model and provider")
        expect(schemas.MetricsJson.description).toContain("input_tokens")
      })
    }).pipe(Effect.provide(Layer.provide(PriceBookTable.layer(), NodeContext.layer))),
  )

  it.live("is priced twice, or anew by a table that came later", () =>
    Effect.suspend(() => {
      let nanoUsd = 2
      return using(
        (provider, model, at) => pricing(nanoUsd)(provider, model, at),
        (store) =>
          Effect.gen(function* () {
            yield* store.apply([creating("a", call("a", null)), updating("a", { metrics_json: TOKENS })], {})
            expect(yield* metricsOf(store, "a")).toEqual(PRICED)
            nanoUsd = 9
            const again = yield* store.apply(
              [creating("a", call("a", null)), updating("a", { metrics_json: TOKENS })],
              {},
            )
            expect(again).toMatchObject([{ status: "duplicate" }, { status: "duplicate" }])
            expect(yield* metricsOf(store, "a")).toEqual(PRICED)
            yield* store.apply([updating("a", { metrics_json: { ...TOKENS, completion_tokens: 6 } })], {})
            expect(yield* metricsOf(store, "a")).toMatchObject({ cost_nanousd: 144, priced_by: "server" })
            const own = { ...TOKENS, cost_status: "priced", cost_nanousd: 7 }
            yield* store.apply([updating("a", { metrics_json: own })], {})
            expect(yield* metricsOf(store, "a")).toEqual(own)
          }),
      )
    }),
  )

  it.live("hides that its price is not known, or costs something where nothing is bought", () =>
    using(pricing(2), (store) =>
      Effect.gen(function* () {
        const statusOf = (id: string, metrics: unknown, context: unknown) =>
          Effect.gen(function* () {
            yield* store.apply([creating(id, call(id, metrics, context))], {})
            const kept = yield* metricsOf(store, id)
            return [kept?.["cost_status"] ?? null, kept?.["api_cost_usd"] ?? null, kept?.["priced_by"] ?? null]
          })
        expect(yield* statusOf("stranger", TOKENS, { model: "x", provider: "p" })).toEqual(["unpriced", null, "server"])
        expect(yield* statusOf("sandbox", TOKENS, { model: "m", provider: "sandbox" })).toEqual([
          "simulated",
          null,
          "server",
        ])
        expect(yield* statusOf("replay", TOKENS, { model: "m", provider: "replay" })).toEqual(["replayed", 0, "server"])
        expect(yield* statusOf("told", { ...TOKENS, cost_status: "unpriced" }, undefined)).toEqual([
          "unpriced",
          null,
          null,
        ])
        expect(yield* statusOf("theirs", { ...TOKENS, api_cost_usd: 0.5 }, undefined)).toEqual([null, 0.5, null])
        expect(yield* statusOf("nothing", { finish_reason: "stop" }, undefined)).toEqual([null, null, null])
        expect(yield* statusOf("too much", { prompt_tokens: 1e12, completion_tokens: 1 }, undefined)).toEqual([
          null,
          null,
          null,
        ])
        yield* store.apply([creating("worker", { ...call("worker", TOKENS), job_type: "worker" })], {})
        expect(yield* metricsOf(store, "worker")).toEqual(TOKENS)
        const [sums] = yield* store.stats("job_type", { job_type: "llm_call" })
        expect(sums).toMatchObject({ cost_nanousd: 500_000_000, replayed_calls: 1, simulated_cost_nanousd: 0 })
      }),
    ),
  )

  it.live("costs otherwise than the same call of a client that prices itself", () =>
    Effect.gen(function* () {
      const { unsafePriceOf } = yield* PriceBook
      yield* using(unsafePriceOf, (store) =>
        Effect.gen(function* () {
          const costOf = (id: string, metrics: unknown, context: unknown) =>
            Effect.gen(function* () {
              yield* store.apply([creating(id, call(id, metrics, context))], {})
              return (yield* metricsOf(store, id))?.["cost_nanousd"]
            })
          const sonnet = { model: "claude-sonnet-4-5-20250929", provider: "anthropic" }
          const cached = { input_tokens: 1000, output_tokens: 100, cache_read_tokens: 500, cache_write_1h_tokens: 200 }
          // 300 at $3, 500 at $0.30, 200 at $6, 100 at $15 per million.
          expect(yield* costOf("cached", cached, sonnet)).toBe(900_000 + 150_000 + 1_200_000 + 1_500_000)
          expect(yield* costOf("batch", { ...cached, service_tier: "batch" }, sonnet)).toBe(3_750_000 / 2)
          expect(yield* costOf("ordinary", { ...cached, service_tier: "standard" }, sonnet)).toBe(3_750_000)
          expect(yield* costOf("word", { ...cached, service_tier: "nobody's" }, sonnet)).toBe(null)
          // The provider's own report: its input has no cached tokens in it.
          const report = { input_tokens: 300, output_tokens: 100, cache_read_input_tokens: 500 }
          expect(yield* costOf("report", report, sonnet)).toBe(900_000 + 150_000 + 1_500_000)
          expect(yield* costOf("no provider", cached, { model: "claude-sonnet-4-5" })).toBe(3_750_000)
          const other = { ...sonnet, response_model: "claude-opus-4-5" }
          expect(yield* costOf("answered", { input_tokens: 1000, output_tokens: 0 }, other)).toBe(5_000_000)
        }),
      )
    }).pipe(Effect.provide(Layer.provide(PriceBookTable.layer(), NodeContext.layer))),
  )
})
