import * as FileSystem from "@effect/platform/FileSystem"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorSequence from "../../layers/IdGeneratorSequence.js"
import * as PriceBookTable from "../../layers/PriceBookTable.js"
import { EventLog } from "../../services/EventLog.js"
import { LlmClient, type LlmClientService } from "../../services/LlmClient.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import { type Attempt, LlmError, type LlmRequest, type LlmResponse } from "../../src/domain/Llm.js"
import type { LlmChunk } from "../../src/domain/LlmChunk.js"
import * as Usage from "../../src/domain/Usage.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import { Recorder } from "../../src/telemetry/Recorder.js"

export const request: LlmRequest = {
  model: "claude-sonnet-4-5",
  messages: [{ role: "user", content: "What is a ledger?" }],
  temperature: 0,
  maxTokens: 100,
}

const begun = Usage.fromMessagesApi({ input_tokens: 1000, output_tokens: 1 }, "lower_bound")
const whole = Usage.fromMessagesApi({ input_tokens: 1000, output_tokens: 600 })

/** What `claude-sonnet-4-5` costs for the input and one token of output, nano-dollars. */
export const FIRST = 1000 * 3000 + 15_000

export const attempt: Attempt = {
  n: 1,
  started_at: "2026-11-20T12:00:00.000Z",
  duration_ms: 5,
  http_status: 200,
  error_class: null,
  retry_after_ms: null,
}

export const answer: LlmResponse = {
  content: [{ type: "text", text: "A book of accounts." }],
  usage: whole,
  finishReason: "stop",
  stopReason: "end_turn",
  model: request.model,
  requestId: "req_1",
  attempts: [{ ...attempt, duration_ms: 3005 }],
  source: "provider",
}

const started: LlmChunk = {
  _tag: "Started",
  model: request.model,
  requestId: "req_1",
  source: "provider",
  usage: begun,
  attempts: [attempt],
}
const word = (text: string): LlmChunk => ({ _tag: "Text", index: 0, text })
export const PIECES: ReadonlyArray<LlmChunk> = [started, word("A book "), word("of accounts.")]

export const failing = (fields: Partial<LlmError>) =>
  new LlmError({
    reason: "Overloaded",
    message: "overloaded.",
    retryable: true,
    status: 529,
    requestId: "req_2",
    attempts: [{ ...attempt, http_status: 529, error_class: "Overloaded" }],
    usage: Usage.none,
    source: "provider",
    ...fields,
  })

export type Chunks = LlmClientService["stream"]

/** One after the other, each after so long. */
export const dripping =
  (pieces: ReadonlyArray<LlmChunk>, every: Duration.DurationInput = 0): Chunks =>
  () =>
    Stream.mapEffect(Stream.rechunk(Stream.fromIterable(pieces), 1), (piece) =>
      every === 0 ? Effect.succeed(piece) : Effect.as(Effect.sleep(every), piece),
    )

export const clientOf = (provider: string, stream: Chunks, says: LlmError = failing({})) =>
  Layer.succeed(LlmClient, { provider, baseUrl: `http://${provider}`, generate: () => Effect.fail(says), stream })

export const recording = (client: Layer.Layer<LlmClient>) =>
  LlmSpan.layer.pipe(
    Layer.provideMerge(Recorder.layer),
    Layer.provideMerge(
      Layer.mergeAll(
        client,
        EventLogMemory.layer,
        IdGeneratorSequence.layer,
        Layer.orDie(PriceBookTable.layer({})).pipe(Layer.provide(FileSystem.layerNoop({}))),
      ),
    ),
    Layer.provideMerge(CurrentRunDetached.layer({ runId: "run-001" })),
  )

export const events = Effect.gen(function* () {
  const log = yield* EventLog
  return (yield* log.read({ offset: 0, lines: 0, hash: GENESIS_HASH }, 1_000_000)).events
})
