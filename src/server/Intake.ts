import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Answer from "./Answer.js"

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

/** The place of a request among those that are in hand. */
export interface Place extends ShareService {
  /** What the answer bears for what befell the request here. */
  readonly headersOf: (status: number) => Readonly<Record<string, string>>
  /** Gives back what it holds; once. */
  readonly leave: () => void
}

export interface Intake {
  /** A place for one more request that writes; undefined when there is none. */
  readonly enter: () => Place | undefined
}

/** The answer to a request for which there is no place. */
export const refusal: Answer.Answer = Answer.problem(503, FULL, { "retry-after": RETRY_AFTER_SECONDS })

const NO_HEADERS: Readonly<Record<string, string>> = {}

/**
 * Lets writes in as long as what was received of those in hand fits into memory, and asks the others to come back (503 with
 * `Retry-After`), before their body is read or as soon as it does not fit: the store writes as fast as it can, and what waits for
 * it stays bounded. What a request only announces keeps nobody out. A request that is alone is always let in.
 */
export const make = (limits: Limits = LIMITS): Intake => {
  let bytes = 0
  let requests = 0

  const admitted = (): Place => {
    let held = AHEAD_BYTES
    let received = 0
    let isRefused = false
    bytes += held
    requests += 1
    return {
      stallMillis: limits.stallMillis,
      take: (count) => {
        const more = Math.max(0, received + count - held)
        isRefused = requests > 1 && bytes + more > limits.bytes
        if (isRefused) return false
        received += count
        held += more
        bytes += more
        return true
      },
      headersOf: (status) => {
        if (status === 408) return { connection: "close" }
        return isRefused ? { "retry-after": RETRY_AFTER_SECONDS } : NO_HEADERS
      },
      leave: () => {
        bytes -= held
        requests -= 1
      },
    }
  }

  const isFull = () => requests > 0 && (requests >= limits.requests || bytes + AHEAD_BYTES > limits.bytes)

  return { enter: () => (isFull() ? undefined : admitted()) }
}

const WRITES: ReadonlyArray<string> = ["POST", "PUT", "PATCH"]

/** Gives each request that writes its place while it is in hand, and refuses it when there is none. */
export const middleware =
  ({ enter }: Intake) =>
  (app: HttpApp.Default): HttpApp.Default =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      if (!WRITES.includes(request.method)) return app
      const place = enter()
      if (place === undefined) {
        NodeHttpServerRequest.toIncomingMessage(request).resume()
        return Effect.succeed(Answer.toResponse(refusal))
      }
      return app.pipe(
        Effect.provideService(Share, place),
        Effect.map((response) => HttpServerResponse.setHeaders(response, place.headersOf(response.status))),
        Effect.ensuring(Effect.sync(place.leave)),
      )
    })
