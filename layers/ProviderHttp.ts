import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HttpRetry from "../src/domain/HttpRetry.js"
import type { ContentBlock, FinishReason, LlmRequest } from "../src/domain/Llm.js"
import { mask } from "../src/domain/Secrets.js"
import type { Usage } from "../src/domain/Usage.js"
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
  /** Reads an answer's body; on the left what is wrong with it, in words. */
  readonly decode: (body: string) => Either.Either<DecodedAnswer, string>
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

class RequestFailed extends Data.TaggedError("RequestFailed")<{ readonly cause: unknown }> {}

/** Sends a request; `onHeaders` sees the headers of whatever answers. Gives the response of a success, its body unread. */
export const request = <Client>(
  protocol: Protocol<Client>,
  secrets: ReadonlyArray<string>,
  onHeaders: (headers: Headers) => Effect.Effect<void>,
  post: () => Promise<Response>,
): Effect.Effect<Response, AttemptFailure> =>
  Effect.tryPromise({ try: post, catch: (cause) => new RequestFailed({ cause }) }).pipe(
    Effect.catchAll(({ cause }) =>
      isStatusError(cause)
        ? Effect.zipRight(
            onHeaders(cause.headers),
            Effect.flatMap(Clock.currentTimeMillis, (now) => statusFailure(protocol, cause, secrets, now)),
          )
        : connectionFailure(cause, "no answer", secrets),
    ),
    Effect.tap((response) => onHeaders(response.headers)),
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

const interpret = <Client>(
  protocol: Protocol<Client>,
  response: Response,
  body: string,
): Either.Either<Answered, AttemptFailure> => {
  const status = response.status
  const requestId = response.headers.get(protocol.requestIdHeader)
  const unusable = (reason: "MalformedResponse" | "EmptyResponse", detail: string, usage?: Usage) =>
    Either.left(
      failure({ reason, detail, retryable: true, status, requestId, ...(usage === undefined ? {} : { usage }) }),
    )
  if (body.trim() === "") return unusable("EmptyResponse", "the answer is empty")
  const type = mediaType(response)
  if (!/[/+]json$/.test(type))
    return unusable("MalformedResponse", `the answer is ${type || "of no stated type"}, not JSON`)
  const answer = protocol.decode(body)
  if (Either.isLeft(answer)) return unusable("MalformedResponse", `the answer is ${answer.left}`)
  return protocol.isEmpty(answer.right)
    ? unusable("EmptyResponse", "the answer has no text and no tool call", answer.right.usage)
    : Either.right({ answer: answer.right, status, requestId })
}

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
  onHeaders: (headers: Headers) => Effect.Effect<void>,
): Effect.Effect<Answered, AttemptFailure> => {
  const { client, secrets } = endpoint
  if (client === null) return Effect.fail(unreachable(endpoint))
  return Effect.acquireUseRelease(
    Effect.sync(() => new AbortController()),
    ({ signal }) =>
      request(protocol, secrets, onHeaders, () => protocol.post(client, wanted, signal)).pipe(
        Effect.flatMap((response) =>
          Effect.flatMap(read(protocol, response, secrets), (body) => interpret(protocol, response, body)),
        ),
      ),
    (controller) => Effect.sync(() => controller.abort()),
  )
}
