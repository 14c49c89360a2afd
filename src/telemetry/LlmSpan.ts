import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { CurrentRun } from "../../services/CurrentRun.js"
import { EvidenceStore } from "../../services/EvidenceStore.js"
import { IdGenerator } from "../../services/IdGenerator.js"
import { LlmClient } from "../../services/LlmClient.js"
import { PriceBook } from "../../services/PriceBook.js"
import { type Cost, unpriced } from "../domain/Cost.js"
import { GENESIS_HASH } from "../domain/Ids.js"
import { type LlmError, type LlmRequest, type LlmResponse, promptHash } from "../domain/Llm.js"
import * as LlmCall from "./LlmCall.js"
import { Recorder } from "./Recorder.js"
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

const make = Effect.gen(function* () {
  const client = yield* LlmClient
  const prices = yield* PriceBook
  const ids = yield* IdGenerator
  const recorder = yield* Recorder
  const run = yield* CurrentRun
  const evidence = Option.getOrUndefined(yield* Effect.serviceOption(EvidenceStore))
  const warnings = yield* Warnings.make
  const ofRun = SpanIds.ofRun(run)

  const open = (request: LlmRequest, options: CallOptions): Effect.Effect<LlmCall.LlmCall> =>
    Effect.flatMap(LlmCall.clock, (clock) => {
      const parent = SpanIds.ofSpan(clock.parent) ?? ofRun
      const hash = promptHash(request)
      const span = { trace_id: parent.trace_id, span_id: ids.unsafeSpanId(), parent_span_id: parent.span_id }
      return Effect.map(run.uniqueCallId(options.callId || `call_${hash.slice(0, 12)}`), (callId) =>
        LlmCall.make({
          callId,
          promptHash: hash,
          request,
          options,
          runId: run.runId,
          eventId: ids.unsafeEventId(clock.nowMillis()),
          span,
          provider: client.provider,
          baseUrl: client.baseUrl,
          evidencePath: evidence?.pathOf(callId) ?? null,
          clock,
        }),
      )
    })

  const start = (call: LlmCall.LlmCall): Effect.Effect<void> =>
    recorder.record(LlmCall.started(call), call.span, call.eventId)

  const close = (call: LlmCall.LlmCall, exit: LlmCall.AnyExit): Effect.Effect<void> => {
    const end = LlmCall.end(call, exit, prices)
    const kept =
      evidence === undefined || call.evidencePath === null
        ? Effect.void
        : warnings.guard(
            `The evidence of a call could not be kept`,
            evidence.put(LlmCall.evidence(call, end, evidence.capture)),
          )
    return Effect.zipRight(kept, recorder.record(LlmCall.ended(call, end), call.span))
  }

  const acquire = (
    request: LlmRequest,
    options: CallOptions,
  ): Effect.Effect<Option.Option<LlmCall.LlmCall>, never, Scope.Scope> =>
    Effect.acquireRelease(
      warnings.optional("A call could not be recorded", Effect.tap(open(request, options), start)),
      (call, exit) =>
        Option.isNone(call)
          ? Effect.void
          : warnings.guard(
              "The end of a call could not be recorded",
              Effect.suspend(() => close(call.value, exit)),
            ),
    )

  const ask = (call: LlmCall.LlmCall): Effect.Effect<RecordedCall, LlmError> =>
    Effect.map(Effect.withParentSpan(client.generate(call.request), SpanIds.external(call.span)), (response) => {
      const answer = LlmCall.measure(call, response, prices)
      call.answer = answer
      return {
        ...response,
        callId: call.callId,
        traceId: call.span.trace_id,
        spanId: call.span.span_id,
        promptHash: call.promptHash,
        latencyMs: answer.latencyMs,
        evidencePath: call.evidencePath,
        cost: answer.cost,
      }
    })

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

  return LlmSpan.of({
    generate: (request, options = {}) =>
      Effect.scoped(
        Effect.flatMap(
          acquire(request, options),
          Option.match({ onSome: ask, onNone: () => unrecorded(request, options) }),
        ),
      ),
  })
})

/** {@link LlmSpan.layer} */
export const layer: Layer.Layer<LlmSpan, never, LlmClient | PriceBook | IdGenerator | Recorder | CurrentRun> =
  Layer.scoped(LlmSpan, make)
