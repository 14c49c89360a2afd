import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import {
  Budget,
  type BudgetAlert,
  type BudgetExceeded,
  type Reservation,
  type Spending,
} from "../../services/Budget.js"
import { LlmClient } from "../../services/LlmClient.js"
import { PriceBook } from "../../services/PriceBook.js"
import * as Cost from "../domain/Cost.js"
import { LlmError, type LlmRequest } from "../domain/Llm.js"
import type { LlmChunk, Started } from "../domain/LlmChunk.js"
import * as Usage from "../domain/Usage.js"
import * as CallCost from "./CallCost.js"
import { type CallOptions, LlmSpan, type RecordedCall } from "./LlmSpan.js"
import { Recorder } from "./Recorder.js"

/** How a call is made within the budget. */
export interface Options {
  /** The worker on whose behalf it is made, such as `W2.FactsBuilder`. */
  readonly worker?: string | undefined
  /** Its answer costs nothing, whatever it would cost otherwise; told from the client's provider when absent. */
  readonly isFree?: boolean | undefined
  /** Cuts the waiting and the call off together. */
  readonly within?: (<A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | BudgetExceeded, R>) | undefined
}

/**
 * A token of English and code is about four characters, of other scripts hardly more than one, which is three bytes there: too many
 * are set aside rather than too few.
 */
const BYTES_PER_TOKEN = 3

const FREE: ReadonlySet<string> = new Set(["sandbox", "replay"])

/** Who would answer, and what tokens cost there. */
const asked = (model: string) =>
  Effect.gen(function* () {
    const prices = yield* Effect.serviceOption(PriceBook)
    const client = yield* Effect.serviceOption(LlmClient)
    const provider = Option.match(client, { onNone: () => "anthropic", onSome: (service) => service.provider })
    return { prices, provider, model, atMillis: yield* Clock.currentTimeMillis }
  })

/** The most that a call may use: its prompt and the longest answer it may get, at today's price. */
const estimate = (request: LlmRequest, given: boolean | undefined): Effect.Effect<Spending> =>
  Effect.map(asked(request.model), ({ atMillis, model, prices, provider }) => {
    const asks = JSON.stringify([request.system, request.messages, request.tools, request.responseFormat])
    const usage = {
      ...Usage.none,
      uncachedInput: Math.ceil(Buffer.byteLength(asks) / BYTES_PER_TOKEN),
      output: request.maxTokens,
    }
    const isFree = given ?? FREE.has(provider)
    const price = Option.flatMap(prices, (book) => book.unsafePriceOf(provider, model, atMillis))
    const known = Option.flatMap(price, (at) => Option.fromNullable(Cost.price(usage, at).nanoUsd))
    const nanoUsd = isFree ? 0 : Option.getOrElse(known, () => 0)
    const unpricedCalls = isFree || Option.isSome(known) ? 0 : 1
    return { calls: 1, tokens: Usage.totalTokens(usage), nanoUsd, unpricedCalls, isFree }
  })

/** What a failed call cost for sure. */
export const costOfFailure = (error: LlmError, model: string): Effect.Effect<Cost.Cost> =>
  Effect.map(asked(model), ({ prices, ...whom }) => {
    if (error.source === "replay") return Cost.replayed
    if (Option.isNone(prices)) return Cost.unpriced
    const { used } = CallCost.ofAttempts(whom, error.attempts, error.source, prices.value)
    return used?.cost ?? CallCost.costOf(whom, error.usage, error.source, null, prices.value)
  })

/** What a budget counts of a call that used tokens at a cost. */
export const spendingOf = (usage: Usage.Usage, cost: Cost.Cost): Spending => ({
  calls: 1,
  tokens: Usage.totalTokens(usage),
  nanoUsd: cost.status === "priced" ? (cost.nanoUsd ?? 0) : 0,
  unpricedCalls: cost.status === "unpriced" && Usage.totalTokens(usage) > 0 ? 1 : 0,
  isFree: cost.status === "simulated" || cost.status === "replayed",
})

/** Of a call that nobody waited for nothing is known but that it was made. */
const nothingKnown = ({ isFree }: Spending): Spending => ({ calls: 1, tokens: 0, nanoUsd: 0, isFree })

/** An answer as far as a budget looks at it. */
export type Bought = Pick<RecordedCall, "usage" | "cost">

/** An answer costs something, also where it tells no usage; a failure that tells none may have cost nothing. */
const spentOn = ({ cost, usage }: Bought): Spending => ({
  ...spendingOf(usage, cost),
  unpricedCalls: cost.status === "unpriced" ? 1 : 0,
})

/** What an ended call used. */
const usedBy = <E>(exit: Exit.Exit<Bought, E>, model: string, aside: Spending): Effect.Effect<Spending> => {
  if (Exit.isSuccess(exit)) return Effect.succeed(spentOn(exit.value))
  const failure = Option.filter(Cause.failureOption(exit.cause), (error) => error instanceof LlmError)
  return Option.match(failure, {
    onNone: () => Effect.succeed(nothingKnown(aside)),
    onSome: (error) => Effect.map(costOfFailure(error, model), (cost) => spendingOf(error.usage, cost)),
  })
}

/** Where one call crosses several thresholds of a limit, the highest says it all to a person. */
const isHighest = (alert: BudgetAlert, alerts: ReadonlyArray<BudgetAlert>): boolean =>
  !alerts.some(
    ({ scope, thresholdPercent, window }) =>
      scope === alert.scope && window === alert.window && thresholdPercent > alert.thresholdPercent,
  )

const raise = (alerts: ReadonlyArray<BudgetAlert>): Effect.Effect<void, never, Recorder> =>
  Effect.gen(function* () {
    const recorder = yield* Recorder
    for (const alert of alerts) {
      if (isHighest(alert, alerts)) yield* Effect.logWarning(alert.message)
      yield* recorder.record({
        type: "BUDGET_ALERT",
        payload: {
          scope: alert.scope,
          budget: alert.budget,
          window: alert.window,
          threshold_percent: alert.thresholdPercent,
          spent_nanousd: alert.spentNanoUsd,
          limit_nanousd: alert.limitNanoUsd,
          message: alert.message,
        },
      })
    }
  })

/**
 * A call within the budget: sets aside what it may use, makes it, counts what it did use, and raises the alerts that this
 * causes as events and log lines. A call that the budget refuses is not made. The call itself is the caller's affair: `LlmSpan`'s,
 * or one by another SDK whose answer tells its usage and cost.
 */
export const around = <A extends Bought, E, R>(
  request: LlmRequest,
  options: Options,
  call: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | BudgetExceeded, R | Budget | Recorder> =>
  Effect.gen(function* () {
    const budget = yield* Budget
    const aside = yield* estimate(request, options.isFree)
    const held = yield* Ref.make(Option.none<Reservation>())
    // What was set aside is known to whoever gives it back before anything can be interrupted.
    const take = budget.reserve(aside, { worker: options.worker, model: request.model }).pipe(
      Effect.flatMap((reservation) => Ref.set(held, Option.some(reservation))),
      Effect.uninterruptible,
    )
    const settle = (exit: Exit.Exit<A, E | BudgetExceeded>) =>
      Effect.gen(function* () {
        const reservation = yield* Ref.get(held)
        if (Option.isNone(reservation)) return
        const used = yield* usedBy(exit, request.model, aside)
        yield* raise(yield* budget.settle(reservation.value, used))
      })
    const within = options.within ?? identity
    return yield* Effect.onExit(within(Effect.zipRight(take, call)), settle)
  })

/** `LlmSpan.generate` within the budget. */
export const generate = (
  request: LlmRequest,
  options: CallOptions = {},
): Effect.Effect<RecordedCall, LlmError | BudgetExceeded, LlmSpan | Budget | Recorder> =>
  Effect.flatMap(LlmSpan, (span) => around(request, { worker: options.worker }, span.generate(request, options)))

/** How far a streamed answer has come. */
interface Streamed {
  started: Started | undefined
  /** What is billed for sure by now. */
  usage: Usage.Usage
  ended: Exit.Exit<RecordedCall, LlmError> | undefined
}

const note = (streamed: Streamed, chunk: LlmChunk<RecordedCall>): void => {
  switch (chunk._tag) {
    case "Started":
      streamed.started = chunk
      streamed.usage = chunk.usage
      break
    case "Used":
      streamed.usage = chunk.usage
      break
    case "Finished":
      streamed.ended = Exit.succeed(chunk.response)
      break
  }
}

/** Of a stream that its reader left early: what had been billed for sure, by attempts that failed before it too. */
const usedByStream = ({ ended, started, usage }: Streamed, model: string, aside: Spending): Effect.Effect<Spending> => {
  if (ended !== undefined) return usedBy(ended, model, aside)
  if (started === undefined) return Effect.succeed(nothingKnown(aside))
  return Effect.map(asked(model), ({ prices, ...whom }) => {
    const by = { ...whom, provider: started.provider ?? whom.provider }
    return Option.match(prices, {
      onNone: () => spendingOf(usage, Cost.unpriced),
      onSome: (book) => {
        const cost = CallCost.costOf(by, usage, started.source, started.model, book)
        const { used } = CallCost.ofAttempts(whom, started.attempts, started.source, book)
        return used === undefined
          ? spendingOf(usage, cost)
          : spendingOf(Usage.add(usage, used.usage), Cost.together(cost, used.cost))
      },
    })
  })
}

/**
 * `LlmSpan.stream` within the budget: each run of the stream sets aside before its first chunk, and is settled when its scope
 * closes, by what it used; one that was left early, by what is billed for sure.
 */
export const stream = (
  request: LlmRequest,
  options: CallOptions = {},
): Stream.Stream<LlmChunk<RecordedCall>, LlmError | BudgetExceeded, LlmSpan | Budget | Recorder> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const span = yield* LlmSpan
      const budget = yield* Budget
      const aside = yield* estimate(request, undefined)
      const streamed: Streamed = { started: undefined, usage: Usage.none, ended: undefined }
      yield* Effect.acquireRelease(
        budget.reserve(aside, { worker: options.worker, model: request.model }),
        (reservation) =>
          Effect.gen(function* () {
            const used = yield* usedByStream(streamed, request.model, aside)
            yield* raise(yield* budget.settle(reservation, used))
          }),
      )
      return span.stream(request, options).pipe(
        Stream.tap((chunk) => Effect.sync(() => note(streamed, chunk))),
        Stream.tapError((error) => Effect.sync(() => (streamed.ended = Exit.fail(error)))),
      )
    }),
  )
