import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { Budget, type BudgetAlert, BudgetExceeded, type Spending } from "../../services/Budget.js"
import { LlmClient } from "../../services/LlmClient.js"
import { PriceBook } from "../../services/PriceBook.js"
import * as Cost from "../domain/Cost.js"
import type { LlmError, LlmRequest } from "../domain/Llm.js"
import type { LlmSettings } from "../domain/RunConfig.js"
import * as Usage from "../domain/Usage.js"
import type { LlmSpanService, RecordedCall } from "../telemetry/LlmSpan.js"
import { Recorder } from "../telemetry/Recorder.js"
import type { CallLedger } from "./CallLedger.js"

/** How a worker asks: with which settings, and where its calls are added up. */
export interface Asking {
  readonly span: LlmSpanService
  readonly settings: LlmSettings
  readonly ledger: CallLedger
  readonly worker: string
  readonly deadline: Option.Option<Deadline>
}

/** When `budgets.max_runtime` is used up, on the monotonic clock. */
export interface Deadline {
  readonly nanos: bigint
  readonly maxRuntimeSeconds: number
}

const outOfTime = ({ maxRuntimeSeconds }: Deadline): BudgetExceeded =>
  new BudgetExceeded({
    scope: "runtime",
    limit: maxRuntimeSeconds,
    spent: maxRuntimeSeconds,
    message: `The launch has used its ${maxRuntimeSeconds} seconds. Raise budgets.max_runtime in the run config and resume the run.`,
  })

/** Cuts an effect off at the deadline. */
const within = <A, E, R>(deadline: Option.Option<Deadline>, effect: Effect.Effect<A, E, R>) =>
  Option.match(deadline, {
    onNone: (): Effect.Effect<A, E | BudgetExceeded, R> => effect,
    onSome: (limit) =>
      Effect.flatMap(Clock.currentTimeNanos, (now) =>
        now >= limit.nanos
          ? Effect.fail(outOfTime(limit))
          : Effect.timeoutFail(effect, {
              duration: Duration.nanos(limit.nanos - now),
              onTimeout: () => outOfTime(limit),
            }),
      ),
  })

/** A token of English and code is about four characters; too many are set aside rather than too few. */
const CHARACTERS_PER_TOKEN = 3

const isFree = (settings: LlmSettings): boolean => settings.provider === "sandbox" || settings.provider === "replay"

const priceOf = (model: string, settings: LlmSettings): Effect.Effect<Option.Option<Cost.Price>> =>
  Effect.gen(function* () {
    const prices = yield* Effect.serviceOption(PriceBook)
    const client = yield* Effect.serviceOption(LlmClient)
    const provider = Option.match(client, {
      onNone: () => settings.provider ?? "anthropic",
      onSome: (service) => service.provider,
    })
    const now = yield* Clock.currentTimeMillis
    return Option.flatMap(prices, (book) => book.unsafePriceOf(provider, model, now))
  })

/** The most that a call may use: its prompt and the longest answer it may get, at today's price. */
const estimate = (request: LlmRequest, settings: LlmSettings): Effect.Effect<Spending> =>
  Effect.map(priceOf(request.model, settings), (price) => {
    const characters = JSON.stringify([request.system, request.messages, request.tools]).length
    const usage = {
      ...Usage.none,
      uncachedInput: Math.ceil(characters / CHARACTERS_PER_TOKEN),
      output: request.maxTokens,
    }
    const bought = isFree(settings) ? Option.none() : price
    const nanoUsd = Option.match(bought, { onNone: () => 0, onSome: (at) => Cost.price(usage, at).nanoUsd ?? 0 })
    return { calls: 1, tokens: Usage.totalTokens(usage), nanoUsd }
  })

/** What a failed call cost for sure. */
const costOfFailure = (error: LlmError, model: string, settings: LlmSettings): Effect.Effect<Cost.Cost> =>
  Effect.map(priceOf(model, settings), (price) => {
    if (error.source === "replay") return Cost.replayed
    if (Option.isNone(price)) return Cost.unpriced
    return Cost.price(error.usage, price.value, error.source === "sandbox" ? "simulated" : "priced")
  })

const spending = (tokens: number, cost: Cost.Cost): Spending => ({
  calls: 1,
  tokens,
  nanoUsd: cost.status === "priced" ? (cost.nanoUsd ?? 0) : 0,
})

/** Adds an ended call up and says what it used. An interrupted one counts as a call. */
const settled = (
  asking: Asking,
  model: string,
  callId: string,
  exit: Exit.Exit<RecordedCall, LlmError | BudgetExceeded>,
) =>
  Effect.gen(function* () {
    if (Exit.isSuccess(exit)) {
      yield* asking.ledger.succeeded(exit.value, asking.worker)
      return spending(Usage.totalTokens(exit.value.usage), exit.value.cost)
    }
    const failure = Cause.failureOption(exit.cause)
    if (Option.isNone(failure) || failure.value._tag === "BudgetExceeded") return spending(0, Cost.unpriced)
    const cost = yield* costOfFailure(failure.value, model, asking.settings)
    yield* asking.ledger.failed(callId, asking.worker, failure.value, cost)
    return spending(Usage.totalTokens(failure.value.usage), cost)
  })

const raise = (alerts: ReadonlyArray<BudgetAlert>): Effect.Effect<void, never, Recorder> =>
  Effect.gen(function* () {
    const recorder = yield* Recorder
    for (const alert of alerts) {
      yield* Effect.logDebug(alert.message)
      yield* recorder.record({
        type: "BUDGET_ALERT",
        payload: {
          scope: alert.scope,
          threshold_percent: alert.thresholdPercent,
          spent_nanousd: alert.spentNanoUsd,
          limit_nanousd: alert.limitNanoUsd,
          message: alert.message,
        },
      })
    }
  })

/**
 * One call within the budget: sets aside what it may use, makes it, counts what it did use and raises the alerts that this
 * causes. A call that the budget refuses is not made.
 */
export const ask = (
  asking: Asking,
  request: LlmRequest,
  callId: string,
): Effect.Effect<RecordedCall, LlmError | BudgetExceeded, Budget | Recorder> =>
  Effect.gen(function* () {
    const budget = yield* Budget
    const aside = yield* estimate(request, asking.settings)
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        yield* restore(within(asking.deadline, budget.reserve(aside)))
        const call = asking.span.generate(request, { callId, worker: asking.worker })
        const exit = yield* Effect.exit(restore(within(asking.deadline, call)))
        const used = yield* settled(asking, request.model, callId, exit)
        yield* raise(yield* budget.settle(aside, used))
        return yield* exit
      }),
    )
  })
