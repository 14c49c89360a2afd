import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { type Budget, BudgetExceeded } from "../../services/Budget.js"
import type { LlmError, LlmRequest } from "../domain/Llm.js"
import type { LlmSettings } from "../domain/RunConfig.js"
import * as Budgeted from "../telemetry/Budgeted.js"
import type { LlmSpanService, RecordedCall } from "../telemetry/LlmSpan.js"
import type { Recorder } from "../telemetry/Recorder.js"
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
    budget: "launch",
    window: "this launch",
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

const isFree = ({ provider }: LlmSettings): boolean => provider === "sandbox" || provider === "replay"

/** Adds an ended call up, for the launch's report. */
const noted = (asking: Asking, model: string, callId: string, exit: Exit.Exit<RecordedCall, LlmError>) =>
  Exit.match(exit, {
    onSuccess: (call) => asking.ledger.succeeded(call, asking.worker),
    onFailure: (cause) =>
      Option.match(Cause.failureOption(cause), {
        onNone: () => Effect.void,
        onSome: (error) =>
          Effect.flatMap(Budgeted.costOfFailure(error, model), (cost) =>
            asking.ledger.failed(callId, asking.worker, error, cost),
          ),
      }),
  })

/** One call within the budget and the launch's time. A call that the budget refuses is not made. */
export const ask = (
  asking: Asking,
  request: LlmRequest,
  callId: string,
): Effect.Effect<RecordedCall, LlmError | BudgetExceeded, Budget | Recorder> => {
  const { deadline, settings, span, worker } = asking
  const call = Effect.onExit(span.generate(request, { callId, worker }), (exit) =>
    noted(asking, request.model, callId, exit),
  )
  return Budgeted.around(
    request,
    { worker, isFree: isFree(settings) || undefined, within: (effect) => within(deadline, effect) },
    call,
  )
}
