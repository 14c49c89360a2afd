import type { ServerResponse } from "node:http"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import OpenAI from "openai"
import * as BudgetPerRun from "../../layers/BudgetPerRun.js"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import { Budget } from "../../services/Budget.js"
import * as WarningLog from "../support/WarningLog.js"
import * as WebhookReceiver from "../support/WebhookReceiver.js"

const status = (code: number) => (_nth: number, response: ServerResponse) => void response.writeHead(code).end("noted")

const SECRET = `whsec_${Buffer.from("a key of thirty-two bytes, or so.").toString("base64")}`

const cross = Effect.gen(function* () {
  const budget = yield* Budget
  const about = { model: "claude-sonnet-4-5" }
  const nothing = { calls: 0, tokens: 0, nanoUsd: 0 }
  return yield* budget.settle(yield* budget.reserve(nothing, about), { calls: 1, tokens: 9, nanoUsd: 8e8 })
})

const told = (url: string, more: { readonly flushWithin?: string; readonly secret?: string } = {}) =>
  BudgetPerRun.layer({
    maxCostUsd: 1,
    webhook: {
      url: Redacted.make(url),
      secret: more.secret === undefined ? undefined : Redacted.make(more.secret),
      retryBase: "5 millis",
      requestTimeout: "2 seconds",
      flushWithin: more.flushWithin === undefined ? "10 seconds" : "50 millis",
    },
  }).pipe(Layer.provide(CurrentRunDetached.layer({ runId: "run-001" })))

/** Runs a program that crosses two thresholds, to the end of its scope. */
const crossing = (layer: Layer.Layer<Budget>) =>
  Effect.gen(function* () {
    const log = WarningLog.make()
    const alerts = yield* cross.pipe(Effect.provide(layer), Effect.provide(log.layer))
    return { alerts: alerts.length, warnings: log.warnings(), all: log.all() }
  })

describe("the webhook of budget alerts", () => {
  it.scopedLive("an alert does not arrive, or a receiver cannot verify it with a library of the standard", () =>
    Effect.gen(function* () {
      const receiver = yield* WebhookReceiver.serve(status(204))
      expect(yield* crossing(told(receiver.url, { secret: SECRET }))).toMatchObject({ alerts: 2, warnings: [] })
      expect(receiver.deliveries).toHaveLength(2)
      const { webhooks } = new OpenAI({ apiKey: "none" })
      for (const { body, headers } of receiver.deliveries) {
        const given = Object.entries(headers).flatMap(([name, value]) =>
          typeof value === "string" ? [[name, value] as const] : [],
        )
        yield* Effect.promise(() => webhooks.verifySignature(body, new Headers(Object.fromEntries(given)), SECRET))
        const forged = Effect.tryPromise(() =>
          webhooks.verifySignature(`${body} `, new Headers(Object.fromEntries(given)), SECRET),
        )
        expect((yield* Effect.either(forged))._tag).toBe("Left")
        expect(JSON.parse(body)).toMatchObject({
          type: "budget.alert",
          data: { budget: "launch", scope: "cost", spent_nanousd: 8e8, limit_nanousd: 1e9, run_id: "run-001" },
        })
      }
      const percents = receiver.deliveries.map(({ body }) => JSON.parse(body).data.threshold_percent)
      expect(percents).toEqual([50, 80])
      expect(new Set(receiver.deliveries.map(({ headers }) => headers["webhook-id"])).size).toBe(2)
    }),
  )

  it.scopedLive("a receiver that is down for a moment misses alerts, or sees the retries as new ones", () =>
    Effect.gen(function* () {
      const receiver = yield* WebhookReceiver.serve(
        (nth, response) => void response.writeHead(nth <= 2 ? 500 : 200).end(),
      )
      expect(yield* crossing(told(receiver.url, { secret: SECRET }))).toMatchObject({ alerts: 2, warnings: [] })
      expect(receiver.deliveries).toHaveLength(4)
      const ids = receiver.deliveries.map(({ headers }) => headers["webhook-id"])
      expect([new Set(ids.slice(0, 3)).size, new Set(ids).size]).toEqual([1, 2])
    }),
  )

  it.scopedLive("without a secret alerts are not sent, or bear a signature of nothing", () =>
    Effect.gen(function* () {
      const receiver = yield* WebhookReceiver.serve(status(200))
      yield* crossing(told(receiver.url))
      expect(receiver.deliveries).toHaveLength(2)
      expect(receiver.deliveries[0]?.headers).not.toHaveProperty("webhook-signature")
    }),
  )

  it.scopedLive(
    "a receiver that hangs holds the program up, or its end; or the address and the secret are logged",
    () =>
      Effect.gen(function* () {
        const receiver = yield* WebhookReceiver.serve(() => {})
        const { alerts, all, warnings } = yield* crossing(told(receiver.url, { secret: SECRET, flushWithin: "short" }))
        expect(alerts).toBe(2)
        expect(warnings).toHaveLength(1)
        expect(warnings[0]).toContain("still being tried when the program ended")
        expect(all.join("\n")).not.toMatch(/secret-path|whsec_/)
      }).pipe(Effect.timeout("20 seconds")),
  )

  it.scopedLive.each([
    [404, "answered 404"],
    [302, "redirects are not followed"],
  ] as const)("a receiver that answers %i is asked again, followed, or fails the program", ([code, words]) =>
    Effect.gen(function* () {
      const elsewhere = yield* WebhookReceiver.serve(status(200))
      const receiver = yield* WebhookReceiver.serve(
        (_nth, response) => void response.writeHead(code, { location: elsewhere.url }).end(),
      )
      const { alerts, all, warnings } = yield* crossing(told(receiver.url, { secret: SECRET }))
      expect([alerts, receiver.deliveries.length, elsewhere.deliveries.length]).toEqual([2, 2, 0])
      expect(warnings).toHaveLength(2)
      expect(warnings[0]).toContain(words)
      expect(all.join("\n")).not.toMatch(/secret-path|whsec_/)
    }),
  )

  it.scopedLive("a receiver that is not there fails the program, or is tried for ever", () =>
    Effect.gen(function* () {
      const { alerts, all, warnings } = yield* crossing(told("http://127.0.0.1:1/secret-path", { secret: SECRET }))
      expect(alerts).toBe(2)
      expect(warnings).toHaveLength(2)
      expect(warnings[0]).toContain("cannot be reached")
      expect(all.join("\n")).not.toMatch(/secret-path|whsec_/)
    }),
  )

  it.scopedLive("an address that is neither https nor of this machine gets alerts", () =>
    Effect.gen(function* () {
      const { alerts, warnings } = yield* crossing(told("http://hooks.example.com/secret-path"))
      expect(alerts).toBe(2)
      expect(warnings).toEqual([
        "RUNLEDGER_WEBHOOK_URL cannot be used: plain http goes only to this machine (localhost); use https. Budget alerts are not sent.",
      ])
    }),
  )

  it.scopedLive("alerts pile up without end while the receiver hangs", () =>
    Effect.gen(function* () {
      const receiver = yield* WebhookReceiver.serve(() => {})
      const log = WarningLog.make()
      const thresholds = Array.from({ length: 80 }, (_, index) => index + 1)
      const layer = BudgetPerRun.layer({
        maxCostUsd: 1,
        thresholds,
        webhook: { url: Redacted.make(receiver.url), flushWithin: "50 millis" },
      })
      yield* Effect.gen(function* () {
        expect(yield* cross).toHaveLength(80)
        yield* Effect.sync(() => receiver.deliveries.length).pipe(
          Effect.repeat(Schedule.spaced("10 millis").pipe(Schedule.whileInput((many: number) => many === 0))),
          Effect.timeout("20 seconds"),
        )
      }).pipe(Effect.provide(layer), Effect.provide(log.layer))
      const dropped = log.warnings().filter((line) => line.includes("slower than the alerts")).length
      expect(dropped).toBeGreaterThanOrEqual(14)
      expect(dropped).toBeLessThanOrEqual(16)
      expect(receiver.deliveries).toHaveLength(1)
    }),
  )
})
