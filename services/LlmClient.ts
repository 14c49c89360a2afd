import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LlmError, LlmRequest, LlmResponse } from "../src/domain/Llm.js"
import { type LlmChunk, ofResponse } from "../src/domain/LlmChunk.js"

export interface LlmClientService {
  /** Who answers: `anthropic`, `openai`, `sandbox`, `replay` … */
  readonly provider: string
  /** Where requests go, without credentials, query or trailing slash; null when nowhere. */
  readonly baseUrl: string | null
  /**
   * One answer. Retries what is worth retrying and tells of every HTTP attempt, in the answer as in the error; interruption
   * aborts the request in flight, and an interrupted call tells of no attempt. Does not record the call: that is `LlmSpan`.
   */
  readonly generate: (request: LlmRequest) => Effect.Effect<LlmResponse, LlmError>
  /**
   * The same answer in pieces: `Started` first, `Finished` last, and nothing after it. A stream that ends without `Finished`
   * does not exist: what breaks off fails, and the error holds what was billed for sure as a `lower_bound`. Retries only what
   * fails before `Started`; after it, never. Every run of the stream is a request of its own; whoever stops reading, by
   * interruption or because enough has come, aborts it.
   */
  readonly stream: (request: LlmRequest) => Stream.Stream<LlmChunk, LlmError>
}

/** The `stream` of a client that has none of its own: the whole answer at once, in as many chunks as it has blocks. */
export const streamOf =
  (generate: LlmClientService["generate"]): LlmClientService["stream"] =>
  (request) =>
    Stream.unwrap(Effect.map(generate(request), (response) => Stream.fromIterable(ofResponse(response))))

/** Asks a language model. Programs call it through `LlmSpan`, which records what it does. */
export class LlmClient extends Context.Tag("runledger/services/LlmClient")<LlmClient, LlmClientService>() {}
