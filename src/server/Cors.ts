import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

const EXPOSED =
  "X-Total-Count, Link, X-Log-Head, X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, Retry-After, Preference-Applied"

const PREFLIGHT = {
  "access-control-allow-methods": "GET, HEAD, POST, PATCH",
  "access-control-allow-headers": "Authorization, Content-Type, Last-Event-ID, Prefer, X-Request-Id",
  "access-control-max-age": "600",
}

/** Pages of which other sites may ask this server. */
export interface Cors {
  /** Whether a request comes from a page that may. */
  readonly allows: (request: Request) => boolean
  /** The answer to a browser that asks beforehand whether a page may; none for every other request. */
  readonly preflight: (request: Request) => Response | undefined
  /** Lets the page read the response. */
  readonly opened: (request: Request, response: Response) => Response
}

/** Origins as they are set, each to the letter: none lets nobody in. */
export const make = (origins: ReadonlyArray<string>): Cors => {
  const known = new Set(origins)
  const originOf = ({ headers }: Request): string | undefined => {
    const origin = headers["origin"]
    return origin !== undefined && known.has(origin) ? origin : undefined
  }

  const preflight = (request: Request): Response | undefined => {
    const { method, headers } = request
    if (method !== "OPTIONS" || headers["access-control-request-method"] === undefined) return undefined
    if (originOf(request) === undefined) return undefined
    const isFromPublic = headers["access-control-request-private-network"] === "true"
    return HttpServerResponse.empty({
      headers: { ...PREFLIGHT, ...(isFromPublic ? { "access-control-allow-private-network": "true" } : {}) },
    })
  }

  const opened = (request: Request, response: Response): Response => {
    if (known.size === 0) return response
    const origin = originOf(request)
    return HttpServerResponse.setHeaders(response, {
      vary: "Origin",
      ...(origin === undefined
        ? {}
        : { "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED }),
    })
  }

  return { allows: (request) => originOf(request) !== undefined, preflight, opened }
}

/** Whether a text is an origin as browsers send it: scheme, host and port, and nothing more. */
export const isOrigin = (text: string): boolean =>
  /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text
