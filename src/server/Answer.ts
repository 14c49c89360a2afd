import * as HttpServerResponse from "@effect/platform/HttpServerResponse"

type Headers = Readonly<Record<string, string>>

/** What a request is told, before it becomes a response of the platform or goes out as it is. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** The body; undefined for none. */
  readonly json: string | undefined
}

const NO_HEADERS: Headers = {}

/** A value as JSON. */
export const of = (body: unknown, status = 200, headers: Headers = NO_HEADERS): Answer => ({
  status,
  headers,
  json: JSON.stringify(body),
})

/** `{"detail": …}` with a status. */
export const problem = (status: number, detail: unknown, headers: Headers = NO_HEADERS): Answer =>
  of({ detail }, status, headers)

/** The answer as a response of the platform. */
export const toResponse = ({ status, headers, json }: Answer): HttpServerResponse.HttpServerResponse =>
  json === undefined
    ? HttpServerResponse.empty({ status, headers })
    : HttpServerResponse.text(json, { status, headers, contentType: "application/json" })
