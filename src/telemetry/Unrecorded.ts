import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { CurrentRun } from "../../services/CurrentRun.js"
import { LlmClient } from "../../services/LlmClient.js"
import { unpriced } from "../domain/Cost.js"
import { GENESIS_HASH } from "../domain/Ids.js"
import type { LlmResponse } from "../domain/Llm.js"
import * as CallSpan from "./CallSpan.js"
import { type CallOptions, LlmSpan, type RecordedCall } from "./LlmSpan.js"
import { Recorder } from "./Recorder.js"
import * as SpanIds from "./SpanIds.js"

const RUN_ID = "unrecorded"

/** What stands in for a run that cannot be had: calls are made as ever, and nothing is kept of them. */
export const context: Effect.Effect<
  Context.Context<CallSpan.CallSpan | CurrentRun | LlmSpan | Recorder>,
  never,
  LlmClient
> = Effect.map(LlmClient, (client) => {
  const run = CurrentRun.of({
    runId: RUN_ID,
    parentRunId: Option.none(),
    directory: Option.none(),
    trace: Option.none(),
    resumed: false,
    uniqueCallId: Effect.succeed,
    nextAttempt: () => Effect.succeed(1),
  })
  const { trace_id, span_id } = SpanIds.ofRun(run)
  const unplaced = (response: LlmResponse, options: CallOptions): RecordedCall => ({
    ...response,
    callId: options.callId ?? RUN_ID,
    traceId: trace_id,
    spanId: span_id,
    promptHash: GENESIS_HASH,
    latencyMs: 0,
    evidencePath: null,
    cost: unpriced,
  })
  const llm = LlmSpan.of({
    generate: (request, options = {}) =>
      Effect.map(client.generate(request), (response) => unplaced(response, options)),
    stream: (request, options = {}) =>
      Stream.map(client.stream(request), (chunk) =>
        chunk._tag === "Finished" ? { ...chunk, response: unplaced(chunk.response, options) } : chunk,
      ),
  })
  return Context.make(CurrentRun, run).pipe(
    Context.add(LlmSpan, llm),
    Context.add(CallSpan.CallSpan, CallSpan.unrecorded),
    Context.add(Recorder, Recorder.of({ record: () => Effect.void })),
  )
})
