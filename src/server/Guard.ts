import { createHash, timingSafeEqual } from "node:crypto"
import type { IncomingMessage } from "node:http"
import type * as HttpApp from "@effect/platform/HttpApp"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Answer from "./Answer.js"
import * as Cors from "./Cors.js"
import * as RateLimit from "./RateLimit.js"
import { safe } from "./SecurityHeaders.js"
import type { ServerSettings } from "./ServerSettings.js"

const { problem } = Answer

/** Of a request's target: an id of 1024 characters, each written as three bytes of three characters, and a query. */
const MAX_URL = 16 * 1024
/** Far more than any client sends. */
const MAX_HEADERS = 100

const HOST = /^(\[[0-9a-f:.]+\]|[^:[\]/@\s]+)(?::\d{1,5})?$/i

const bracketed = (address: string): string =>
  address.includes(":") && !address.startsWith("[") ? `[${address}]` : address

const hostName = (header: string): string | undefined => HOST.exec(header)?.[1]?.toLowerCase().replace(/\.$/, "")

const isWildcard = (host: string): boolean => host === "0.0.0.0" || host === "::" || host === ""

const knownHosts = (settings: ServerSettings): ReadonlySet<string> =>
  new Set(
    ["localhost", "127.0.0.1", "[::1]", ...(isWildcard(settings.host) ? [] : [settings.host]), ...settings.allowedHosts]
      .map((name) => hostName(bracketed(name)) ?? hostName(name))
      .filter((name) => name !== undefined),
  )

/** The address at which the client reached this machine. Named by itself it cannot be a name that someone else rebound. */
const ownAddress = (request: IncomingMessage): string | undefined => {
  const address = request.socket.localAddress?.replace(/^::ffff:/, "")
  return address === undefined ? undefined : bracketed(address.toLowerCase())
}

const urlOf = ({ url = "" }: IncomingMessage): string => url

const tooLong = (request: IncomingMessage): Answer.Answer | undefined => {
  if (urlOf(request).length > MAX_URL) {
    return problem(414, `The address is longer than ${MAX_URL} characters. Ask with fewer or shorter filters.`)
  }
  const { rawHeaders } = request
  return rawHeaders.length / 2 > MAX_HEADERS ? problem(431, `There are more than ${MAX_HEADERS} headers.`) : undefined
}

const wrongHost = (request: IncomingMessage, known: ReadonlySet<string>): Answer.Answer | undefined => {
  const header = request.headers["host"]
  if (header === undefined) return problem(400, "A request needs a Host.")
  const name = hostName(header)
  if (name !== undefined && (known.has(name) || name === ownAddress(request))) return undefined
  return problem(421, "This server is not known by that Host. Add the name to TELEMETRY_ALLOWED_HOSTS.")
}

const sameOrigin = (origin: string, host: string): boolean =>
  URL.canParse(origin) && URL.canParse(`http://${host}`) && new URL(origin).host === new URL(`http://${host}`).host

/** A page of another site may link here, and nothing else. */
const crossSite = (request: IncomingMessage): Answer.Answer | undefined => {
  const { headers, method } = request
  const origin = headers["origin"]
  const foreignOrigin = origin !== undefined && !sameOrigin(origin, headers["host"] ?? "")
  const isLink = headers["sec-fetch-mode"] === "navigate" && method === "GET"
  const foreignFetch = headers["sec-fetch-site"] === "cross-site" && !isLink
  return foreignOrigin || foreignFetch ? problem(403, "Requests from pages of other sites are refused.") : undefined
}

const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i

const WRITES: ReadonlyArray<string | undefined> = ["POST", "PUT", "PATCH"]

const notJson = (request: IncomingMessage): Answer.Answer | undefined => {
  if (!WRITES.includes(request.method)) return undefined
  const encoding = request.headers["content-encoding"] ?? "identity"
  if (JSON_TYPE.test((request.headers["content-type"] ?? "").trim()) && encoding === "identity") return undefined
  return problem(415, "Send the body as Content-Type: application/json, in UTF-8 and not compressed.")
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

const unauthorised =
  (token: Redacted.Redacted<string>) =>
  (request: IncomingMessage): Answer.Answer | undefined => {
    const given = /^Bearer +(.+)$/i.exec(request.headers["authorization"] ?? "")?.[1] ?? ""
    if (timingSafeEqual(digest(given), digest(Redacted.value(token)))) return undefined
    return problem(401, "A bearer token is needed: Authorization: Bearer <token>.", { "www-authenticate": "Bearer" })
  }

const clientOf = (request: IncomingMessage): string => request.socket.remoteAddress ?? "unknown"

const limitHeaders = (allowance: RateLimit.Allowance): Readonly<Record<string, string>> => ({
  "x-ratelimit-limit": String(allowance.limit),
  "x-ratelimit-remaining": String(allowance.remaining),
})

const isHealth = (request: IncomingMessage): boolean =>
  urlOf(request) === "/health" || urlOf(request).startsWith("/health?")

/** What is decided of a request before any route sees it. */
export interface Verdict {
  /** The answer that it gets instead of the route's; undefined when it is let in. */
  readonly refusal: Answer.Answer | undefined
  /** What its answer bears, be it this refusal or the route's. */
  readonly headers: Readonly<Record<string, string>>
}

/** Decides about a request; `now` in milliseconds. */
export type Judge = (request: IncomingMessage, now: () => number) => Verdict

/**
 * Refuses what is too long (414, 431), unknown `Host` names (421), pages of other sites but those that are let in (403), too many
 * requests (429), wrong or missing tokens (401, all but `/health`) and writes that are not JSON (415).
 */
export const make = (settings: ServerSettings): Judge => {
  const known = knownHosts(settings)
  const cors = Cors.make(settings.corsOrigins)
  const count = Option.getOrUndefined(Option.map(settings.rateLimit, ({ perMinute }) => RateLimit.make(perMinute)))
  const authorise = Option.match(settings.token, { onNone: () => () => undefined, onSome: unauthorised })

  const outside = (request: IncomingMessage): Answer.Answer | undefined =>
    tooLong(request) ??
    wrongHost(request, known) ??
    cors.preflight(request) ??
    (cors.allows(request) ? undefined : crossSite(request))

  return (request, now) => {
    const headers = cors.headers(request)
    const refused = outside(request)
    if (refused !== undefined || isHealth(request)) return { refusal: refused, headers }
    const refusal = authorise(request) ?? notJson(request)
    if (count === undefined) return { refusal, headers }
    const allowance = count(clientOf(request), now())
    const counted = { ...limitHeaders(allowance), ...headers }
    if (allowance.allowed) return { refusal, headers: counted }
    const retryAfter = String(allowance.retryAfter)
    const wait = `More than ${allowance.limit} requests a minute. Wait ${retryAfter} s.`
    return { refusal: problem(429, wait, { "retry-after": retryAfter }), headers: counted }
  }
}

/** Stands before every route with what was decided, and gives every response its safety headers. */
export const middleware =
  (judge: Judge) =>
  (app: HttpApp.Default): HttpApp.Default =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
      Clock.clockWith((clock) => {
        const incoming = NodeHttpServerRequest.toIncomingMessage(request)
        const { refusal, headers } = judge(incoming, () => clock.unsafeCurrentTimeMillis())
        return Effect.map(refusal === undefined ? app : Effect.succeed(Answer.toResponse(refusal)), (response) =>
          safe(HttpServerResponse.setHeaders(response, headers)),
        )
      }),
    )
