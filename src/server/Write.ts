import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import type { RunStoreError } from "../../services/RunStore.js"
import * as Answer from "./Answer.js"
import type { Invalid, Refused } from "./ApiErrors.js"
import * as RequestBody from "./RequestBody.js"
import { hidden } from "./StoreErrors.js"

/** What a body, with the `Prefer` of its request, is answered. */
export type Handler = (
  body: Buffer,
  prefer: string | undefined,
) => Effect.Effect<Answer.Answer, Invalid | Refused | RunStoreError>

/** An endpoint that takes a body of at most so many bytes. */
export interface Write {
  readonly limit: number
  readonly handle: Handler
}

/** The answer to the current request, as the router's handlers give it. */
export const routed = ({
  limit,
  handle,
}: Write): Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  Invalid | Refused,
  HttpServerRequest.HttpServerRequest
> =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) =>
    RequestBody.bytes(limit).pipe(
      Effect.flatMap((body) => handle(body, headers["prefer"])),
      Effect.map(Answer.toResponse),
      hidden,
    ),
  )
