import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { LivePrices, type LivePricesService, PricesUnusable, UNKNOWN } from "../../services/LivePrices.js"
import type { ListedPrice } from "../../src/domain/PriceTable.js"
import type { Over } from "./HttpApiWriteSuite.js"
import { type PlainClient, run } from "./PlainClient.js"
import { pricing } from "./Repricings.js"
import { atTime } from "./Rotations.js"

const book = { ...UNKNOWN, unsafePriceOf: pricing(2), readOn: "2026-01-01" }

const fixed: LivePricesService = {
  unsafeCurrent: () => book,
  reload: Effect.succeed(book),
  oldAfterDays: 60,
}

const call = (event_id: string, metrics_json: object) =>
  run(event_id, {
    job_type: "llm_call",
    status: "success",
    context_json: { model: "m", provider: "p" },
    metrics_json,
  })

const TOKENS = { input_tokens: 10, output_tokens: 5, cost_status: "unpriced", cost_nanousd: null }

const LISTED: ListedPrice = {
  ...{ origin: "user", provider: "p", model: "m", aliases: [], startMillis: null, window: null },
  price: {
    ...{ priceId: "user:p/m", effectiveFrom: null, tiers: [] },
    rates: { uncachedInput: 1, cacheRead: 1, cacheWrite5m: 1, output: 1 },
  },
}

const REPRICE = "/api/v1/maintenance/reprice"
const REPRICINGS = "/api/v1/maintenance/repricings"

/** What repricing over HTTP does, code by code. */
export const repricing = (over: Over): void => {
  const priced = (use: (client: PlainClient) => Promise<void>, prices = fixed) =>
    Effect.provideService(over(use), LivePrices, prices)

  it.live("reprices without being told to, counts otherwise than it does, or cannot take it back", () =>
    priced(async ({ post, get, ask }) => {
      await post("/api/v1/runs/batch", [call("a", TOKENS), call("b", TOKENS), call("c", { ...TOKENS, model: "m" })])
      const before = (await get("/api/v1/runs")).text
      const dry = await post(REPRICE, {})
      expect([dry.status, dry.json]).toMatchObject([
        200,
        { repriced: { calls: 3, newly_priced: 3, new_cost_nanousd: 90 }, repricing_id: null, next: null },
      ])
      expect((await get("/api/v1/runs")).text).toBe(before)
      const done = await post(REPRICE, { dry_run: false, scope: "all", start_time_from: "2026-01-01T00:00:00+01:00" })
      expect(done.json).toMatchObject({ repriced: dry.json.repriced, repricing_id: 1, next: null })
      expect((await get("/api/v1/stats?group_by=model")).json).toMatchObject([{ cost_nanousd: 90, unpriced_calls: 0 }])
      expect((await post(REPRICE, { dry_run: false, scope: "all" })).json).toMatchObject({ repriced: { calls: 0 } })
      expect((await get(REPRICINGS)).json).toMatchObject([
        { id: 1, calls: 3, filter: { scope: "all", start_time_from: "2025-12-31T23:00:00.000Z" }, undone_calls: 0 },
      ])
      const calls = await get(`${REPRICINGS}/1/calls?limit=2&after=a`)
      expect([calls.status, calls.json.map((one: { readonly event_id: string }) => one.event_id)]).toEqual([
        200,
        ["b", "c"],
      ])
      const undo = (json: unknown) => ask("POST", `${REPRICINGS}/1/undo`, { json })
      expect((await undo({})).json).toEqual({ restored: 3, changed_since: 0, next: null })
      expect((await undo({ dry_run: false })).json).toEqual({ restored: 3, changed_since: 0, next: null })
      expect((await get("/api/v1/runs")).text).toBe(before)
    }),
  )

  it.live(
    "goes on under the number of a repricing that ended, was of other calls or other prices, or never was",
    () => {
      let prices = book
      let now = Date.UTC(2026, 0, 1)
      const changing = { unsafeCurrent: () => prices, reload: Effect.sync(() => prices), oldAfterDays: 60 }
      return priced(async ({ post, get }) => {
        const many = Array.from({ length: 450 }, (_, n) => call(`c-${n}`, TOKENS))
        await post("/api/v1/runs/batch", many)
        const on = (place: unknown, more: object = {}) => post(REPRICE, { dry_run: false, place, ...more })
        const first = await post(REPRICE, { dry_run: false })
        expect(first.json).toMatchObject({ repriced: { calls: 200 }, repricing_id: 1, next: { repricing_id: 1 } })
        const { next } = first.json
        prices = { ...book, listed: [LISTED] }
        const changed = await on(next)
        prices = book
        for (const refused of [changed, await on({ ...next, repricing_id: 7 }), await on(next, { model: "m" })]) {
          expect([refused.status, refused.json.detail]).toEqual([
            400,
            expect.stringContaining("no unfinished repricing"),
          ])
        }
        const second = await on(next)
        expect(second.json).toMatchObject({ repriced: { calls: 200 }, repricing_id: 1 })
        expect((await on(second.json.next)).json).toMatchObject({ repriced: { calls: 50 }, next: null })
        expect((await on(next)).status).toBe(400)
        expect((await get(REPRICINGS)).json).toMatchObject([{ id: 1, calls: 450, finished_at: expect.any(String) }])
      }, changing).pipe(
        // Each look at the clock is later than a request works.
        Effect.withClock(atTime(() => (now += 10_000))),
      )
    },
  )

  it.live("takes a request to reprice that makes no sense", () =>
    priced(async ({ status, get, ask }) => {
      const asked = (json: unknown) => status("POST", REPRICE, { json })
      expect(await asked({ scope: "some" })).toBe(422)
      expect(await asked({ prices: "of_tomorrow" })).toBe(422)
      expect(await asked({ model: 7 })).toBe(422)
      expect(await asked({ start_time_from: "yesterday" })).toBe(400)
      expect(await status("POST", REPRICE, { text: "{" })).toBe(400)
      expect((await ask("POST", REPRICE, { json: {}, headers: { "content-type": "text/plain" } })).status).toBe(415)
      expect(await status("POST", `${REPRICINGS}/1/undo`, { json: {} })).toBe(404)
      expect(await status("POST", `${REPRICINGS}/x/undo`, { json: {} })).toBe(404)
      expect((await get(`${REPRICINGS}/1/calls`)).status).toBe(404)
      expect((await get(`${REPRICINGS}/1/calls?limit=0`)).status).toBe(422)
      expect((await get(`${REPRICINGS}/1/calls?limit=1001`)).status).toBe(422)
      expect((await get(REPRICINGS)).json).toEqual([])
    }),
  )

  it.live("reprices by prices that cannot be read, or tells the outside why", () =>
    priced(
      async ({ post, get }) => {
        await post("/api/v1/runs", call("a", TOKENS))
        const refused = await post(REPRICE, { dry_run: false })
        expect([refused.status, refused.text.includes("secret place")]).toEqual([503, false])
        expect((await get("/api/v1/runs/a")).json.metrics_json).toEqual(TOKENS)
      },
      { ...fixed, reload: new PricesUnusable({ message: "secret place" }) },
    ),
  )

  it.live("keeps the age of its prices to itself, or makes up one", () =>
    Effect.zipRight(
      priced(async ({ get }) => {
        const { prices } = (await get("/health")).json
        expect(prices).toEqual({ read_on: "2026-01-01", age_days: expect.any(Number), is_old: prices.age_days > 60 })
      }),
      over(async ({ get }) => {
        expect((await get("/health")).json).not.toHaveProperty("prices")
      }),
    ),
  )
}
