import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Cost } from "../domain/Cost.js"
import type { LlmError, LlmRequest, LlmResponse } from "../domain/Llm.js"

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
   * ended. The caller gets the very answer or error that the client gave; recording never changes it.
   */
  readonly generate: (request: LlmRequest, options?: CallOptions) => Effect.Effect<RecordedCall, LlmError>
}

/** The one place where a language model is called. */
export class LlmSpan extends Context.Tag("runledger/telemetry/LlmSpan")<LlmSpan, LlmSpanService>() {}
