import * as CanonicalJson from "../domain/CanonicalJson.js"
import { SANDBOX_HEADER, SANDBOX_ID, SANDBOX_VERSION } from "../domain/SandboxHeader.js"
import { type Answer, answer } from "./Answer.js"
import * as Dialect from "./Dialect.js"
import type { Fault } from "./Fault.js"
import * as Flow from "./Flow.js"
import type { MessagesRequest } from "./MessagesRequest.js"

/** What goes back over the wire. `part`: only the first half of it, then the connection is cut. */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly part: boolean
  /** A stream that goes out event by event, in place of the body. */
  readonly flow?: Flow.Flow
}

/** A request as the sandbox was asked: in which dialect, and under which id. */
export interface Asked {
  readonly dialect: Dialect.Dialect
  readonly requestId: string
}

const reply = (asked: Asked, status: number, contentType: string, body: string): Reply => ({
  status,
  headers: {
    "content-type": contentType,
    [asked.dialect.requestIdHeader]: asked.requestId,
    [SANDBOX_HEADER]: SANDBOX_VERSION,
  },
  body,
  part: false,
})

const json = (asked: Asked, status: number, body: object): Reply =>
  reply(asked, status, "application/json", JSON.stringify(body))

/** An error as the API words it. */
export const error = (asked: Asked, status: number, words: string): Reply =>
  json(asked, status, asked.dialect.error(status, words, asked.requestId))

/** What the sandbox says of itself. */
export const identity = (requestId: string): Reply =>
  json({ dialect: Dialect.messages, requestId }, 200, {
    name: "runledger sandbox",
    version: SANDBOX_VERSION,
    about:
      "A local stand-in for the Messages API (POST /v1/messages) and the chat-completions API (POST /v1/chat/completions). Answers are made by rule; nothing is bought.",
  })

const toldTo = (fault: Extract<Fault, { readonly kind: "status" }>, asked: Asked): Reply => {
  const plain = error(asked, fault.status, `The sandbox was told to answer ${fault.status}.`)
  return fault.retryAfter === null
    ? plain
    : { ...plain, headers: { ...plain.headers, "retry-after": fault.retryAfter } }
}

const streamed = (events: ReadonlyArray<string>, fault: Fault, asked: Asked): Reply => {
  const whole = reply(asked, 200, "text/event-stream; charset=utf-8", events.join(""))
  const errorEvent = asked.dialect.errorEvent("The sandbox was told to be overloaded.", asked.requestId)
  const flow = Flow.under(fault, events, errorEvent)
  return flow === undefined ? whole : { ...whole, flow }
}

const answered = (request: MessagesRequest, given: Answer, fault: Fault, asked: Asked): Reply => {
  const { events, idPrefix, message } = asked.dialect
  const id = `${idPrefix}${SANDBOX_ID}${CanonicalJson.hash([request, given]).slice(0, 24)}`
  return request.stream === true
    ? streamed(events(id, request.model, given), fault, asked)
    : json(asked, 200, message(id, request.model, given))
}

/** The reply to a request under a fault that lets it be answered at all. */
export const to = (request: MessagesRequest, fault: Fault, asked: Asked): Reply => {
  const whole = answered(request, answer(request), fault, asked)
  switch (fault.kind) {
    case "status":
      return toldTo(fault, asked)
    case "cut":
      return { ...whole, part: true }
    case "malformed":
      return { ...whole, body: whole.body.slice(0, Math.floor(whole.body.length / 2)) }
    case "html":
      return reply(asked, 200, "text/html", "<!doctype html><title>Not the API</title>")
    case "blank":
      return { ...whole, body: "" }
    case "empty":
      return answered(request, { ...answer(request), content: [], outputTokens: 0 }, fault, asked)
    case "max_tokens":
      return answered(request, answer(request, fault.tokens), fault, asked)
    default:
      return whole
  }
}
