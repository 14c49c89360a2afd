import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HttpRetry from "../src/domain/HttpRetry.js"
import type { ContentBlock, FinishReason, LlmErrorReason, LlmRequest } from "../src/domain/Llm.js"
import { mask } from "../src/domain/Secrets.js"
import { none, totalTokens, type Usage } from "../src/domain/Usage.js"
import { type AttemptFailure, failure, reasonOfStatus } from "./AttemptFailure.js"
import type { Endpoint } from "./ProviderEndpoint.js"

const DETAIL_LIMIT = 400

/** An answer in the domain's words. */
export interface DecodedAnswer {
  readonly content: ReadonlyArray<ContentBlock>
  readonly model: string | null
  readonly stopReason: string | null
  readonly finishReason: FinishReason
  readonly usage: Usage
}

/** An HTTP answer that is an answer of the model. */
export interface Answered {
  readonly answer: DecodedAnswer
  readonly status: number
  readonly requestId: string | null
}

/** Why an answer cannot be read, or not on. `again`: a try at once may do better; `retryable`: one of the caller's might. */
export interface Broken {
  readonly reason: LlmErrorReason
  readonly detail: string
  readonly again: boolean
  readonly retryable: boolean
}

/** Why a body is no answer, and what it says was used all the same. */
export interface Undecodable extends Broken {
  readonly usage: Usage
}

/** A body that is no answer of the model, in words that follow "the answer is". */
export const noAnswer = (what: string, usage: Usage = none): Undecodable => ({
  reason: "MalformedResponse",
  detail: `the answer is ${what}`,
  again: false,
  retryable: true,
  usage,
})

/** Every question has tokens: a count of none at all comes from somebody who does not count, and is no usage. */
export const believed = (usage: Usage): Usage => (totalTokens(usage) === 0 ? none : usage)

/** What an SDK throws when the provider answers with a status that is no success. */
export interface StatusError extends Error {
  readonly status: number
  readonly headers: Headers
}

/** How a provider is spoken to, through its SDK. */
export interface Protocol<Client> {
  /** The response header that bears the request's id. */
  readonly requestIdHeader: string
  /** Sends a request and gives the response as it comes, its body unread. */
  readonly post: (client: Client, wanted: LlmRequest, signal: AbortSignal) => Promise<Response>
  /** Reads an answer's body; on the left what is wrong with it. */
  readonly decode: (body: string) => Either.Either<DecodedAnswer, Undecodable>
  /** An answer without a word and without a tool call where one must be. */
  readonly isEmpty: (answer: DecodedAnswer) => boolean
  /** The provider's own words in an error, and whether it is final whatever its status says. */
  readonly wordsOf: (error: StatusError) => { readonly words: string; readonly isFinal: boolean }
}

/** One line of a text that somebody else wrote. Secrets go first: a cut must not leave half of one. */
export const short = (text: string, secrets: ReadonlyArray<string>): string => {
  const line = mask(text, secrets).replace(/\s+/g, " ").trim()
  return line.length > DETAIL_LIMIT ? `${line.slice(0, DETAIL_LIMIT)}…` : line
}

const rootOf = (cause: unknown): unknown =>
  cause instanceof Error && cause.cause !== undefined ? rootOf(cause.cause) : cause

/** The connection could not be had, or ended: `what` says which. */
export const connectionFailure = (
  cause: unknown,
  what: string,
  secrets: ReadonlyArray<string>,
  answered: { readonly status?: number; readonly requestId?: string | null; readonly usage?: Usage } = {},
): AttemptFailure => {
  const root = rootOf(cause)
  const code = root instanceof Error && "code" in root && typeof root.code === "string" ? root.code : ""
  const words = root instanceof Error ? root.message : String(root)
  const detail = words.includes(code) ? `${what}: ${words}` : `${what}: ${words} (${code})`
  return failure({ reason: "Connection", detail: short(detail, secrets), again: true, cause, ...answered })
}

const isStatusError = (cause: unknown): cause is StatusError =>
  cause instanceof Error &&
  "status" in cause &&
  typeof cause.status === "number" &&
  "headers" in cause &&
  cause.headers instanceof Headers

const statusFailure = <Client>(
  protocol: Protocol<Client>,
  error: StatusError,
  secrets: ReadonlyArray<string>,
  now: number,
) => {
  const header: HttpRetry.HeaderLookup = (name) => error.headers.get(name)
  const { isFinal, words } = protocol.wordsOf(error)
  const again = !isFinal && HttpRetry.worthRetrying(error.status, header)
  return failure({
    reason: reasonOfStatus(error.status),
    detail: short(words, secrets),
    again,
    retryable: again,
    status: error.status,
    requestId: header(protocol.requestIdHeader),
    retryAfterMs: again ? HttpRetry.retryAfterMillis(header, now) : null,
    cause: error,
  })
}

/** What of an answer is seen before its body. */
export type OnHeaders = (headers: Headers, status: number) => Effect.Effect<void>

class RequestFailed extends Data.TaggedError("RequestFailed")<{ readonly cause: unknown }> {}

/** Sends a request; `onHeaders` sees the headers of whatever answers. Gives the response of a success, its body unread. */
export const request = <Client>(
  protocol: Protocol<Client>,
  secrets: ReadonlyArray<string>,
  onHeaders: OnHeaders,
  post: () => Promise<Response>,
): Effect.Effect<Response, AttemptFailure> =>
  Effect.tryPromise({ try: post, catch: (cause) => new RequestFailed({ cause }) }).pipe(
    Effect.catchAll(({ cause }) =>
      isStatusError(cause)
        ? Effect.zipRight(
            onHeaders(cause.headers, cause.status),
            Effect.flatMap(Clock.currentTimeMillis, (now) => statusFailure(protocol, cause, secrets, now)),
          )
        : connectionFailure(cause, "no answer", secrets),
    ),
    Effect.tap((response) => onHeaders(response.headers, response.status)),
  )

const read = <Client>(
  protocol: Protocol<Client>,
  response: Response,
  secrets: ReadonlyArray<string>,
): Effect.Effect<string, AttemptFailure> =>
  Effect.tryPromise({
    try: () => response.text(),
    catch: (cause) =>
      connectionFailure(cause, "the connection ended within the answer", secrets, {
        status: response.status,
        requestId: response.headers.get(protocol.requestIdHeader),
      }),
  })

/** The type of a response's body, without its parameters. */
export const mediaType = (response: Response): string =>
  (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? ""

/** Whether a response says that its body is JSON. */
export const isJson = (response: Response): boolean => /[/+]json$/.test(mediaType(response))

const interpret = <Client>(
  protocol: Protocol<Client>,
  response: Response,
  body: string,
  secrets: ReadonlyArray<string>,
): Either.Either<Answered, AttemptFailure> => {
  const status = response.status
  const requestId = response.headers.get(protocol.requestIdHeader)
  const unusable = (wrong: Undecodable) => {
    const { detail, usage } = wrong
    return Either.left(failure({ ...wrong, detail: short(detail, secrets), usage: believed(usage), status, requestId }))
  }
  const empty = (detail: string, usage: Usage) =>
    unusable({ reason: "EmptyResponse", detail, again: false, retryable: true, usage })
  if (body.trim() === "") return empty("the answer is empty", none)
  if (!isJson(response)) return unusable(noAnswer(`${mediaType(response) || "of no stated type"}, not JSON`))
  const decoded = protocol.decode(body)
  if (Either.isLeft(decoded)) return unusable(decoded.left)
  const answer = { ...decoded.right, usage: believed(decoded.right.usage) }
  return protocol.isEmpty(answer)
    ? empty("the answer has no text and no tool call", answer.usage)
    : Either.right({ answer, status, requestId })
}

/** The answer that a response's body is. */
export const answerIn = <Client>(
  protocol: Protocol<Client>,
  response: Response,
  secrets: ReadonlyArray<string>,
): Effect.Effect<Answered, AttemptFailure> =>
  Effect.flatMap(read(protocol, response, secrets), (body) => interpret(protocol, response, body, secrets))

/** Why nothing can be sent to an endpoint without a client. */
export const unreachable = <Client>({ problem }: Endpoint<Client>): AttemptFailure =>
  problem ?? failure({ reason: "InvalidRequest", detail: "there is no address to send to" })

/**
 * One attempt: sends a request and reads its answer; `onHeaders` sees the headers of whatever answers. Interruption closes
 * the connection, whether it strikes before the answer or within it.
 */
export const send = <Client>(
  protocol: Protocol<Client>,
  endpoint: Endpoint<Client>,
  wanted: LlmRequest,
  onHeaders: OnHeaders,
): Effect.Effect<Answered, AttemptFailure> => {
  const { client, secrets } = endpoint
  if (client === null) return Effect.fail(unreachable(endpoint))
  return Effect.acquireUseRelease(
    Effect.sync(() => new AbortController()),
    ({ signal }) =>
      request(protocol, secrets, onHeaders, () => protocol.post(client, wanted, signal)).pipe(
        Effect.flatMap((response) => answerIn(protocol, response, secrets)),
      ),
    (controller) => Effect.sync(() => controller.abort()),
  )
}
