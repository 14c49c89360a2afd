import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { problem } from "./Problems.js"

/** What the server holds at a time of requests that write, and how long one of them may send nothing. */
export interface Limits {
  readonly bytes: number
  readonly requests: number
  readonly stallMillis: number
}

export const LIMITS: Limits = { bytes: 64 * 1024 * 1024, requests: 2000, stallMillis: 10_000 }

/** What a request counts before a byte of its body came: node reads that much of a connection ahead. */
const AHEAD_BYTES = 64 * 1024

const RETRY_AFTER_SECONDS = "1"

/** The answer to a write that does not fit beside those in hand. */
export const FULL =
  "The server has as many writes in hand as it can hold. Nothing of this one was taken: send it again."

export interface ShareService {
  /** Counts bytes of the body that came; false when they do not fit beside what other requests hold. */
  readonly take: (bytes: number) => boolean
  /** How long the body may stand still, in milliseconds. */
  readonly stallMillis: number
}

/** What the request in hand may hold of the server's memory. Whoever reads its body takes from it; it is given back at its end. */
export class Share extends Context.Reference<Share>()("runledger/server/Share", {
  defaultValue: (): ShareService => ({ take: () => true, stallMillis: LIMITS.stallMillis }),
}) {}

const WRITES: ReadonlyArray<string> = ["POST", "PUT", "PATCH"]

/**
 * Lets writes in as long as what was received of those in hand fits into memory, and asks the others to come back (503 with
 * `Retry-After`), before their body is read or as soon as it does not fit: the store writes as fast as it can, and what waits for
 * it stays bounded. What a request only announces keeps nobody out. A request that is alone is always let in.
 */
export const make = (limits: Limits = LIMITS): ((app: HttpApp.Default) => HttpApp.Default) => {
  let bytes = 0
  let requests = 0

  const admitted = (app: HttpApp.Default): HttpApp.Default => {
    let held = AHEAD_BYTES
    let received = 0
    let isRefused = false
    bytes += held
    requests += 1
    const take = (count: number): boolean => {
      const more = Math.max(0, received + count - held)
      isRefused = requests > 1 && bytes + more > limits.bytes
      if (isRefused) return false
      received += count
      held += more
      bytes += more
      return true
    }
    const given = Effect.sync(() => {
      bytes -= held
      requests -= 1
    })
    return app.pipe(
      Effect.provideService(Share, { take, stallMillis: limits.stallMillis }),
      Effect.map((response) => {
        if (response.status === 408) return HttpServerResponse.setHeader(response, "connection", "close")
        return isRefused ? HttpServerResponse.setHeader(response, "retry-after", RETRY_AFTER_SECONDS) : response
      }),
      Effect.ensuring(given),
    )
  }

  return (app) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      if (!WRITES.includes(request.method)) return app
      if (requests > 0 && (requests >= limits.requests || bytes + AHEAD_BYTES > limits.bytes)) {
        NodeHttpServerRequest.toIncomingMessage(request).resume()
        return Effect.succeed(problem(503, FULL, { "retry-after": RETRY_AFTER_SECONDS }))
      }
      return admitted(app)
    })
}
