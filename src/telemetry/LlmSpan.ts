import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { CurrentRun } from "../../services/CurrentRun.js"
import { EvidenceStore } from "../../services/EvidenceStore.js"
import { IdGenerator } from "../../services/IdGenerator.js"
import { LlmClient } from "../../services/LlmClient.js"
import { PriceBook } from "../../services/PriceBook.js"
import { type Cost, unpriced } from "../domain/Cost.js"
import type { EventBody } from "../domain/Event.js"
import { GENESIS_HASH } from "../domain/Ids.js"
import { type LlmError, type LlmRequest, type LlmResponse, promptHash } from "../domain/Llm.js"
import type { LlmChunk } from "../domain/LlmChunk.js"
import * as CallBracket from "./CallBracket.js"
import * as LlmCall from "./LlmCall.js"
import * as LlmCallEvents from "./LlmCallEvents.js"
import { type AnyFiber, Recorder, type RecorderService } from "./Recorder.js"
import * as SpanIds from "./SpanIds.js"
import * as StreamedAnswer from "./StreamedAnswer.js"
import * as Warnings from "./Warnings.js"

/** How a call is named in the record. */
export interface CallOptions {
  /** Unique in a run; a repeat gets `~2`. Made from the prompt hash when absent. */
  readonly callId?: string | undefined
  /** The worker on whose behalf it is made, such as `W2.FactsBuilder`. */
  readonly worker?: string | undefined
  /** The row's agent name; `launch.llm.<call_id>` when absent. */
  readonly agentName?: string | undefined
}

/** An answer together with its place in the record. Latency is monotonic milliseconds. */
export interface RecordedCall extends LlmResponse {
  readonly callId: string
  readonly traceId: string
  readonly spanId: string
  readonly promptHash: string
  readonly latencyMs: number
  /** Of the latency, what providers were waited for; absent when no attempt was told. */
  readonly modelLatencyMs?: number | undefined
  /** Relative to the run's folder; null when nothing is kept. */
  readonly evidencePath: string | null
  /** Of the answer, and of attempts that failed before it and are billed all the same. */
  readonly cost: Cost
}

export interface LlmSpanService {
  /**
   * One recorded call: `LLM_CALL_STARTED`, the request, evidence, then `LLM_CALL_FINISHED` or `LLM_CALL_FAILED` by how it
   * ended. The caller gets the very answer or error that the client gave; recording never changes it. A timeout belongs
   * inside, into the client: one around this looks like the interruption that it is.
   */
  readonly generate: (request: LlmRequest, options?: CallOptions) => Effect.Effect<RecordedCall, LlmError>
  /**
   * The same for an answer in pieces: one call a run of the stream, from its first pull until its scope closes. The reader gets
   * the very chunks and errors that the client gives, but that the response of the last one has its place in the record beside it.
   * A reader that leaves early, fails of its own or is interrupted, ends the call as `LLM_CALL_FAILED` with `Interrupted`: with what had come of the
   * answer as evidence, and with what is billed for sure.
   */
  readonly stream: (request: LlmRequest, options?: CallOptions) => Stream.Stream<LlmChunk<RecordedCall>, LlmError>
}

/** The one place where a language model is called. */
export class LlmSpan extends Context.Tag("runledger/telemetry/LlmSpan")<LlmSpan, LlmSpanService>() {
  /**
   * Captures its services once; evidence is kept when an `EvidenceStore` is in the build context. A call's parent is the
   * current parent span of Effect's tracer, native or external, or else the run itself; what runs inside the call sees the
   * call's own span as its parent. Evidence that cannot be kept is a log warning, once per cause.
   */
  static get layer(): Layer.Layer<LlmSpan, never, LlmClient | PriceBook | IdGenerator | Recorder | CurrentRun> {
    return layer
  }
}

const UNRECORDED = "A call could not be recorded"
const END_UNRECORDED = "The end of a call could not be recorded"

/** A call that is to be made. */
interface Wanted {
  readonly request: LlmRequest
  readonly options: CallOptions
  readonly hash: string
  readonly stream: StreamedAnswer.StreamedAnswer | undefined
}

/** A call and its opening event, before either is told of. */
interface Opened {
  readonly call: LlmCall.LlmCall
  readonly started: EventBody
}

const make = Effect.gen(function* () {
  const client = yield* LlmClient
  const prices = yield* PriceBook
  const ids = yield* IdGenerator
  const recorder = yield* Recorder
  const run = yield* CurrentRun
  const evidence = Option.getOrUndefined(yield* Effect.serviceOption(EvidenceStore))
  const warnings = yield* Warnings.make
  const ofRun = SpanIds.ofRun(run)

  const record: NonNullable<RecorderService["unsafeRecord"]> =
    recorder.unsafeRecord ?? ((_fiber, body, span, eventId) => recorder.record(body, span, eventId))

  const open = (fiber: AnyFiber, { hash, options, request, stream }: Wanted, callId: string): Opened => {
    const parent = SpanIds.ofSpan(fiber.currentSpan) ?? ofRun
    const clock = Context.get(fiber.currentDefaultServices, Clock.Clock)
    const call: LlmCall.LlmCall = {
      callId,
      promptHash: hash,
      request,
      options,
      runId: run.runId,
      eventId: ids.unsafeEventId(clock.unsafeCurrentTimeMillis()),
      span: { trace_id: parent.trace_id, span_id: ids.unsafeSpanId(), parent_span_id: parent.span_id },
      provider: client.provider,
      baseUrl: client.baseUrl,
      evidencePath: evidence?.pathOf(callId) ?? null,
      clock,
      startedAt: clock.unsafeCurrentTimeNanos(),
      stream,
      answer: undefined,
    }
    return { call, started: LlmCallEvents.started(call) }
  }

  const start = (fiber: AnyFiber, { call, started }: Opened): Effect.Effect<void> =>
    record(fiber, started, call.span, call.eventId)

  const close = (fiber: AnyFiber, call: LlmCall.LlmCall, exit: LlmCall.AnyExit): Effect.Effect<void> =>
    warnings.step(END_UNRECORDED, () => {
      const end = LlmCall.end(call, exit, prices)
      if (evidence === undefined || call.evidencePath === null)
        return record(fiber, LlmCallEvents.ended(call, end), call.span)
      const kept = evidence.put(LlmCallEvents.evidence(call, end, evidence.capture))
      return Effect.zipRight(
        warnings.guard("The evidence of a call could not be kept", kept),
        warnings.guard(END_UNRECORDED, recorder.record(LlmCallEvents.ended(call, end), call.span)),
      )
    })

  const placed = (call: LlmCall.LlmCall, response: LlmResponse): RecordedCall => {
    const answer = LlmCall.measure(call, response, prices)
    call.answer = answer
    return {
      content: response.content,
      usage: response.usage,
      finishReason: response.finishReason,
      stopReason: response.stopReason,
      model: response.model,
      requestId: response.requestId,
      provider: response.provider,
      baseUrl: response.baseUrl,
      attempts: response.attempts,
      source: response.source,
      callId: call.callId,
      traceId: call.span.trace_id,
      spanId: call.span.span_id,
      promptHash: call.promptHash,
      latencyMs: answer.latencyMs,
      modelLatencyMs: answer.modelLatencyMs,
      evidencePath: call.evidencePath,
      cost: answer.cost,
    }
  }

  const unplaced = (response: LlmResponse, options: CallOptions): RecordedCall => ({
    ...response,
    callId: options.callId ?? "unrecorded",
    traceId: ofRun.trace_id,
    spanId: ofRun.span_id,
    promptHash: GENESIS_HASH,
    latencyMs: 0,
    evidencePath: null,
    cost: unpriced,
  })

  const lasting = (opened: Opened) =>
    Effect.acquireRelease(
      Effect.withFiberRuntime<void>((fiber) => start(fiber, opened)),
      (_, exit) => Effect.withFiberRuntime<void>((fiber) => close(fiber, opened.call, exit)),
    )

  /** Telemetry that breaks before a call has begun leaves the call alone. */
  const orElse = <A>(begin: () => A, otherwise: (report: Effect.Effect<void>) => A): A => {
    try {
      return begin()
    } catch (defect) {
      return otherwise(warnings.guard(UNRECORDED, Effect.die(defect)))
    }
  }

  /** Opens a call and gives it to `use`; none when it cannot be. */
  const opening = <A, E, R>(
    fiber: AnyFiber,
    wanted: Wanted,
    use: (opened: Opened | undefined) => Effect.Effect<A, E, R>,
  ): Effect.Effect<A, E, R> => {
    const { hash, options } = wanted
    const name = options.callId || `call_${hash.slice(0, 12)}`
    const { unsafe } = run.uniqueCallId
    if (unsafe !== undefined) return use(open(fiber, wanted, unsafe(name)))
    return Effect.flatMap(
      warnings.optional(UNRECORDED, run.uniqueCallId(name)),
      Option.match({
        onNone: () => use(undefined),
        onSome: (callId) =>
          orElse(
            () => use(open(fiber, wanted, callId)),
            (report) => Effect.zipRight(report, use(undefined)),
          ),
      }),
    )
  }

  const generate = (request: LlmRequest, options: CallOptions): Effect.Effect<RecordedCall, LlmError> => {
    const unrecorded = () => Effect.map(client.generate(request), (response) => unplaced(response, options))
    const ask = ({ call }: Opened) => Effect.map(client.generate(request), (response) => placed(call, response))
    return Effect.withFiberRuntime((fiber) =>
      orElse(
        () =>
          opening(fiber, { request, options, hash: promptHash(request), stream: undefined }, (opened) =>
            opened === undefined
              ? unrecorded()
              : CallBracket.around(fiber, SpanIds.external(opened.call.span), {
                  acquire: () => start(fiber, opened),
                  use: ask(opened),
                  release: (exit) => close(fiber, opened.call, exit),
                }),
          ),
        (report) => Effect.zipRight(report, unrecorded()),
      ),
    )
  }

  const stream = (request: LlmRequest, options: CallOptions): Stream.Stream<LlmChunk<RecordedCall>, LlmError> => {
    type Chunks = Stream.Stream<LlmChunk<RecordedCall>, LlmError>
    const chunks = (asked: Stream.Stream<LlmChunk, LlmError>, place: (response: LlmResponse) => RecordedCall): Chunks =>
      Stream.map(asked, (chunk) => (chunk._tag === "Finished" ? { ...chunk, response: place(chunk.response) } : chunk))
    const unrecorded = () => chunks(client.stream(request), (response) => unplaced(response, options))

    const recorded = (
      opened: Opened,
      streamed: StreamedAnswer.StreamedAnswer,
    ): Effect.Effect<Chunks, never, Scope.Scope> => {
      const { call } = opened
      const watched = StreamedAnswer.watched(streamed, client.stream(request), call.clock)
      const seen = chunks(watched, (response) => placed(call, response))
      return Effect.as(lasting(opened), Stream.provideService(seen, Tracer.ParentSpan, SpanIds.external(call.span)))
    }

    return Stream.unwrapScoped(
      Effect.withFiberRuntime<Chunks, never, Scope.Scope>((fiber) =>
        orElse(
          () => {
            const streamed = StreamedAnswer.make()
            return opening(fiber, { request, options, hash: promptHash(request), stream: streamed }, (opened) =>
              opened === undefined ? Effect.succeed(unrecorded()) : recorded(opened, streamed),
            )
          },
          (report) => Effect.map(report, unrecorded),
        ),
      ),
    )
  }

  return LlmSpan.of({
    generate: (request, options = {}) => generate(request, options),
    stream: (request, options = {}) => stream(request, options),
  })
})

/** {@link LlmSpan.layer} */
export const layer: Layer.Layer<LlmSpan, never, LlmClient | PriceBook | IdGenerator | Recorder | CurrentRun> =
  Layer.scoped(LlmSpan, make)
