import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { CurrentRun } from "../../services/CurrentRun.js"
import { LlmClient } from "../../services/LlmClient.js"
import { PriceBook } from "../../services/PriceBook.js"
import * as Cost from "../domain/Cost.js"
import { GENESIS_HASH } from "../domain/Ids.js"
import type { LlmResponse } from "../domain/Llm.js"
import type { LlmChunk } from "../domain/LlmChunk.js"
import * as Usage from "../domain/Usage.js"
import type * as Budgeted from "./Budgeted.js"
import * as CallCost from "./CallCost.js"
import * as CallSpan from "./CallSpan.js"
import { type CallOptions, LlmSpan, type RecordedCall } from "./LlmSpan.js"
import { Recorder } from "./Recorder.js"
import * as SpanIds from "./SpanIds.js"

const RUN_ID = "unrecorded"

/** What an answer used and cost, where whoever asks for it has prices: a budget holds for calls of which nothing is kept, too. */
const bought = (provider: string, model: string, response: LlmResponse): Effect.Effect<Budgeted.Bought> =>
  Effect.gen(function* () {
    const { attempts, source, usage } = response
    const prices = yield* Effect.serviceOption(PriceBook)
    if (Option.isNone(prices)) return { usage, cost: Cost.unpriced }
    const asked = { provider, model, atMillis: yield* Clock.currentTimeMillis }
    return yield* Effect.try(() => {
      const answered = { ...asked, provider: response.provider ?? provider }
      const cost = CallCost.costOf(answered, usage, source, response.model, prices.value)
      const { used } = CallCost.ofAttempts(asked, attempts, source, prices.value)
      if (used === undefined) return { usage, cost }
      return { usage: Usage.add(usage, used.usage), cost: Cost.together(cost, used.cost) }
    }).pipe(Effect.orElseSucceed(() => ({ usage, cost: Cost.unpriced })))
  })

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
  const unplaced = (model: string, response: LlmResponse, options: CallOptions): Effect.Effect<RecordedCall> =>
    Effect.map(bought(client.provider, model, response), (bought) => ({
      ...response,
      ...bought,
      callId: options.callId ?? RUN_ID,
      traceId: trace_id,
      spanId: span_id,
      promptHash: GENESIS_HASH,
      latencyMs: 0,
      evidencePath: null,
    }))
  const llm = LlmSpan.of({
    generate: (request, options = {}) =>
      Effect.flatMap(client.generate(request), (response) => unplaced(request.model, response, options)),
    stream: (request, options = {}) =>
      Stream.mapEffect(
        client.stream(request),
        (chunk): Effect.Effect<LlmChunk<RecordedCall>> =>
          chunk._tag === "Finished"
            ? Effect.map(unplaced(request.model, chunk.response, options), (response) => ({ ...chunk, response }))
            : Effect.succeed(chunk),
      ),
  })
  return Context.make(CurrentRun, run).pipe(
    Context.add(LlmSpan, llm),
    Context.add(CallSpan.CallSpan, CallSpan.unrecorded),
    Context.add(Recorder, Recorder.of({ record: () => Effect.void })),
  )
})
