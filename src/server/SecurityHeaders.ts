import * as HttpServerResponse from "@effect/platform/HttpServerResponse"

/** What every reply bears, whoever makes it: nothing of it may be framed, sniffed, cached, or told to others as a referrer. */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
}

/** The response with {@link SAFE_HEADERS}; what it says itself stands. */
export const safe = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setHeaders(response, { ...SAFE_HEADERS, ...response.headers })
