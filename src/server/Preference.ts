import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import { MINIMAL } from "../domain/Operation.js"

const [NAME, MINIMALLY] = MINIMAL.split("=")

/** A preference without its parameters: RFC 7240, section 2. Of two of one name the first one counts. */
const valueOf = (header: string): string | undefined => {
  for (const preference of header.split(",")) {
    const [name, value] = (preference.split(";")[0] ?? "").split("=")
    if (name?.trim().toLowerCase() === NAME)
      return value
        ?.trim()
        .replace(/^"(.*)"$/, "$1")
        .toLowerCase()
  }
  return undefined
}

/** Whether the current request prefers to hear only what it needs to hear. */
export const isMinimal: Effect.Effect<boolean, never, HttpServerRequest.HttpServerRequest> = Effect.map(
  HttpServerRequest.HttpServerRequest,
  ({ headers }) => valueOf(headers["prefer"] ?? "") === MINIMALLY,
)

/** Says that the preference was met. */
export const applied: (response: HttpServerResponse.HttpServerResponse) => HttpServerResponse.HttpServerResponse =
  HttpServerResponse.setHeader("Preference-Applied", MINIMAL)
