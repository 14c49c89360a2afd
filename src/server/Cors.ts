import type { IncomingMessage } from "node:http"
import type { Answer } from "./Answer.js"

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
  readonly allows: (request: IncomingMessage) => boolean
  /** The answer to a browser that asks beforehand whether a page may; none for every other request. */
  readonly preflight: (request: IncomingMessage) => Answer | undefined
  /** What lets the page read the response. */
  readonly headers: (request: IncomingMessage) => Readonly<Record<string, string>>
}

const NO_HEADERS: Readonly<Record<string, string>> = {}

/** Origins as they are set, each to the letter: none lets nobody in. */
export const make = (origins: ReadonlyArray<string>): Cors => {
  const known = new Set(origins)
  const originOf = ({ headers }: IncomingMessage): string | undefined => {
    const origin = headers["origin"]
    return origin !== undefined && known.has(origin) ? origin : undefined
  }

  const preflight = (request: IncomingMessage): Answer | undefined => {
    const { method, headers } = request
    if (method !== "OPTIONS" || headers["access-control-request-method"] === undefined) return undefined
    if (originOf(request) === undefined) return undefined
    const isFromPublic = headers["access-control-request-private-network"] === "true"
    return {
      status: 204,
      headers: { ...PREFLIGHT, ...(isFromPublic ? { "access-control-allow-private-network": "true" } : {}) },
      json: undefined,
    }
  }

  const headers = (request: IncomingMessage): Readonly<Record<string, string>> => {
    if (known.size === 0) return NO_HEADERS
    const origin = originOf(request)
    return origin === undefined
      ? { vary: "Origin" }
      : { vary: "Origin", "access-control-allow-origin": origin, "access-control-expose-headers": EXPOSED }
  }

  return { allows: (request) => originOf(request) !== undefined, preflight, headers }
}

/** Whether a text is an origin as browsers send it: scheme, host and port, and nothing more. */
export const isOrigin = (text: string): boolean =>
  /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text
