import { randomUUID } from "node:crypto"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { BudgetAlert } from "../services/Budget.js"
import { CurrentRun } from "../services/CurrentRun.js"
import { fromMillis } from "../src/domain/Timestamp.js"
import * as WebhookAddress from "../src/domain/WebhookAddress.js"
import { headers, secretProblem, type WebhookMessage } from "../src/domain/WebhookMessage.js"
import * as FileProblem from "./FileProblem.js"

export interface WebhookOptions {
  /** https, or plain http on this machine. Never shown beyond its host: many receivers' addresses are secrets. */
  readonly url: Redacted.Redacted<string>
  /** Messages are signed with it; without one they are not signed. */
  readonly secret?: Redacted.Redacted<string> | undefined
  /** One attempt; 10 seconds. */
  readonly requestTimeout?: Duration.DurationInput
  /** The wait before the second attempt, doubled for each further one; 1 second. */
  readonly retryBase?: Duration.DurationInput
  /** How long the end of the scope waits for what is still to be sent; 3 seconds. */
  readonly flushWithin?: Duration.DurationInput
}

const ATTEMPTS = 5
/** More alerts than that at once are told of nobody: there are a few a window. */
const MOST_WAITING = 64

/** An attempt that was not answered with 2xx. */
class NotTaken extends Data.TaggedError("NotTaken")<{ readonly reason: string; readonly isWorthRetrying: boolean }> {}

const messageOf = (alert: BudgetAlert, runId: string | null, millis: number): WebhookMessage => ({
  id: `msg_${randomUUID()}`,
  body: JSON.stringify({
    type: "budget.alert",
    timestamp: fromMillis(millis),
    data: {
      budget: alert.budget,
      window: alert.window,
      scope: alert.scope,
      threshold_percent: alert.thresholdPercent,
      spent: alert.spent,
      limit: alert.limit,
      spent_nanousd: alert.spentNanoUsd,
      limit_nanousd: alert.limitNanoUsd,
      message: alert.message,
      run_id: runId,
    },
  }),
})

const isWorthRetrying = (status: number): boolean => status === 408 || status === 429 || status >= 500

/** Never in the network's own words: they may quote the address. */
const unreachable = (error: HttpClientError.HttpClientError) =>
  new NotTaken({
    reason: `cannot be reached (${codeOf(error) ?? "no answer"})`,
    isWorthRetrying: error._tag === "RequestError" && error.reason === "Transport",
  })

const codeOf = (error: unknown): string | undefined =>
  FileProblem.code(error) ?? (error instanceof Error && error.cause !== undefined ? codeOf(error.cause) : undefined)

const attempt = (http: HttpClient.HttpClient, options: WebhookOptions, message: WebhookMessage) =>
  Effect.gen(function* () {
    const seconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    const secret = options.secret === undefined ? undefined : Redacted.value(options.secret)
    const request = HttpClientRequest.post(Redacted.value(options.url), {
      headers: headers(message, seconds, secret),
    }).pipe(HttpClientRequest.bodyText(message.body, "application/json"))
    const response = yield* Effect.mapError(http.execute(request), unreachable)
    // Nothing of the answer is needed, and it is not waited for.
    yield* Effect.ignore(Stream.runDrain(Stream.take(response.stream, 1)))
    const { status } = response
    if (status >= 200 && status < 300) return
    const hint = status >= 300 && status < 400 ? "; redirects are not followed" : ""
    yield* new NotTaken({ reason: `answered ${status}${hint}`, isWorthRetrying: isWorthRetrying(status) })
  }).pipe(
    Effect.timeoutFail({
      duration: options.requestTimeout ?? "10 seconds",
      onTimeout: () => new NotTaken({ reason: "did not answer in time", isWorthRetrying: true }),
    }),
    Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
    Effect.withTracerEnabled(false),
  )

const undelivered = (where: string, message: string): Effect.Effect<void> =>
  Effect.logWarning(`A budget alert did not reach the webhook at ${where}: it ${message}. The run goes on.`)

const deliver = (http: HttpClient.HttpClient, options: WebhookOptions, where: string, message: WebhookMessage) =>
  attempt(http, options, message).pipe(
    Effect.retry({
      schedule: Schedule.intersect(
        Schedule.jittered(Schedule.exponential(options.retryBase ?? "1 second")),
        Schedule.recurs(ATTEMPTS - 1),
      ),
      while: (error) => error.isWorthRetrying,
    }),
    Effect.catchAll((error) => undelivered(where, error.reason)),
    Effect.catchAllDefect(() => undelivered(where, "cannot be asked")),
  )

/** Told of alerts; returns at once. */
export type Tell = (alert: BudgetAlert) => Effect.Effect<void>

const nobody: Tell = () => Effect.void

/**
 * Sends alerts to a webhook, one after the other, each up to five times with growing waits; never waits for it and never fails.
 * When 64 are waiting, further ones are dropped with a warning. The end of the scope waits up to three seconds for what is
 * still to be sent, and says what was not. Redirects are not followed.
 */
export const make = (options: WebhookOptions): Effect.Effect<Tell, never, Scope.Scope> =>
  Effect.gen(function* () {
    const address = Redacted.value(options.url)
    const wrong = WebhookAddress.problem(address)
    if (wrong !== null) {
      yield* Effect.logWarning(`RUNLEDGER_WEBHOOK_URL cannot be used: ${wrong}. Budget alerts are not sent.`)
      return nobody
    }
    const flaw = options.secret === undefined ? null : secretProblem(Redacted.value(options.secret))
    if (flaw !== null) {
      yield* Effect.logWarning(`RUNLEDGER_WEBHOOK_SECRET cannot be used: ${flaw}. Budget alerts are not sent.`)
      return nobody
    }
    const where = WebhookAddress.shown(address)
    const http = (yield* HttpClient.HttpClient).pipe(HttpClient.withTracerPropagation(false))
    const run = yield* Effect.serviceOption(CurrentRun)
    const runId = Option.match(run, { onNone: () => null, onSome: (current) => current.runId })
    const mailbox = yield* Mailbox.make<WebhookMessage>({ capacity: MOST_WAITING, strategy: "dropping" })
    const sender = yield* Effect.forkScoped(
      Effect.interruptible(
        Stream.runForEach(Mailbox.toStream(mailbox), (message) => deliver(http, options, where, message)),
      ),
    )
    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        yield* mailbox.end
        const waited = Effect.timeoutOption(Fiber.await(sender), options.flushWithin ?? "3 seconds")
        if (Option.isNone(yield* Effect.interruptible(waited))) {
          yield* undelivered(where, "was still being tried when the program ended; the alert stands in the run's log")
        }
      }),
    )
    return (alert: BudgetAlert) =>
      Effect.gen(function* () {
        const isTaken = yield* mailbox.offer(messageOf(alert, runId, yield* Clock.currentTimeMillis))
        if (!isTaken) yield* undelivered(where, `is slower than the alerts, of which ${MOST_WAITING} wait`)
      })
  }).pipe(Effect.provide(FetchHttpClient.layer))
