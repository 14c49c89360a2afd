import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import type { RunStoreService } from "../../services/RunStore.js"
import type { Invalid, Refused } from "./ApiErrors.js"
import * as Operations from "./Operations.js"
import * as Problems from "./Problems.js"
import * as RunsHandlers from "./RunsHandlers.js"
import { hidden } from "./StoreErrors.js"

type Handler = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  Invalid | Refused,
  HttpServerRequest.HttpServerRequest
>

/** What the router would make of the failures that these endpoints name. */
const answered = (handler: Handler): HttpApp.Default =>
  Problems.translated(
    Effect.catchTags(handler, {
      Refused: ({ status, detail }) => Effect.succeed(Problems.problem(status, detail)),
      Invalid: ({ detail }) => Effect.succeed(Problems.problem(422, detail)),
    }),
  )

/**
 * The three writes that clients send without a pause, past the router, which takes longer than they do. They have the handlers
 * of the API's endpoints and its answers; every other request, and an address that is not to the letter one of theirs,
 * goes on to the router.
 */
export const make = (store: RunStoreService): ((app: HttpApp.Default) => HttpApp.Default) => {
  const handlers = new Map<string, HttpApp.Default>([
    ["/api/v1/runs", answered(hidden(RunsHandlers.create(store)))],
    ["/api/v1/runs/batch", answered(hidden(RunsHandlers.createMany(store)))],
    ["/api/v1/ops", answered(hidden(Operations.apply(store)))],
  ])
  return (app) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method, url }) =>
      method === "POST" ? (handlers.get(url) ?? app) : app,
    )
}
