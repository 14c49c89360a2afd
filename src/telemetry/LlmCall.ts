import type * as Cause from "effect/Cause"
import * as Causes from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { PriceBookService } from "../../services/PriceBook.js"
import * as Cost from "../domain/Cost.js"
import * as ErrorText from "../domain/ErrorText.js"
import type { SpanContext } from "../domain/Event.js"
import { type Attempt, LlmError, type LlmRequest, type LlmResponse } from "../domain/Llm.js"
import * as Usage from "../domain/Usage.js"
import * as CallCost from "./CallCost.js"
import type { CallOptions } from "./LlmSpan.js"
import * as StreamedAnswer from "./StreamedAnswer.js"

/** An answer with what was measured of it. Milliseconds are monotonic. */
export interface Answer {
  readonly response: LlmResponse
  readonly latencyMs: number
  /** Without back-off and without the time of a stream's reader; absent when no attempt was told. */
  readonly modelLatencyMs: number | undefined
  /** Of the answer and of the attempts that failed before it, together. */
  readonly cost: Cost.Cost
  readonly usage: Usage.Usage
  readonly attempts: ReadonlyArray<Attempt>
}

/** A call between its start and its end. */
export interface LlmCall {
  readonly callId: string
  readonly promptHash: string
  readonly request: LlmRequest
  readonly options: CallOptions
  readonly runId: string
  /** Of its STARTED event, and so of its row. */
  readonly eventId: string
  readonly span: SpanContext
  readonly provider: string
  readonly baseUrl: string | null
  readonly evidencePath: string | null
  /** The caller's. */
  readonly clock: Clock.Clock
  readonly startedAt: bigint
  /** Of a call that streams: what has come so far. */
  readonly stream: StreamedAnswer.StreamedAnswer | undefined
  /** Set when the client has answered, whatever comes after. */
  answer: Answer | undefined
}

export type AnyExit = Exit.Exit<unknown, unknown>

/** How a call ended. */
export type End =
  | { readonly _tag: "Finished"; readonly answer: Answer }
  | {
      readonly _tag: "Failed"
      readonly failure: ErrorText.Failure
      /** The client's own error, when that is what ended the call. */
      readonly error: LlmError | undefined
      readonly latencyMs: number
      /** What had come of a stream. */
      readonly partial: LlmResponse | undefined
      /** What was used for sure, and what it cost; absent when nobody knows. */
      readonly used: CallCost.Used | undefined
      /** Absent when the call ended in a way that tells of none. */
      readonly attempts: ReadonlyArray<Attempt> | undefined
    }

const latencyMs = (call: LlmCall): number =>
  Math.max(0, Math.round(Number(call.clock.unsafeCurrentTimeNanos() - call.startedAt) / 1e3) / 1e3)

/** How long providers were waited for in all attempts together; nothing when there was none. */
export const modelLatencyMs = (attempts: ReadonlyArray<Attempt>): number | undefined => {
  const [only] = attempts
  if (only === undefined) return undefined
  if (attempts.length === 1) return only.duration_ms
  return Math.round(attempts.reduce((sum, { duration_ms }) => sum + duration_ms, 0) * 1e3) / 1e3
}

/** The price is that of the call's beginning, as it is where a server or a repricing prices it. */
const asked = (call: LlmCall, provider = call.provider): CallCost.Asked => ({
  provider,
  model: call.request.model,
  atMillis: call.clock.unsafeCurrentTimeMillis() - latencyMs(call),
})

const priced = (call: LlmCall, response: LlmResponse, latencyMs: number, prices: PriceBookService): Answer => {
  const { attempts: told, model, provider, source, usage } = response
  const { attempts, used } = CallCost.ofAttempts(asked(call), told, source, prices)
  const cost = CallCost.costOf(asked(call, provider), usage, source, model, prices)
  return {
    response,
    latencyMs,
    modelLatencyMs: modelLatencyMs(told),
    cost: used === undefined ? cost : Cost.together(cost, used.cost),
    usage: used === undefined ? usage : Usage.add(usage, used.usage),
    attempts,
  }
}

/** Latency and cost of an answer. Never throws: an answer whose usage makes no sense is unpriced. */
export const measure = (call: LlmCall, response: LlmResponse, prices: PriceBookService): Answer => {
  const latency = latencyMs(call)
  try {
    return priced(call, response, latency, prices)
  } catch {
    const { attempts, usage } = response
    return { response, latencyMs: latency, modelLatencyMs: undefined, cost: Cost.unpriced, usage, attempts }
  }
}

const errorOf = (cause: Cause.Cause<unknown>): LlmError | undefined =>
  Option.getOrUndefined(Option.filter(Causes.failureOption(cause), (error) => error instanceof LlmError))

interface Told {
  readonly attempts: ReadonlyArray<Attempt> | undefined
  readonly used: CallCost.Used | undefined
}

/** The costs of all attempts; of a failure that tells a usage and no attempt with one, those of that usage. */
const toldBy = (
  call: LlmCall,
  failed: Pick<LlmResponse, "attempts" | "provider" | "source" | "usage">,
  model: string | null,
  prices: PriceBookService,
): Told => {
  const { provider, source, usage } = failed
  const { attempts, used } = CallCost.ofAttempts(asked(call), failed.attempts, source, prices)
  if (used !== undefined || usage.source === "none") return { attempts, used }
  return { attempts, used: { usage, cost: CallCost.costOf(asked(call, provider), usage, source, model, prices) } }
}

const toldAtEnd = (
  call: LlmCall,
  error: LlmError | undefined,
  partial: LlmResponse | undefined,
  prices: PriceBookService,
): Told => {
  if (call.answer !== undefined) return { attempts: undefined, used: call.answer }
  if (error !== undefined) return toldBy(call, error, null, prices)
  return partial === undefined ? { attempts: undefined, used: undefined } : toldBy(call, partial, partial.model, prices)
}

/**
 * Reads off the exit how the call ended. A stream has ended well when its last chunk was given, whatever its reader does then; and
 * only what the client itself failed with is the call's: an error of its reader may be that of another call.
 */
export const end = (call: LlmCall, exit: AnyExit, prices: PriceBookService): End => {
  const { answer, stream } = call
  if (answer !== undefined && (Exit.isSuccess(exit) || stream !== undefined)) return { _tag: "Finished", answer }
  const cause = stream !== undefined ? stream.broken : Exit.isSuccess(exit) ? Causes.empty : exit.cause
  const error = cause && errorOf(cause)
  const partial = stream && StreamedAnswer.unfinished(stream, call.clock.unsafeCurrentTimeNanos())
  return {
    _tag: "Failed",
    failure:
      cause === undefined && stream !== undefined
        ? StreamedAnswer.left(stream, exit)
        : ErrorText.ofCause(cause ?? Causes.empty),
    error,
    latencyMs: latencyMs(call),
    partial,
    ...toldAtEnd(call, error, partial, prices),
  }
}
