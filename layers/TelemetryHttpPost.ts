import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Endpoint from "../src/domain/Endpoint.js"
import * as ErrorText from "../src/domain/ErrorText.js"
import { MAX_OPERATIONS, MINIMAL, MinimalReply, OperationResult } from "../src/domain/Operation.js"
import * as QuickDecode from "../src/domain/QuickDecode.js"
import { nextTurn } from "./NextTurn.js"
import * as Words from "./TelemetryHttpWords.js"

/** What became of one request. Nothing is an error: each is a case to go on from. */
export type Reply =
  /** One result an operation, in order; null for one that was plainly done, where the server says nothing of those. */
  | { readonly _tag: "Accepted"; readonly results: ReadonlyArray<OperationResult | null> }
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

/** A result an operation is a fraction of this. */
const MAX_REPLY_BYTES = 4 * 1024 * 1024

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

const Results = Schema.Struct({ results: Schema.Array(OperationResult) })
const parseJson = Schema.decodeUnknownOption(Schema.parseJson())
const decodeResults = Schema.decodeUnknownOption(Results)
const quickResults = QuickDecode.make(Results, { keepUnknown: true })

const decodeMinimal = Schema.decodeUnknownOption(
  MinimalReply.pipe(
    Schema.filter(
      ({ operations, results }) => operations <= MAX_OPERATIONS && results.every(({ index }) => index < operations),
    ),
  ),
)

const spread = ({ operations, results }: MinimalReply): ReadonlyArray<OperationResult | null> => {
  const all: Array<OperationResult | null> = Array.from({ length: operations }, () => null)
  for (const { index, ...result } of results) all[index] = result
  return all
}

/** A server that does not know the preference answers in full. */
const resultsOf = (text: string): Option.Option<ReadonlyArray<OperationResult | null>> =>
  Option.flatMap(parseJson(text), (json) => {
    const minimal = Option.map(decodeMinimal(json), spread)
    if (Option.isSome(minimal)) return minimal
    const value = Array.isArray(json) ? { results: json } : json
    const quick = quickResults(value)
    return Option.map(
      quick === QuickDecode.UNSURE ? decodeResults(value) : Option.some(quick),
      ({ results }) => results,
    )
  })

const Detail = Schema.parseJson(Schema.Struct({ detail: Schema.Unknown }))
const decodeDetail = Schema.decodeUnknownOption(Detail)

const DETAIL_CHARACTERS = 300
const RESULT_CHARACTERS = 1000
const LOCATION_CHARACTERS = 300

/** Escaped controls would hide a secret from who looks for it. */
const jsonText = (value: unknown): string => JSON.stringify(value).replace(/\\u00[01][0-9a-f]|\\[bf]/g, "")

const detailOf = (text: string, words: Words.Words): string => {
  const detail = Option.getOrUndefined(decodeDetail(text))?.detail
  if (detail === undefined) return "no reason given"
  return words(typeof detail === "string" ? detail : jsonText(detail), DETAIL_CHARACTERS)
}

/** Results in which the server's own words are fit to be shown. Many operations are mostly refused in the same words. */
const presentable = (
  results: ReadonlyArray<OperationResult | null>,
  words: Words.Words,
): ReadonlyArray<OperationResult | null> => {
  const known = new Map<string, string>()
  return results.map((result) => {
    if (result?.detail === undefined) return result
    const detail = known.get(result.detail) ?? words(result.detail, RESULT_CHARACTERS)
    known.set(result.detail, detail)
    return { ...result, detail }
  })
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

/** Where an answer points to. It is not followed: what was sent, and the token, are for the server that was named. */
const redirect = (request: string, location: string, words: Words.Words): string => {
  const address = URL.canParse(location, request) ? new URL(location, request).href : location
  const shown = words(Endpoint.shown(address), LOCATION_CHARACTERS)
  return `redirects to ${shown}; set TELEMETRY_API_URL to where the server is`
}

interface Answer {
  readonly status: number
  readonly headers: HttpClientResponse.HttpClientResponse["headers"]
  /** Undefined when there was more of it than {@link MAX_REPLY_BYTES}. */
  readonly text: string | undefined
}

const reply = ({ status, headers, text }: Answer, url: string, words: Words.Words, nowMillis: number): Reply => {
  const retryAfterMillis = retryAfterOf(headers["retry-after"], nowMillis)
  const location = headers["location"]
  if (status >= 300 && status < 400 && location !== undefined)
    return later(status, `answered ${status}, ${redirect(url, location, words)}`, retryAfterMillis)
  if (text === undefined)
    return later(
      status,
      `answered ${status} with more than ${MAX_REPLY_BYTES} bytes, as no Runledger server does; check TELEMETRY_API_URL`,
      retryAfterMillis,
    )
  if (status >= 200 && status < 300)
    return Option.match(resultsOf(text), {
      onNone: () => later(status, `answered ${status}, but not as a Runledger server does; check TELEMETRY_API_URL`),
      onSome: (results) => ({ _tag: "Accepted", results: presentable(results, words) }),
    })
  if (status >= 400 && status < 500 && !NOT_ABOUT_THE_CONTENT.has(status))
    return { _tag: "Refused", status, detail: detailOf(text, words) }
  return later(status, `answered ${status} (${detailOf(text, words)})${advice(status)}`, retryAfterMillis)
}

const innermost = (error: unknown): unknown =>
  error instanceof Error && error.cause instanceof Error ? innermost(error.cause) : error

const ERROR_CHARACTERS = 500

/** Not cut before the token was looked for in it: a token that is no header's value is quoted by whoever refuses it. */
const saidBy = (error: unknown): string =>
  error instanceof Error && error.message !== "" ? `${error.name}: ${error.message}` : ErrorText.line(error)

const unreachable = (error: HttpClientError.HttpClientError, words: Words.Words): Reply =>
  noAnswer(`cannot be reached (${words(saidBy(innermost(error)), ERROR_CHARACTERS)})`)

/** Whether an answer says that it is short. It cannot have more than it says: what is behind that is another answer. */
const isShort = ({ headers }: HttpClientResponse.HttpClientResponse): boolean => {
  const length = headers["content-length"]
  return length !== undefined && headers["content-encoding"] === undefined && Number(length) <= MAX_REPLY_BYTES
}

/** The text of an answer, read as it comes; undefined, and the rest is not asked for, when it is too long. */
const textOf = (
  response: HttpClientResponse.HttpClientResponse,
): Effect.Effect<string | undefined, HttpClientError.ResponseError> =>
  Effect.suspend(() => {
    if (isShort(response)) return response.text
    const chunks: Array<Uint8Array> = []
    let bytes = 0
    return Stream.runForEachWhile(response.stream, (chunk) =>
      Effect.sync(() => {
        bytes += chunk.byteLength
        if (bytes <= MAX_REPLY_BYTES) chunks.push(chunk)
        return bytes <= MAX_REPLY_BYTES
      }),
    ).pipe(
      Effect.catchIf(
        ({ reason }) => reason === "EmptyBody",
        () => Effect.void,
      ),
      Effect.map(() => (bytes <= MAX_REPLY_BYTES ? new TextDecoder().decode(Buffer.concat(chunks)) : undefined)),
    )
  })

/** What is set for the platform's `fetch` by others stays. */
const withoutRedirects = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.mapInputContext(effect, (context: Context.Context<R>) =>
    Context.add(context, FetchHttpClient.RequestInit, {
      ...Option.getOrUndefined(Context.getOption(context, FetchHttpClient.RequestInit)),
      redirect: "manual",
    }),
  )

/** Sends one body. Never fails: whatever goes wrong is a reply; an interruption aborts the request. */
export const make = (
  http: HttpClient.HttpClient,
  options: PostOptions,
): ((body: Uint8Array) => Effect.Effect<Reply>) => {
  const client = http.pipe(HttpClient.withTracerPropagation(false))
  const timeout = Duration.decode(options.timeout)
  const words = Words.make(options.token)
  const bare = HttpClientRequest.post(options.url, { acceptJson: true, headers: { prefer: MINIMAL } })
  const request = (body: Uint8Array): HttpClientRequest.HttpClientRequest => {
    const authorized = Option.match(options.token, {
      onNone: () => bare,
      onSome: (token) => HttpClientRequest.bearerToken(bare, Redacted.value(token)),
    })
    return HttpClientRequest.bodyUint8Array(authorized, body, "application/json")
  }

  const send = (body: Uint8Array): Effect.Effect<Reply, HttpClientError.HttpClientError> =>
    Effect.gen(function* () {
      const response = yield* withoutRedirects(client.execute(request(body)))
      const text = yield* textOf(response)
      // The platform takes a connection up again one turn after an answer; asked sooner it opens another.
      yield* nextTurn
      const { headers, status } = response
      return reply({ status, headers, text }, options.url, words, yield* Clock.currentTimeMillis)
    })

  return (body) =>
    send(body).pipe(
      Effect.timeoutTo({
        duration: timeout,
        onSuccess: (answer) => answer,
        onTimeout: () => noAnswer(`did not answer within ${Duration.format(timeout)}`),
      }),
      Effect.catchAll((error) => Effect.succeed(unreachable(error, words))),
      Effect.catchAllCause((cause) =>
        Cause.isInterruptedOnly(cause)
          ? Effect.failCause(cause)
          : Effect.succeed(noAnswer(`cannot be asked: ${words(ErrorText.ofCause(cause).summary, ERROR_CHARACTERS)}`)),
      ),
      Effect.withTracerEnabled(false),
    )
}
