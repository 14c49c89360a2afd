import type { IncomingMessage } from "node:http"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Routes from "./Routes.js"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

/** What went out so far. */
interface Sent {
  status: number
  bytes: number
}

/** The client left before it was answered. */
const LEFT = 499
const NANOS = 1_000_000n
const GIVEN_ID = /^[A-Za-z0-9._:-]{1,64}$/

const counted = (response: Response, sent: Sent): Response => {
  sent.status = response.status
  const { body } = response
  if (body._tag !== "Stream") {
    sent.bytes = body.contentLength ?? 0
    return response
  }
  const stream = Stream.tap(body.stream, (part) =>
    Effect.sync(() => {
      sent.bytes += part.byteLength
    }),
  )
  return HttpServerResponse.setBody(response, HttpBody.stream(stream, body.contentType, body.contentLength))
}

/** A request that is over. */
export interface Done {
  readonly request: { readonly method: string; readonly url: string }
  readonly id: string
  /** What it was answered with; none when the client left before. */
  readonly status: number | undefined
  /** Of the body. */
  readonly bytes: number
  /** From its beginning, in nanoseconds. */
  readonly nanos: bigint
}

/** Writes the line of a request. */
const line = ({ request, id, status = LEFT, bytes, nanos }: Done): Effect.Effect<void> =>
  Effect.logInfo("request").pipe(
    Effect.annotateLogs({
      method: request.method,
      route: Routes.templateOf(request.url) ?? "none",
      status,
      duration_ms: Number(nanos / NANOS),
      bytes: request.method === "HEAD" ? 0 : bytes,
      request_id: id,
    }),
  )

const logged = (request: Request, id: string, app: HttpApp.Default): HttpApp.Default<never, Scope.Scope> =>
  Effect.gen(function* () {
    const begun = yield* Clock.currentTimeNanos
    const sent: Sent = { status: LEFT, bytes: 0 }
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Clock.currentTimeNanos, (now) => line({ request, id, ...sent, nanos: now - begun })),
    )
    return counted(yield* app, sent)
  })

/**
 * Gives each request an id (the client's own `X-Request-Id` when it is a plain one), which is on the response and on whatever is
 * logged meanwhile. When enabled, also one log line a request once it is over: method, route (its template, so that no id, query
 * or token of a client is in it), status, milliseconds, bytes of the body.
 */
export interface AccessLog {
  readonly idOf: (request: IncomingMessage) => string
  /** Writes the line of a request that is over; undefined when none are to be written. */
  readonly line: ((done: Done) => Effect.Effect<void>) | undefined
  /** All of it around an app. */
  readonly middleware: (app: HttpApp.Default) => HttpApp.Default<never, Scope.Scope>
}

/** Ids that begin with the time of this start, so that none comes twice; lines only when `enabled`. */
export const make = (enabled: boolean): Effect.Effect<AccessLog> =>
  Effect.map(Clock.currentTimeMillis, (started) => {
    const prefix = started.toString(36)
    let count = 0
    const idOf = ({ headers }: IncomingMessage): string => {
      const given = headers["x-request-id"]
      if (typeof given === "string" && GIVEN_ID.test(given)) return given
      count += 1
      return `${prefix}-${count.toString(36)}`
    }
    const middleware: AccessLog["middleware"] = (app) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        const id = idOf(NodeHttpServerRequest.toIncomingMessage(request))
        const named = app.pipe(
          Effect.annotateLogs("request_id", id),
          Effect.map(HttpServerResponse.setHeader("x-request-id", id)),
        )
        return enabled ? logged(request, id, named) : named
      })
    return { idOf, line: enabled ? line : undefined, middleware }
  })
