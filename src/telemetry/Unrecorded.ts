import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { CurrentRun } from "../../services/CurrentRun.js"
import { LlmClient } from "../../services/LlmClient.js"
import { unpriced } from "../domain/Cost.js"
import { GENESIS_HASH } from "../domain/Ids.js"
import { LlmSpan } from "./LlmSpan.js"
import { Recorder } from "./Recorder.js"
import * as SpanIds from "./SpanIds.js"

const RUN_ID = "unrecorded"

/** What stands in for a run that cannot be had: calls are made as ever, and nothing is kept of them. */
export const context: Effect.Effect<Context.Context<CurrentRun | LlmSpan | Recorder>, never, LlmClient> = Effect.map(
  LlmClient,
  (client) => {
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
    const llm = LlmSpan.of({
      generate: (request, options = {}) =>
        Effect.map(client.generate(request), (response) => ({
          ...response,
          callId: options.callId ?? RUN_ID,
          traceId: trace_id,
          spanId: span_id,
          promptHash: GENESIS_HASH,
          latencyMs: 0,
          evidencePath: null,
          cost: unpriced,
        })),
    })
    return Context.make(CurrentRun, run).pipe(
      Context.add(LlmSpan, llm),
      Context.add(Recorder, Recorder.of({ record: () => Effect.void })),
    )
  },
)
