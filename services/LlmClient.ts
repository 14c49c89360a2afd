import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { LlmError, LlmRequest, LlmResponse } from "../src/domain/Llm.js"

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
}

/** Asks a language model. Programs call it through `LlmSpan`, which records what it does. */
export class LlmClient extends Context.Tag("runledger/services/LlmClient")<LlmClient, LlmClientService>() {}
