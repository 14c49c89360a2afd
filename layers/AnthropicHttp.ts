import type { Anthropic, APIError } from "@anthropic-ai/sdk"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HttpRetry from "../src/domain/HttpRetry.js"
import type { LlmRequest } from "../src/domain/Llm.js"
import { mask } from "../src/domain/Secrets.js"
import { type AttemptFailure, failure, reasonOfStatus } from "./AnthropicFailure.js"
import { type DecodedAnswer, decode, isEmpty, SAMPLING_API_VERSION, toBody } from "./AnthropicMessages.js"

const DETAIL_LIMIT = 400
/** How much longer than the layer the SDK waits: the layer's own timeout is the one that counts. */
const SDK_GRACE_MILLIS = 5000

/** A Messages API and the right to use it. No client: `problem` says why requests cannot be sent. */
export interface Endpoint {
  readonly baseUrl: string | null
  readonly client: Anthropic | null
  readonly problem: AttemptFailure | null
  /** Texts that no error may hold. */
  readonly secrets: ReadonlyArray<string>
}

/** An HTTP answer that is a message. */
export interface Answered {
  readonly answer: DecodedAnswer
  readonly status: number
  readonly requestId: string | null
}

interface Address {
  readonly baseUrl: string
  readonly credentials: ReadonlyArray<string>
}

const addressOf = (text: string): Address | null => {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  if (url.protocol !== "https:" && url.protocol !== "http:") return null
  const credentials = [url.username, url.password].filter((part) => part !== "")
  return {
    baseUrl: `${url.origin}${url.pathname}`.replace(/\/+$/, ""),
    credentials: [...credentials, ...credentials.map((part) => Either.getOrElse(decoded(part), () => part))],
  }
}

const decoded = (part: string): Either.Either<string, unknown> => Either.try(() => decodeURIComponent(part))

/** The SDK adds the headers of ANTHROPIC_CUSTOM_HEADERS, a key among them, to its own and has no option against it. */
const dropHeadersOfEnvironment = (client: Anthropic): void => {
  const options: unknown = Reflect.get(client, "_options")
  if (typeof options === "object" && options !== null) Reflect.deleteProperty(options, "defaultHeaders")
}

const makeClient = (Client: typeof Anthropic, apiKey: string, baseURL: string, timeoutMillis: number): Anthropic => {
  const client = new Client({
    apiKey,
    baseURL,
    webhookKey: null,
    maxRetries: 0,
    timeout: Math.min(2 ** 31 - 1, Math.ceil(timeoutMillis) + SDK_GRACE_MILLIS),
    openTelemetry: false,
    logLevel: "off",
  })
  dropHeadersOfEnvironment(client)
  return client
}

/** The endpoint of a base URL and a key; nothing is sent. Credentials, query and trailing slashes of the URL are dropped. */
export const makeEndpoint = (
  Client: typeof Anthropic,
  options: { readonly apiKey: string; readonly baseUrl: string; readonly timeoutMillis: number },
): Endpoint => {
  const { apiKey, baseUrl, timeoutMillis } = options
  const key = apiKey.trim()
  const address = addressOf(baseUrl)
  const secrets = [key, apiKey, ...(address?.credentials ?? [])].filter((secret) => secret !== "")
  if (address === null) {
    const detail =
      "the base URL is not an http or https address (set ANTHROPIC_BASE_URL, such as https://api.anthropic.com)"
    return { baseUrl: null, client: null, problem: failure({ reason: "InvalidRequest", detail }), secrets }
  }
  if (!/^[\x21-\x7e]+$/.test(key)) {
    const detail = key === "" ? "the API key is empty" : "the API key has characters that no key has"
    return {
      baseUrl: address.baseUrl,
      client: null,
      problem: failure({ reason: "Authentication", detail }),
      secrets,
    }
  }
  return {
    baseUrl: address.baseUrl,
    client: makeClient(Client, key, address.baseUrl, timeoutMillis),
    problem: null,
    secrets,
  }
}

/** One line of a text that somebody else wrote. Secrets go first: a cut must not leave half of one. */
const short = (text: string, secrets: ReadonlyArray<string>): string => {
  const line = mask(text, secrets).replace(/\s+/g, " ").trim()
  return line.length > DETAIL_LIMIT ? `${line.slice(0, DETAIL_LIMIT)}…` : line
}

const rootOf = (cause: unknown): unknown =>
  cause instanceof Error && cause.cause !== undefined ? rootOf(cause.cause) : cause

const connectionFailure = (
  cause: unknown,
  what: string,
  secrets: ReadonlyArray<string>,
  answered: { readonly status?: number; readonly requestId?: string | null } = {},
): AttemptFailure => {
  const root = rootOf(cause)
  const code = root instanceof Error && "code" in root && typeof root.code === "string" ? root.code : ""
  const words = root instanceof Error ? root.message : String(root)
  const detail = words.includes(code) ? `${what}: ${words}` : `${what}: ${words} (${code})`
  return failure({ reason: "Connection", detail: short(detail, secrets), again: true, cause, ...answered })
}

const isApiError = (cause: unknown): cause is APIError & { readonly status: number; readonly headers: Headers } =>
  cause instanceof Error &&
  "status" in cause &&
  typeof cause.status === "number" &&
  "headers" in cause &&
  cause.headers instanceof Headers

const statusFailure = (
  error: APIError & { readonly status: number; readonly headers: Headers },
  secrets: ReadonlyArray<string>,
  now: number,
) => {
  const header: HttpRetry.HeaderLookup = (name) => error.headers.get(name)
  const again = HttpRetry.worthRetrying(error.status, header)
  return failure({
    reason: reasonOfStatus(error.status),
    detail: short(error.apiMessage ?? error.message.replace(/^\d{3} /, ""), secrets),
    again,
    retryable: again,
    status: error.status,
    requestId: header("request-id"),
    retryAfterMs: again ? HttpRetry.retryAfterMillis(header, now) : null,
    cause: error,
  })
}

class RequestFailed extends Data.TaggedError("RequestFailed")<{ readonly cause: unknown }> {}

const request = (client: Anthropic, wanted: LlmRequest, signal: AbortSignal): Effect.Effect<Response, RequestFailed> =>
  Effect.tryPromise({
    // `post` and not `messages.create`: that one writes deprecation notices to the console.
    try: () =>
      client
        .post("/v1/messages", {
          body: toBody(wanted),
          signal,
          ...(wanted.temperature === null ? {} : { headers: { "anthropic-version": SAMPLING_API_VERSION } }),
        })
        .asResponse(),
    catch: (cause) => new RequestFailed({ cause }),
  })

const failedRequest = (cause: unknown, secrets: ReadonlyArray<string>): Effect.Effect<AttemptFailure> =>
  isApiError(cause)
    ? Effect.map(Clock.currentTimeMillis, (now) => statusFailure(cause, secrets, now))
    : Effect.succeed(connectionFailure(cause, "no answer", secrets))

const read = (response: Response, secrets: ReadonlyArray<string>): Effect.Effect<string, AttemptFailure> =>
  Effect.tryPromise({
    try: () => response.text(),
    catch: (cause) =>
      connectionFailure(cause, "the connection ended within the answer", secrets, {
        status: response.status,
        requestId: response.headers.get("request-id"),
      }),
  })

const mediaType = (response: Response): string =>
  (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? ""

const interpret = (response: Response, body: string): Either.Either<Answered, AttemptFailure> => {
  const status = response.status
  const requestId = response.headers.get("request-id")
  const unusable = (reason: "MalformedResponse" | "EmptyResponse", detail: string, usage?: DecodedAnswer["usage"]) =>
    Either.left(
      failure({ reason, detail, retryable: true, status, requestId, ...(usage === undefined ? {} : { usage }) }),
    )
  if (body.trim() === "") return unusable("EmptyResponse", "the answer is empty")
  const type = mediaType(response)
  if (!/[/+]json$/.test(type))
    return unusable("MalformedResponse", `the answer is ${type || "of no stated type"}, not JSON`)
  const answer = decode(body)
  if (Either.isLeft(answer)) return unusable("MalformedResponse", `the answer is ${answer.left}`)
  return isEmpty(answer.right)
    ? unusable("EmptyResponse", "the answer has no text and no tool call", answer.right.usage)
    : Either.right({ answer: answer.right, status, requestId })
}

const exchange = (
  client: Anthropic,
  secrets: ReadonlyArray<string>,
  wanted: LlmRequest,
  signal: AbortSignal,
  onHeaders: (headers: Headers) => Effect.Effect<void>,
): Effect.Effect<Answered, AttemptFailure> =>
  Effect.gen(function* () {
    const response = yield* request(client, wanted, signal).pipe(
      Effect.tapError(({ cause }) => (isApiError(cause) ? onHeaders(cause.headers) : Effect.void)),
      Effect.catchAll(({ cause }) => Effect.flip(failedRequest(cause, secrets))),
    )
    yield* onHeaders(response.headers)
    const body = yield* read(response, secrets)
    return yield* interpret(response, body)
  })

/**
 * One attempt: sends a request and reads its answer; `onHeaders` sees the headers of whatever answers. Interruption closes
 * the connection, whether it strikes before the answer or within it.
 */
export const send = (
  endpoint: Endpoint,
  wanted: LlmRequest,
  onHeaders: (headers: Headers) => Effect.Effect<void>,
): Effect.Effect<Answered, AttemptFailure> => {
  const { client, problem, secrets } = endpoint
  if (client === null) {
    return Effect.fail(problem ?? failure({ reason: "InvalidRequest", detail: "there is no address to send to" }))
  }
  return Effect.acquireUseRelease(
    Effect.sync(() => new AbortController()),
    ({ signal }) => exchange(client, secrets, wanted, signal, onHeaders),
    (controller) => Effect.sync(() => controller.abort()),
  )
}
