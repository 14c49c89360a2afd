import * as CanonicalJson from "../domain/CanonicalJson.js"
import { SANDBOX_HEADER, SANDBOX_VERSION } from "../domain/SandboxHeader.js"
import { type Answer, answer } from "./Answer.js"
import type { Fault } from "./Fault.js"
import type * as MessagesRequest from "./MessagesRequest.js"
import * as MessagesResponse from "./MessagesResponse.js"

/** What goes back over the wire. `part`: only the first half of it, then the connection is cut. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly part: boolean
}

const reply = (status: number, requestId: string, contentType: string, body: string): Reply => ({
  status,
  headers: { "content-type": contentType, "request-id": requestId, [SANDBOX_HEADER]: SANDBOX_VERSION },
  body,
  part: false,
})

const json = (status: number, requestId: string, body: object): Reply =>
  reply(status, requestId, "application/json", JSON.stringify(body))

/** An error as the API words it. */
export const error = (status: number, requestId: string, words: string): Reply =>
  json(status, requestId, MessagesResponse.error(status, words, requestId))

/** What the sandbox says of itself. */
export const identity = (requestId: string): Reply =>
  json(200, requestId, {
    name: "runledger sandbox",
    version: SANDBOX_VERSION,
    about: "A local stand-in for the Messages API: POST /v1/messages. Answers are made by rule; nothing is bought.",
  })

const toldTo = (fault: Extract<Fault, { readonly kind: "status" }>, requestId: string): Reply => {
  const plain = error(fault.status, requestId, `The sandbox was told to answer ${fault.status}.`)
  return fault.retryAfter === null
    ? plain
    : { ...plain, headers: { ...plain.headers, "retry-after": fault.retryAfter } }
}

const answered = (request: MessagesRequest.MessagesRequest, given: Answer, requestId: string): Reply => {
  const id = `msg_${CanonicalJson.hash([request, given]).slice(0, 24)}`
  return request.stream === true
    ? reply(
        200,
        requestId,
        "text/event-stream; charset=utf-8",
        MessagesResponse.events(id, request.model, given).join(""),
      )
    : json(200, requestId, MessagesResponse.message(id, request.model, given))
}

/** The reply to a request under a fault that lets it be answered at all. */
export const to = (request: MessagesRequest.MessagesRequest, fault: Fault, requestId: string): Reply => {
  const whole = answered(request, answer(request), requestId)
  switch (fault.kind) {
    case "status":
      return toldTo(fault, requestId)
    case "cut":
      return { ...whole, part: true }
    case "malformed":
      return { ...whole, body: whole.body.slice(0, Math.floor(whole.body.length / 2)) }
    case "html":
      return reply(200, requestId, "text/html", "<!doctype html><title>Not the API</title>")
    case "blank":
      return { ...whole, body: "" }
    case "empty":
      return answered(request, { ...answer(request), content: [], outputTokens: 0 }, requestId)
    case "max_tokens":
      return answered(request, answer(request, fault.tokens), requestId)
    default:
      return whole
  }
}
