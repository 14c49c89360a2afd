import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { CurrentRun } from "../../services/CurrentRun.js"
import { EvidenceStore } from "../../services/EvidenceStore.js"
import { IdGenerator } from "../../services/IdGenerator.js"
import { LlmClient } from "../../services/LlmClient.js"
import { PriceBook } from "../../services/PriceBook.js"
import { type Cost, unpriced } from "../domain/Cost.js"
import type { EventBody } from "../domain/Event.js"
import { GENESIS_HASH } from "../domain/Ids.js"
import { type LlmError, type LlmRequest, type LlmResponse, promptHash } from "../domain/Llm.js"
import * as CallScope from "./CallScope.js"
import * as LlmCall from "./LlmCall.js"
import { type AnyFiber, Recorder, type RecorderService } from "./Recorder.js"
import * as SpanIds from "./SpanIds.js"
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
  /** Relative to the run's folder; null when nothing is kept. */
  readonly evidencePath: string | null
  readonly cost: Cost
}

export interface LlmSpanService {
  /**
   * One recorded call: `LLM_CALL_STARTED`, the request, evidence, then `LLM_CALL_FINISHED` or `LLM_CALL_FAILED` by how it
   * ended. The caller gets the very answer or error that the client gave; recording never changes it. A timeout belongs
   * inside, into the client: one around this looks like the interruption that it is.
   */
  readonly generate: (request: LlmRequest, options?: CallOptions) => Effect.Effect<RecordedCall, LlmError>
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

  const open = (fiber: AnyFiber, request: LlmRequest, options: CallOptions, hash: string, callId: string): Opened => {
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
      answer: undefined,
    }
    return { call, started: LlmCall.started(call) }
  }

  const start = ({ call, started }: Opened): Effect.Effect<void> =>
    Effect.withFiberRuntime((fiber) => record(fiber, started, call.span, call.eventId))

  const close = (call: LlmCall.LlmCall, exit: LlmCall.AnyExit): Effect.Effect<void> =>
    Effect.withFiberRuntime((fiber) =>
      warnings.step(END_UNRECORDED, () => {
        const end = LlmCall.end(call, exit, prices)
        if (evidence === undefined || call.evidencePath === null)
          return record(fiber, LlmCall.ended(call, end), call.span)
        const kept = evidence.put(LlmCall.evidence(call, end, evidence.capture))
        return Effect.zipRight(
          warnings.guard("The evidence of a call could not be kept", kept),
          warnings.guard(END_UNRECORDED, recorder.record(LlmCall.ended(call, end), call.span)),
        )
      }),
    )

  const ask = (call: LlmCall.LlmCall): Effect.Effect<RecordedCall, LlmError> =>
    Effect.map(client.generate(call.request), (response) => {
      const answer = LlmCall.measure(call, response, prices)
      call.answer = answer
      return {
        content: response.content,
        usage: response.usage,
        finishReason: response.finishReason,
        stopReason: response.stopReason,
        model: response.model,
        requestId: response.requestId,
        attempts: response.attempts,
        source: response.source,
        callId: call.callId,
        traceId: call.span.trace_id,
        spanId: call.span.span_id,
        promptHash: call.promptHash,
        latencyMs: answer.latencyMs,
        evidencePath: call.evidencePath,
        cost: answer.cost,
      }
    })

  const recorded = (fiber: AnyFiber, opened: Opened): Effect.Effect<RecordedCall, LlmError> =>
    CallScope.around(
      fiber,
      SpanIds.external(opened.call.span),
      Effect.acquireRelease(start(opened), (_, exit) => close(opened.call, exit)),
      ask(opened.call),
    )

  const unrecorded = (request: LlmRequest, options: CallOptions): Effect.Effect<RecordedCall, LlmError> =>
    Effect.map(client.generate(request), (response) => ({
      ...response,
      callId: options.callId ?? "unrecorded",
      traceId: ofRun.trace_id,
      spanId: ofRun.span_id,
      promptHash: GENESIS_HASH,
      latencyMs: 0,
      evidencePath: null,
      cost: unpriced,
    }))

  /** Telemetry that breaks before a call has begun leaves the call alone. */
  const orUnrecorded = (
    request: LlmRequest,
    options: CallOptions,
    begin: () => Effect.Effect<RecordedCall, LlmError>,
  ): Effect.Effect<RecordedCall, LlmError> => {
    try {
      return begin()
    } catch (defect) {
      return Effect.zipRight(warnings.guard(UNRECORDED, Effect.die(defect)), unrecorded(request, options))
    }
  }

  const generate = (request: LlmRequest, options: CallOptions): Effect.Effect<RecordedCall, LlmError> =>
    Effect.withFiberRuntime((fiber) =>
      orUnrecorded(request, options, () => {
        const hash = promptHash(request)
        const wanted = options.callId || `call_${hash.slice(0, 12)}`
        const { unsafe } = run.uniqueCallId
        if (unsafe !== undefined) return recorded(fiber, open(fiber, request, options, hash, unsafe(wanted)))
        return Effect.flatMap(
          warnings.optional(UNRECORDED, run.uniqueCallId(wanted)),
          Option.match({
            onNone: () => unrecorded(request, options),
            onSome: (callId) =>
              orUnrecorded(request, options, () => recorded(fiber, open(fiber, request, options, hash, callId))),
          }),
        )
      }),
    )

  return LlmSpan.of({ generate: (request, options = {}) => generate(request, options) })
})

/** {@link LlmSpan.layer} */
export const layer: Layer.Layer<LlmSpan, never, LlmClient | PriceBook | IdGenerator | Recorder | CurrentRun> =
  Layer.scoped(LlmSpan, make)
