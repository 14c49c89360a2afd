import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import { MAX_OPERATION_BYTES } from "../domain/Operation.js"
import { problem } from "./Problems.js"
import { MAX_BODY_BYTES } from "./RequestBody.js"

/** What the server holds at a time of requests that write. */
export interface Limits {
  readonly bytes: number
  readonly requests: number
}

export const LIMITS: Limits = { bytes: 64 * 1024 * 1024, requests: 2000 }

const RETRY_AFTER_SECONDS = "1"

const WRITES: ReadonlyArray<string> = ["POST", "PUT", "PATCH"]

/** A body that does not say its size counts as a full batch of operations. */
const sizeOf = ({ headers }: HttpServerRequest.HttpServerRequest): number => {
  const declared = headers["content-length"]
  return declared === undefined ? MAX_OPERATION_BYTES : Math.min(Number(declared), MAX_BODY_BYTES)
}

/**
 * Lets writes in as long as the bodies of those in hand fit into memory, and asks the others to come back (503 with
 * `Retry-After`) before their body is read: the store writes as fast as it can, and what waits for it stays bounded. A request
 * that is alone is always let in.
 */
export const make = (limits: Limits = LIMITS): ((app: HttpApp.Default) => HttpApp.Default) => {
  let bytes = 0
  let requests = 0
  return (app) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      if (!WRITES.includes(request.method)) return app
      const size = sizeOf(request)
      if (requests > 0 && (requests >= limits.requests || bytes + size > limits.bytes)) {
        NodeHttpServerRequest.toIncomingMessage(request).resume()
        const detail =
          "The server has as many writes in hand as it can hold. Nothing of this one was taken: send it again."
        return Effect.succeed(problem(503, detail, { "retry-after": RETRY_AFTER_SECONDS }))
      }
      bytes += size
      requests += 1
      return Effect.ensuring(
        app,
        Effect.sync(() => {
          bytes -= size
          requests -= 1
        }),
      )
    })
}
