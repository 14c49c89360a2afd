import { HttpApiDecodeError } from "@effect/platform/HttpApiError"
import type * as HttpApp from "@effect/platform/HttpApp"
import { RouteNotFound } from "@effect/platform/HttpServerError"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as ErrorText from "../domain/ErrorText.js"
import * as Answer from "./Answer.js"
import { Invalid, Refused } from "./ApiErrors.js"
import { issues } from "./Decoding.js"
import * as Routes from "./Routes.js"

/** `{"detail": …}` with a status. */
export const problem = (
  status: number,
  detail: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpServerResponse.HttpServerResponse => Answer.toResponse(Answer.problem(status, detail, headers))

const noRoute = (request: HttpServerRequest.HttpServerRequest): HttpServerResponse.HttpServerResponse => {
  const methods = Routes.methodsOf(request.url)
  if (methods.length === 0 || methods.includes(request.method)) return problem(404, "There is nothing here. See /docs.")
  const allow = methods.join(", ")
  return problem(405, `This path takes ${allow}. See /docs.`, { allow })
}

const answer = (
  failure: unknown,
  request: HttpServerRequest.HttpServerRequest,
): HttpServerResponse.HttpServerResponse | undefined => {
  if (failure instanceof HttpApiDecodeError) return problem(422, issues(["query"], failure.issues))
  return failure instanceof RouteNotFound ? noRoute(request) : undefined
}

/** Logs what nobody foresaw, and answers it without a word of what happened inside. */
export const unforeseen = (
  { method, url }: { readonly method: string; readonly url: string },
  cause: Cause.Cause<unknown>,
): Effect.Effect<Answer.Answer> =>
  Effect.as(
    Effect.logError(
      `${method} ${url.split("?")[0]} failed for a reason that nobody foresaw: ${ErrorText.ofCause(cause).summary}`,
      cause,
    ),
    Answer.problem(500, "Something went wrong here. The server's log says what."),
  )

/**
 * The one place where what the library would answer becomes what the contract says: an undecodable query 422, an unknown
 * path 404, a known path with another method 405, anything unforeseen 500 without a word of what happened inside.
 */
export const translated = (app: HttpApp.Default): HttpApp.Default =>
  Effect.catchAllCause(app, (cause) => {
    if (Cause.isInterruptedOnly(cause)) return Effect.failCause(cause)
    const failure: unknown = Cause.squash(cause)
    if (failure instanceof Refused || failure instanceof Invalid) return Effect.failCause(cause)
    return Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const known = answer(failure, request)
      if (known !== undefined) return Effect.succeed(known)
      return Effect.map(unforeseen(request, cause), Answer.toResponse)
    })
  })
