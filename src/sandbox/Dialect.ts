import type { Answer } from "./Answer.js"
import * as ChatResponse from "./ChatResponse.js"
import * as MessagesResponse from "./MessagesResponse.js"

/** How an API words what the sandbox says. */
export interface Dialect {
  /** The response header that names the request. */
  readonly requestIdHeader: string
  /** How the ids of its answers begin. */
  readonly idPrefix: string
  /** A whole answer. */
  readonly message: (id: string, model: string, answer: Answer) => object
  /** An answer as a stream: the events in their order, each as it goes over the wire. */
  readonly events: (id: string, model: string, answer: Answer) => ReadonlyArray<string>
  /** An error within a stream, as it goes over the wire. */
  readonly errorEvent: (words: string, requestId: string) => string
  /** The body that goes with a status. */
  readonly error: (status: number, words: string, requestId: string) => object
}

/** The Messages API. */
export const messages: Dialect = { requestIdHeader: "request-id", idPrefix: "msg_", ...MessagesResponse }

/** The chat-completions API; its streams tell the usage only to those who ask. */
export const chat = (tellsUsage: boolean): Dialect => ({
  requestIdHeader: "x-request-id",
  idPrefix: "chatcmpl-",
  message: ChatResponse.completion,
  events: (id, model, answer) => ChatResponse.chunks(id, model, answer, tellsUsage),
  errorEvent: (words) => `data: ${JSON.stringify(ChatResponse.error(529, words))}\n\n`,
  error: ChatResponse.error,
})
