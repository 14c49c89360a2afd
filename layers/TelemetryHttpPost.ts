import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as ErrorText from "../src/domain/ErrorText.js"
import { OperationResult } from "../src/domain/Operation.js"

/** What became of one request. Nothing is an error: each is a case to go on from. */
export type Reply =
  /** One result an operation, in order. */
  | { readonly _tag: "Accepted"; readonly results: ReadonlyArray<OperationResult> }
  /** The server says that something in the request is wrong for good. */
  | { readonly _tag: "Refused"; readonly status: number; readonly detail: string }
  /** To be tried again; `unreachable` when no server answered at all. */
  | {
      readonly _tag: "Later"
      readonly reason: string
      readonly retryAfterMillis: number | undefined
      readonly unreachable: boolean
      /** What the server answered; null when it did not. */
      readonly status: number | null
    }

export interface PostOptions {
  /** The whole address, `…/api/v1/ops`. */
  readonly url: string
  readonly token: Option.Option<Redacted.Redacted<string>>
  readonly timeout: Duration.DurationInput
}

/** Statuses of the 4xx class that speak of the set-up or the moment, not of what was sent. */
const NOT_ABOUT_THE_CONTENT: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 408, 421, 425, 429])

const MAX_RETRY_AFTER_MILLIS = 5 * 60_000

const noAnswer = (reason: string): Reply => ({
  _tag: "Later",
  reason,
  unreachable: true,
  retryAfterMillis: undefined,
  status: null,
})

const later = (status: number, reason: string, retryAfterMillis?: number): Reply => ({
  _tag: "Later",
  reason,
  unreachable: false,
  retryAfterMillis,
  status,
})

const Results = Schema.parseJson(
  Schema.Union(Schema.Struct({ results: Schema.Array(OperationResult) }), Schema.Array(OperationResult)),
)
const decodeResults = Schema.decodeUnknownOption(Results)

const Detail = Schema.parseJson(Schema.Struct({ detail: Schema.Unknown }))
const decodeDetail = Schema.decodeUnknownOption(Detail)

const detailOf = (text: string): string => {
  const detail = Option.getOrUndefined(decodeDetail(text))?.detail
  if (detail === undefined) return "no reason given"
  return ErrorText.truncate(typeof detail === "string" ? detail : JSON.stringify(detail), 300)
}

/** Milliseconds of a Retry-After header: seconds or an HTTP date. */
const retryAfterOf = (header: string | undefined, nowMillis: number): number | undefined => {
  if (header === undefined) return undefined
  const seconds = /^\d{1,9}$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMillis
  return Number.isNaN(seconds) ? undefined : Math.min(MAX_RETRY_AFTER_MILLIS, Math.max(0, seconds))
}

const advice = (status: number): string => {
  if (status === 401 || status === 403) return "; check TELEMETRY_API_TOKEN"
  return status === 404 || status === 405 ? "; check TELEMETRY_API_URL: this may be no Runledger server" : ""
}

const reply = ({ status, headers }: HttpClientResponse.HttpClientResponse, text: string, nowMillis: number): Reply => {
  if (status >= 200 && status < 300)
    return Option.match(decodeResults(text), {
      onNone: () => later(status, `answered ${status}, but not as a Runledger server does; check TELEMETRY_API_URL`),
      onSome: (decoded) => ({ _tag: "Accepted", results: "results" in decoded ? decoded.results : decoded }),
    })
  if (status >= 400 && status < 500 && !NOT_ABOUT_THE_CONTENT.has(status))
    return { _tag: "Refused", status, detail: detailOf(text) }
  return later(
    status,
    `answered ${status} (${detailOf(text)})${advice(status)}`,
    retryAfterOf(headers["retry-after"], nowMillis),
  )
}

const innermost = (error: unknown): unknown =>
  error instanceof Error && error.cause instanceof Error ? innermost(error.cause) : error

const unreachable = (error: HttpClientError.HttpClientError): Reply =>
  noAnswer(`cannot be reached (${ErrorText.line(innermost(error))})`)

/** The platform takes a connection up again one turn of its loop after an answer; asked sooner it opens another. */
const nextTurn = Effect.async<void>((resume) => {
  const turn = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(turn))
})

/** Sends one body. Never fails: whatever goes wrong is a reply; an interruption aborts the request. */
export const make = (http: HttpClient.HttpClient, options: PostOptions): ((body: string) => Effect.Effect<Reply>) => {
  const client = http.pipe(HttpClient.withTracerPropagation(false))
  const timeout = Duration.decode(options.timeout)
  const bare = HttpClientRequest.post(options.url, { acceptJson: true })
  const request = (body: string): HttpClientRequest.HttpClientRequest => {
    const authorized = Option.match(options.token, {
      onNone: () => bare,
      onSome: (token) => HttpClientRequest.bearerToken(bare, Redacted.value(token)),
    })
    return HttpClientRequest.bodyText(authorized, body, "application/json")
  }

  const send = (body: string): Effect.Effect<Reply, HttpClientError.HttpClientError> =>
    Effect.gen(function* () {
      const response = yield* client.execute(request(body))
      const text = yield* response.text
      yield* nextTurn
      return reply(response, text, yield* Clock.currentTimeMillis)
    })

  return (body) =>
    send(body).pipe(
      Effect.timeoutTo({
        duration: timeout,
        onSuccess: (answer) => answer,
        onTimeout: () => noAnswer(`did not answer within ${Duration.format(timeout)}`),
      }),
      Effect.catchAll((error) => Effect.succeed(unreachable(error))),
      Effect.catchAllCause((cause) =>
        Cause.isInterruptedOnly(cause)
          ? Effect.failCause(cause)
          : Effect.succeed(noAnswer(`cannot be asked: ${ErrorText.ofCause(cause).summary}`)),
      ),
      Effect.withTracerEnabled(false),
    )
}
