import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Tracer from "effect/Tracer"
import { CurrentRun } from "../../services/CurrentRun.js"
import { EvidenceStore } from "../../services/EvidenceStore.js"
import { IdGenerator } from "../../services/IdGenerator.js"
import { PriceBook } from "../../services/PriceBook.js"
import * as Endpoint from "../domain/Endpoint.js"
import * as ErrorText from "../domain/ErrorText.js"
import * as CallEvents from "./CallEvents.js"
import * as CallReading from "./CallReading.js"
import * as PromiseRun from "./PromiseRun.js"
import { Recorder } from "./Recorder.js"
import * as SpanIds from "./SpanIds.js"
import * as Warnings from "./Warnings.js"

/** A call of a model by any SDK, and how its answer is read. */
export interface Options<A> extends CallReading.Extractors<A> {
  /** Who is asked, as the price book knows it: `anthropic`, `openai`, `google` … */
  readonly provider: string
  readonly model: string
  /** Unique in a run; a repeat gets `~2`. Made from the request's hash when absent. */
  readonly callId?: string | undefined
  /** The worker on whose behalf it is made, such as `W2.FactsBuilder`. */
  readonly worker?: string | undefined
  /** The row's agent name; `launch.llm.<call_id>` when absent. */
  readonly agentName?: string | undefined
  /** Where requests go; credentials and query are not recorded. */
  readonly baseUrl?: string | undefined
  readonly stream?: boolean | undefined
  /**
   * What is asked, in the SDK's own shape: JSON, whose hash finds questions that are asked twice, and which is kept as evidence
   * with secrets removed. Without it there is no evidence.
   */
  readonly request?: unknown
}

export interface CallSpanService {
  /** {@link record} of an effect. */
  readonly record: <A, E, R>(
    call: Effect.Effect<A, E, R>,
    options: Options<A>,
  ) => Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan>>
}

/** Records calls that are made by another SDK than this package's own. */
export class CallSpan extends Context.Tag("runledger/telemetry/CallSpan")<CallSpan, CallSpanService>() {
  /** Captures its services once; evidence is kept when an `EvidenceStore` is in the build context. */
  static get layer(): Layer.Layer<CallSpan, never, PriceBook | IdGenerator | Recorder | CurrentRun> {
    return layer
  }
}

const UNRECORDED = "A call could not be recorded"
const END_UNRECORDED = "The end of a call could not be recorded"

const addressOf = (baseUrl: string | undefined): string | null =>
  baseUrl === undefined || baseUrl === "" ? null : Endpoint.shown(baseUrl)

interface Opened {
  readonly call: CallEvents.SomeCall
  readonly startedNanos: bigint
}

const make = Effect.gen(function* () {
  const prices = yield* PriceBook
  const ids = yield* IdGenerator
  const recorder = yield* Recorder
  const run = yield* CurrentRun
  const store = Option.getOrUndefined(yield* Effect.serviceOption(EvidenceStore))
  const warnings = yield* Warnings.make
  const ofRun = SpanIds.ofRun(run)

  const given = (request: unknown) =>
    request === undefined
      ? Effect.succeedNone
      : warnings.optional(
          "The request of a call could not be kept",
          Effect.sync(() => CallReading.given(request)),
        )

  const opened = <A>(options: Options<A>): Effect.Effect<Opened> =>
    Effect.gen(function* () {
      const request = yield* given(options.request)
      const hashed = Option.match(request, { onNone: () => "call", onSome: (it) => `call_${it.sha256.slice(0, 12)}` })
      const callId = yield* run.uniqueCallId(options.callId || hashed)
      const parent = yield* Effect.map(Effect.option(Effect.currentParentSpan), Option.getOrUndefined)
      const above = SpanIds.ofSpan(parent) ?? ofRun
      const call: CallEvents.SomeCall = {
        ...{ provider: options.provider, model: options.model, worker: options.worker, agentName: options.agentName },
        ...{ callId, request, runId: run.runId, baseUrl: addressOf(options.baseUrl), stream: options.stream === true },
        eventId: ids.unsafeEventId(yield* Clock.currentTimeMillis),
        span: { trace_id: above.trace_id, span_id: ids.unsafeSpanId(), parent_span_id: above.span_id },
        evidencePath: Option.isSome(request) ? (store?.pathOf(callId) ?? null) : null,
      }
      yield* recorder.record(CallEvents.started(call), call.span, call.eventId)
      return { call, startedNanos: yield* Clock.currentTimeNanos }
    })

  const endOf = <A, E>({ call, startedNanos }: Opened, options: Options<A>, exit: Exit.Exit<A, E>) =>
    Effect.gen(function* () {
      const nanos = (yield* Clock.currentTimeNanos) - startedNanos
      const latencyMs = Math.max(0, Math.round(Number(nanos) / 1e3) / 1e3)
      const atMillis = yield* Clock.currentTimeMillis
      const begunMillis = atMillis - latencyMs
      if (Exit.isFailure(exit)) {
        const cause = Cause.map(exit.cause, PromiseRun.thrown)
        const error = Option.getOrUndefined(Cause.failureOption(cause))
        const failure = ErrorText.ofCause(cause)
        const told = CallReading.ofError(error)
        const used =
          told.usage.source === "none"
            ? undefined
            : { ...told, cost: CallEvents.costOf(call, { ...told, responseModel: null }, begunMillis, prices) }
        return { _tag: "Failed", latencyMs, atMillis, failure, error, used } satisfies CallEvents.SomeEnd
      }
      const reading = yield* CallReading.read(options, exit.value, warnings)
      const cost = CallEvents.costOf(call, reading, begunMillis, prices)
      return { _tag: "Finished", latencyMs, atMillis, reading, cost } satisfies CallEvents.SomeEnd
    })

  const close = <A, E>(opened: Opened, options: Options<A>, exit: Exit.Exit<A, E>): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { call } = opened
      const end = yield* endOf(opened, options, exit)
      if (store !== undefined && call.evidencePath !== null && Option.isSome(call.request)) {
        const kept = store.put(CallEvents.evidence(call, call.request.value, end, store.capture))
        yield* warnings.guard("The evidence of a call could not be kept", kept)
      }
      yield* recorder.record(CallEvents.ended(call, end), call.span)
    })

  const record: CallSpanService["record"] = (call, options) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(
        warnings.optional(
          UNRECORDED,
          Effect.suspend(() => opened(options)),
        ),
        Option.match({
          onNone: () => restore(Effect.withParentSpan(call, SpanIds.external(ofRun))),
          onSome: (begun) =>
            Effect.onExit(restore(Effect.withParentSpan(call, SpanIds.external(begun.call.span))), (exit) =>
              warnings.guard(
                END_UNRECORDED,
                Effect.suspend(() => close(begun, options, exit)),
              ),
            ),
        }),
      ),
    )

  return CallSpan.of({ record })
})

/** {@link CallSpan.layer} */
export const layer: Layer.Layer<CallSpan, never, PriceBook | IdGenerator | Recorder | CurrentRun> = Layer.scoped(
  CallSpan,
  make,
)

/** A call that is a promise; aborting its signal is up to whom it is given to. */
export type Thunk<A> = (signal: AbortSignal) => PromiseLike<A>

/**
 * Makes a call by any SDK and records it: `LLM_CALL_STARTED` before it, evidence when the request is shown, then
 * `LLM_CALL_FINISHED` with usage and cost, or `LLM_CALL_FAILED`, by how it ended. Its result, error or interruption is passed on
 * as it is; a promise that rejects is an `UnknownException` with what it rejected with, and interruption aborts its signal. What
 * cannot be read off an answer is a log warning, and the call tells no usage. Calls that are recorded inside it stand under
 * it, and they alone bear cost. An answer that streams is recorded from the call to the end of its effect or promise: read it
 * in there.
 */
export function record<A, E, R>(
  call: Effect.Effect<A, E, R>,
  options: Options<NoInfer<A>>,
): Effect.Effect<A, E, Exclude<R, Tracer.ParentSpan> | CallSpan>
export function record<A>(
  call: Thunk<A>,
  options: Options<NoInfer<A>>,
): Effect.Effect<A, Cause.UnknownException, CallSpan>
export function record<A, E, R>(
  call: Effect.Effect<A, E, R> | Thunk<A>,
  options: Options<A>,
): Effect.Effect<A, E | Cause.UnknownException, Exclude<R, Tracer.ParentSpan> | CallSpan> {
  const effect: Effect.Effect<A, E | Cause.UnknownException, R> = Effect.isEffect(call)
    ? call
    : Effect.tryPromise((signal) => call(signal))
  return Effect.flatMap(CallSpan, (spans) => spans.record(effect, options))
}

/** {@link record} for programs that are written in promises. */
export interface Promises {
  /** Makes a call and records it. Resolves and rejects as the call does; `signal` interrupts it. */
  readonly record: <A>(call: Thunk<A>, options: Options<NoInfer<A>>, signal?: AbortSignal) => Promise<A>
  /**
   * Runs the whole program in the run, opens the run before it and ends it as the program does: as failed, with the reason, when it
   * rejects. Then delivers what is not delivered yet. Resolves and rejects as the program does.
   */
  readonly run: <A>(program: () => PromiseLike<A>) => Promise<A>
  /**
   * The same by hand: ends the run, as failed when there is an error to give, and delivers what is not delivered yet. A run that
   * is closed without one counts as a success, whatever became of its calls.
   */
  readonly close: (error?: unknown) => Promise<void>
}

const NOWHERE = { runId: "unrecorded", trace: Option.none() }

/** What stands in where nothing can be recorded: calls are made as ever. */
export const unrecorded: CallSpanService = {
  record: (call) => Effect.withParentSpan(call, SpanIds.external(SpanIds.ofRun(NOWHERE))),
}

/**
 * Records from plain async code: give it `RecordedRun.calls` over `Runledger.layer`, and put the program into `run`; or `close`
 * by hand the run that its first call opens. A layer that cannot be built is a log warning, and calls are made without it.
 */
export const promises = <E>(recording: Layer.Layer<CallSpan, E>): Promises => {
  const run = PromiseRun.make(
    Layer.catchAllCause(recording, (cause) =>
      Layer.effect(
        CallSpan,
        Effect.as(Effect.logWarning(`Calls are not recorded. ${ErrorText.ofCause(cause).summary}`), unrecorded),
      ),
    ),
  )
  return {
    record: async (call, options, signal) => PromiseRun.settled(await run.exitOf(record(call, options), signal)),
    run: (program) => PromiseRun.around(run, program),
    close: (error) => run.close(error === undefined ? Exit.void : PromiseRun.rejected(error)),
  }
}
